"""Feature grids in files, so that memory does not grow with the number of images."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Iterator, Sequence
from types import TracebackType

import numpy as np
import torch
from torch import Tensor

from densezero.errors import OutputError


class DiskCache:
    """Tensors by name in a temporary file. Each one is read when it is used.

    Use it in a ``with`` block: the end of the block removes the file.

    Example:
        >>> with DiskCache() as cache:
        ...     cache.put("a", torch.ones(2))
        ...     [tensor.tolist() for tensor in cache.view(["a", "a"])]
        [[1.0, 1.0], [1.0, 1.0]]
    """

    def __init__(self) -> None:
        # without a name, so that a kill leaves nothing
        self._file = tempfile.TemporaryFile(prefix="densezero-")  # noqa: SIM115 - closed by __exit__
        self._places: dict[str, int] = {}

    def put(self, name: str, tensor: Tensor) -> None:
        """Write a tensor from any device to the file.

        Raises:
            OutputError: if the temporary folder cannot be written, for example because the disk is full.
        """
        try:
            place = self._file.seek(0, io.SEEK_END)
            np.save(self._file, tensor.cpu().numpy())
            self._file.flush()
        except OSError as error:
            raise OutputError(
                f"Cannot write features to the temporary folder {tempfile.gettempdir()}: {error.strerror or error}. "
                "Free some space, set TMPDIR to a folder with more, or fit the basis to fewer images (--fit-images)."
            ) from None
        self._places[name] = place

    def get(self, name: str) -> Tensor | None:
        """Read a tensor onto the processor; None if there is none of this name."""
        if name not in self._places:
            return None
        self._file.seek(self._places[name])
        return torch.from_numpy(np.load(self._file, allow_pickle=False))

    @property
    def names(self) -> list[str]:
        """Names of all tensors, in the order in which they were written."""
        return list(self._places)

    def view(self, names: Sequence[str]) -> DiskCacheView:
        """Select tensors by name. Each one is read when it is used."""
        return DiskCacheView(self, names)

    def __enter__(self) -> DiskCache:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()


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
