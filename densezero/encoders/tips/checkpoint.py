"""Tensor files as data: names and shapes without the numbers, then the numbers of a part. Never pickle."""

from __future__ import annotations

import json
import zipfile
from abc import ABC, abstractmethod
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
        shapes: name to shape of every tensor, read without the numbers.
    """

    file: Path
    shapes: Shapes

    @abstractmethod
    def load(self, prefix: str = "") -> dict[str, Tensor]:
        """Read the tensors whose name starts with the prefix, and take the prefix off."""

    def shapes_under(self, prefix: str) -> Shapes:
        """Shapes of the tensors whose name starts with the prefix, with the prefix taken off."""
        return {name.removeprefix(prefix): shape for name, shape in self.shapes.items() if name.startswith(prefix)}


def open_tensors(file: Path) -> TensorFile:
    """Open a ``.npz`` or ``.safetensors`` file.

    Raises:
        ModelError: if the file is missing, is damaged, or is of another kind.
    """
    if not file.is_file():
        raise ModelError(f"Expected a weight file at {file}; there is none.")
    if file.suffix == ".npz":
        return _NpzFile(file)
    if file.suffix == ".safetensors":
        return _SafetensorsFile(file)
    raise ModelError(f"Expected a weight file ending in .npz or .safetensors; got {file}.")


class _NpzFile(TensorFile):
    def __init__(self, file: Path) -> None:
        self.file = file
        try:
            with zipfile.ZipFile(file) as archive:
                self.shapes = {name.removesuffix(".npy"): _npy_shape(archive, name) for name in archive.namelist()}
        except (zipfile.BadZipFile, ValueError, EOFError, OSError) as error:
            raise _damaged(file, error) from None

    def load(self, prefix: str = "") -> dict[str, Tensor]:
        try:
            with np.load(self.file, allow_pickle=False) as arrays:
                return {
                    name.removeprefix(prefix): torch.from_numpy(np.asarray(arrays[name]))
                    for name in arrays.files
                    if name.startswith(prefix)
                }
        except (zipfile.BadZipFile, ValueError, EOFError, OSError, zipfile.zlib.error, TypeError) as error:  # type: ignore[attr-defined]
            raise _damaged(self.file, error) from None


class _SafetensorsFile(TensorFile):
    def __init__(self, file: Path) -> None:
        self.file = file
        try:
            self.shapes = _safetensors_shapes(file)
        except (ValueError, KeyError, TypeError, AttributeError, OSError) as error:
            raise _damaged(file, error) from None

    def load(self, prefix: str = "") -> dict[str, Tensor]:
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(self.file, framework="pt") as tensors:
                return {
                    name.removeprefix(prefix): tensors.get_tensor(name)
                    for name in self.shapes
                    if name.startswith(prefix)
                }
        except (SafetensorError, OSError) as error:
            raise _damaged(self.file, error) from None


def _npy_shape(archive: zipfile.ZipFile, name: str) -> tuple[int, ...]:
    with archive.open(name) as member:
        version = np.lib.format.read_magic(member)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, dtype = read(member)
    if dtype.hasobject:
        raise ValueError(f"{name} holds Python objects, which are never loaded")
    return tuple(int(side) for side in shape)


def _safetensors_shapes(file: Path) -> Shapes:
    with file.open("rb") as content:
        length = int.from_bytes(content.read(8), "little")
        if not 2 <= length <= min(100_000_000, file.stat().st_size - 8):
            raise ValueError("the header's length does not fit the file")
        header = json.loads(content.read(length))
    tensors = {name: entry for name, entry in header.items() if name != "__metadata__"}
    end = max((entry["data_offsets"][1] for entry in tensors.values()), default=0)
    if file.stat().st_size != 8 + length + end:
        raise ValueError(f"{8 + length + end} bytes were announced, {file.stat().st_size} are there")
    return {name: tuple(entry["shape"]) for name, entry in tensors.items()}


def _damaged(file: Path, error: Exception) -> ModelError:
    return ModelError(f"{file} cannot be read as a tensor file ({error}). Delete it and download it again.")
