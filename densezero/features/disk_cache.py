"""Feature grids in files, so that memory does not grow with the number of images."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType

import numpy as np
import torch
from torch import Tensor

from densezero.errors import OutputError


class DiskCache:
    """Tensors by name in a temporary folder. Each one is read from its file when it is used.

    Use it in a ``with`` block: the end of the block removes the folder.

    Example:
        >>> with DiskCache() as cache:
        ...     cache.put("a", torch.ones(2))
        ...     [tensor.tolist() for tensor in cache.view(["a", "a"])]
        [[1.0, 1.0], [1.0, 1.0]]
    """

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="densezero-")
        self._files: dict[str, Path] = {}

    def put(self, name: str, tensor: Tensor) -> None:
        """Write a tensor from any device to its file.

        Raises:
            OutputError: if the temporary folder cannot be written, for example because the disk is full.
        """
        file = Path(self._folder.name) / f"{len(self._files)}.npy"
        try:
            np.save(file, tensor.cpu().numpy())
        except OSError as error:
            raise OutputError(
                f"Cannot write features to the temporary folder {self._folder.name}: {error.strerror or error}. "
                "Free some space, set TMPDIR to a folder with more, or fit the basis to fewer images (--fit-images)."
            ) from None
        self._files[name] = file

    def get(self, name: str) -> Tensor | None:
        """Read a tensor onto the processor; None if there is none of this name."""
        return torch.from_numpy(np.load(self._files[name], allow_pickle=False)) if name in self._files else None

    @property
    def names(self) -> list[str]:
        """Names of all tensors, in the order in which they were written."""
        return list(self._files)

    def view(self, names: Sequence[str]) -> DiskCacheView:
        """Select tensors by name. Each one is read when it is used."""
        return DiskCacheView(self, names)

    def __enter__(self) -> DiskCache:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._folder.cleanup()


class DiskCacheView(Sequence[Tensor]):
    """A sequence of tensors in a disk cache. Each one is read when it is used.

    Args:
        cache: the cache that contains them.
        names: names of tensors in the cache.
    """

    def __init__(self, cache: DiskCache, names: Sequence[str]) -> None:
        self._cache, self._names = cache, tuple(names)

    def __len__(self) -> int:
        return len(self._names)

    def __getitem__(self, index: int) -> Tensor:  # type: ignore[override]  # slices are not used
        tensor = self._cache.get(self._names[index])
        assert tensor is not None, "a view has names of its cache only"
        return tensor

    def __iter__(self) -> Iterator[Tensor]:
        return (self[position] for position in range(len(self)))
