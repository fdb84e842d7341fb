"""Reads files of tensors: first names and shapes, then the values that are needed. It never unpickles."""

from __future__ import annotations

import math
import zipfile
from abc import ABC, abstractmethod
from collections.abc import Container, Iterator, Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from densezero.errors import ModelError

Shapes = dict[str, tuple[int, ...]]


class TensorFile(ABC):
    """A file of named tensors.

    Attributes:
        file: the file's path.
        shapes: name to shape of every tensor, read without the values.
    """

    file: Path
    shapes: Shapes

    def load(self, prefix: str = "", like: Mapping[str, Tensor] | None = None) -> dict[str, Tensor]:
        """Read the tensors whose name starts with the prefix, and take the prefix off.

        Each is converted as soon as it is read, into memory of its own, so that a large file is never in memory twice.

        Args:
            prefix: start of the names.
            like: the tensors to read, by their names without the prefix; each value is a tensor of the wanted numeric
                type. None reads all of them in the file's own types.

        Raises:
            ModelError: as for ``each``.
        """
        tensors = {}
        for name, value in self.each(prefix, like):
            dtype = None if like is None else like[name].dtype
            tensors[name] = value.to(dtype=dtype, copy=True, memory_format=torch.contiguous_format)
        return tensors

    def each(self, prefix: str, names: Container[str] | None = None) -> Iterator[tuple[str, Tensor]]:
        """Read the tensors whose name starts with the prefix one by one, and take the prefix off.

        The memory of a tensor may be that of the mapped file: copy the tensors that you keep.

        Args:
            prefix: start of the names.
            names: names to read, without the prefix; None reads all of them.

        Raises:
            ModelError: if the file is damaged, or a tensor holds anything but floating-point numbers.
        """
        chosen = [name for name in self.shapes if name.startswith(prefix)]
        for name, value in self._each([name for name in chosen if names is None or name.removeprefix(prefix) in names]):
            if not value.is_floating_point():
                raise ModelError(f"Expected floating-point numbers in {name} of {self.file}; got {value.dtype}.")
            yield name.removeprefix(prefix), value

    def shapes_under(self, prefix: str) -> Shapes:
        """Shapes of the tensors whose name starts with the prefix, with the prefix taken off."""
        return {name.removeprefix(prefix): shape for name, shape in self.shapes.items() if name.startswith(prefix)}

    def _each(self, names: list[str]) -> Iterator[tuple[str, Tensor]]:
        try:
            yield from self._read(names)
        except Exception as error:  # damaged bytes can make the readers raise anything
            raise _damaged(self.file, error) from None

    @abstractmethod
    def _read(self, names: list[str]) -> Iterator[tuple[str, Tensor]]: ...


def open_tensors(file: Path) -> TensorFile:
    """Open a ``.npz``, ``.zip`` or ``.safetensors`` file.

    Raises:
        ModelError: if the file is missing, is damaged, or is of another kind.
    """
    kinds: dict[str, type[_NpzFile | _SafetensorsFile]] = {
        ".npz": _NpzFile,
        ".zip": _NpzFile,  # heads are published as .npz files under this name
        ".safetensors": _SafetensorsFile,
    }
    if file.suffix not in kinds:
        raise ModelError(f"Expected a weight file ending in .npz, .zip or .safetensors; got {file}.")
    try:
        if file.is_file():
            return kinds[file.suffix](file)
    except Exception as error:  # as above
        raise _damaged(file, error) from None
    raise ModelError(f"Expected a weight file at {file}; there is none. Put it there, or give another folder.")


class _NpzFile(TensorFile):
    def __init__(self, file: Path) -> None:
        self.file = file
        with zipfile.ZipFile(file) as archive:
            self.shapes = {info.filename.removesuffix(".npy"): _npy_shape(archive, info) for info in archive.infolist()}

    def _read(self, names: list[str]) -> Iterator[tuple[str, Tensor]]:
        with np.load(self.file, allow_pickle=False) as arrays:
            for name in names:
                yield name, torch.from_numpy(np.asarray(arrays[name]))


class _SafetensorsFile(TensorFile):
    def __init__(self, file: Path) -> None:
        from safetensors import safe_open

        self.file = file
        with safe_open(file, framework="pt") as tensors:
            self.shapes = {name: tuple(tensors.get_slice(name).get_shape()) for name in tensors.keys()}  # noqa: SIM118 - no mapping

    def _read(self, names: list[str]) -> Iterator[tuple[str, Tensor]]:
        from safetensors import safe_open

        with safe_open(self.file, framework="pt") as tensors:
            for name in names:
                yield name, tensors.get_tensor(name)


def _npy_shape(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> tuple[int, ...]:
    with archive.open(info) as member:
        version = np.lib.format.read_magic(member)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, dtype = read(member)
        header_bytes = member.tell()
    if dtype.hasobject:
        raise ValueError(f"{info.filename} holds Python objects, which are never loaded")
    announced = header_bytes + math.prod(shape) * dtype.itemsize
    if announced != info.file_size:
        raise ValueError(f"{info.filename} announces {announced} bytes and holds {info.file_size}")
    return tuple(int(side) for side in shape)


def _damaged(file: Path, error: Exception) -> ModelError:
    if isinstance(error, OSError) and error.errno is not None:
        return ModelError(f"{file} cannot be opened ({error.strerror}). Check its permissions and the disk.")
    reason = str(error) or type(error).__name__
    return ModelError(f"{file} cannot be read as a tensor file ({reason}). Delete it and download it again.")
