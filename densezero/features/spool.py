"""Grids of features kept on disk, so that memory does not grow with the images."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType

import numpy as np
import torch
from torch import Tensor

from densezero.errors import OutputError


class Spool:
    """Tensors by name in a temporary folder, read as often as needed; one in memory at a time.

    Use it as a context: the folder goes when the block ends.

    Example:
        >>> with Spool() as spool:
        ...     spool.put("a", torch.ones(2))
        ...     [tensor.tolist() for tensor in spool.view(["a", "a"])]
        [[1.0, 1.0], [1.0, 1.0]]
    """

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="densezero-")
        self._files: dict[str, Path] = {}

    def put(self, name: str, tensor: Tensor) -> None:
        """Keep a tensor.

        Raises:
            OutputError: if the temporary folder takes no more.
        """
        file = Path(self._folder.name) / f"{len(self._files)}.npy"
        try:
            np.save(file, tensor.numpy())
        except OSError as error:
            raise OutputError(
                f"Cannot keep features in the temporary folder {self._folder.name}: {error.strerror or error}. "
                "Free some space, set TMPDIR to a folder with more, or fit the basis to fewer images (--fit-images)."
            ) from None
        self._files[name] = file

    def get(self, name: str) -> Tensor | None:
        """The tensor of a name; None where there is none."""
        return torch.from_numpy(np.load(self._files[name], allow_pickle=False)) if name in self._files else None

    @property
    def names(self) -> list[str]:
        """Names in the order in which they came."""
        return list(self._files)

    def view(self, names: Sequence[str]) -> SpoolView:
        """Some of the tensors as a sequence, each read when it is looked at."""
        return SpoolView(self, names)

    def __enter__(self) -> Spool:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._folder.cleanup()


class SpoolView(Sequence[Tensor]):
    """Tensors of a spool, each read when it is looked at.

    Args:
        spool: holds them.
        names: which.
    """

    def __init__(self, spool: Spool, names: Sequence[str]) -> None:
        self._spool, self._names = spool, tuple(names)

    def __len__(self) -> int:
        return len(self._names)

    def __getitem__(self, index: int) -> Tensor:  # type: ignore[override]  # nobody slices it
        tensor = self._spool.get(self._names[index])
        assert tensor is not None, "a view is made of names that are there"
        return tensor

    def __iter__(self) -> Iterator[Tensor]:
        return (self[place] for place in range(len(self)))
