"""Labels of a scene on disk, row after row while they are made, so that a stopped run goes on from its last strip."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from densezero.atomic import output_error
from densezero.jobs.journal import Journal
from densezero.jobs.places import OutputFolder
from densezero.output.segmentation import Labels

STRIPS: Final = ".scenes"
"""The folder of unfinished scenes, below the output folder."""


class LabelStrips:
    """The labels (H, W) of one scene in a file of plain numbers, and a journal of the rows that are whole.

    Args:
        folder: the output folder.
        name: of the scene, for the names of the two files.
        hw: height and width, pixels.
        dtype: of the labels.
        key: what decides the labels. Rows that were made with another key are thrown away.

    Raises:
        OutputError: if the files cannot be written.
    """

    def __init__(
        self, folder: OutputFolder, name: str, hw: tuple[int, int], dtype: type[np.unsignedinteger[Any]], key: str
    ) -> None:
        self.hw, self.dtype = hw, np.dtype(dtype)
        self._file = folder.path(f"{STRIPS}/{name}.labels")
        self._journal = Journal(folder.path(f"{STRIPS}/{name}.journal"))
        self.rows = self._find_rows(key)
        """Rows from the top that are whole."""
        try:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            if self.rows:
                os.truncate(self._file, self.rows * self._row_bytes)
                self._journal.go_on()
            else:
                self._file.write_bytes(b"")
                self._journal.start({"key": key})
        except OSError as error:
            raise output_error(self._file, error) from None

    @property
    def _row_bytes(self) -> int:
        return self.hw[1] * self.dtype.itemsize

    def append(self, labels: Labels) -> None:
        """Add (rows, W) labels below the others, and wait until the device holds them.

        Raises:
            DeviceFullError: if no space is left.
            OutputError: if they cannot be written.
        """
        try:
            with self._file.open("r+b") as file:
                file.seek(self.rows * self._row_bytes)
                file.write(np.ascontiguousarray(labels, self.dtype).tobytes())
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise output_error(self._file, error) from None
        self.rows += labels.shape[0]
        self._journal.append({"rows": self.rows}, durable=True)

    def strips(self, rows: int) -> Iterator[NDArray[np.integer]]:
        """Read the labels from top to bottom, this number of rows at a time."""
        with self._file.open("rb") as file:
            for top in range(0, self.hw[0], rows):
                count = min(rows, self.hw[0] - top)
                yield np.frombuffer(file.read(count * self._row_bytes), self.dtype).reshape(count, self.hw[1])

    def whole(self) -> NDArray[np.integer]:
        """Read all labels, (H, W)."""
        return np.concatenate(list(self.strips(self.hw[0])))

    def overview(self, hw: tuple[int, int]) -> NDArray[np.integer]:
        """Read the labels at a smaller size, (h, w): those nearest to the middles of its pixels."""
        rows, columns = (
            ((np.arange(small) + 0.5) * (whole / small)).astype(np.int64)
            for whole, small in zip(self.hw, hw, strict=True)
        )
        with self._file.open("rb") as file:
            picked = []
            for row in rows.tolist():
                file.seek(row * self._row_bytes)
                picked.append(np.frombuffer(file.read(self._row_bytes), self.dtype)[columns])
        return np.stack(picked)

    def remove(self) -> None:
        """Remove the files, when the results are safe elsewhere, and the folder if it is empty then."""
        self._journal.remove()
        self._file.unlink(missing_ok=True)
        folder = self._file.parent
        while folder.name and not any(folder.iterdir()):
            folder.rmdir()
            if folder.name == STRIPS:
                break
            folder = folder.parent

    def _find_rows(self, key: str) -> int:
        """Count the rows that an earlier run has made with the same key."""
        header = self._journal.header()
        if header is None or header.get("key") != key or not self._file.is_file():
            return 0
        made = [int(values["rows"]) for _, values in self._journal.lines()]
        there = self._file.stat().st_size // self._row_bytes
        return max((rows for rows in made if rows <= there), default=0)
