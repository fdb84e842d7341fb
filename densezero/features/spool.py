"""Grids of features kept on disk, so that memory does not grow with the images."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

import numpy as np
import torch
from torch import Tensor

from densezero.errors import OutputError


class Spool:
    """A sequence of tensors in a temporary folder, gone through as often as needed; one in memory at a time.

    Use it as a context: the folder goes when the block ends.
    """

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="densezero-")
        self._count = 0

    def append(self, tensor: Tensor) -> None:
        """Keep a tensor.

        Raises:
            OutputError: if the temporary folder takes no more.
        """
        try:
            np.save(self._path(self._count), tensor.numpy())
        except OSError as error:
            raise OutputError(
                f"Cannot keep features in the temporary folder {self._folder.name}: {error.strerror or error}. "
                "Free some space, set TMPDIR to a folder with more, or fit the basis to fewer images."
            ) from None
        self._count += 1

    def __len__(self) -> int:
        return self._count

    def __getitem__(self, index: int) -> Tensor:
        if not 0 <= index < self._count:
            raise IndexError(index)
        return torch.from_numpy(np.load(self._path(index), allow_pickle=False))

    def __iter__(self) -> Iterator[Tensor]:
        return (self[index] for index in range(self._count))

    def __enter__(self) -> Spool:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._folder.cleanup()

    def _path(self, index: int) -> Path:
        return Path(self._folder.name) / f"{index}.npy"
