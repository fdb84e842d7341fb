"""The journal of an evaluation: each image's counts, written as they come, so that a kill loses no image."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from densezero.errors import OutputError
from densezero.metrics import BoundaryCounts
from densezero.output.atomic import output_error, write_atomically


@dataclass(frozen=True)
class ImageCounts:
    """The confusion counts of one image, without its zeros.

    Args:
        name: of the pair.
        truth: true class of each counted pair of classes.
        predicted: predicted class of each.
        pixels: how many pixels each has.
        seconds: stage to time.
        boundary: for each class that has contours here its index and its pixels along them: in both maps, in the truth,
            in the prediction; None if they were not asked for.
    """

    name: str
    truth: tuple[int, ...]
    predicted: tuple[int, ...]
    pixels: tuple[int, ...]
    seconds: dict[str, float]
    boundary: tuple[tuple[int, int, int, int], ...] | None = None

    @classmethod
    def from_matrix(
        cls,
        name: str,
        matrix: NDArray[np.int64],
        seconds: dict[str, float],
        boundary: BoundaryCounts | None = None,
    ) -> ImageCounts:
        """Keep what is not zero of a (C, C) matrix and of the boundary counts."""
        truth, predicted = np.nonzero(matrix)
        pixels = matrix[truth, predicted]
        along = None
        if boundary is not None:
            rows = zip(boundary.hits.tolist(), boundary.truth.tolist(), boundary.predicted.tolist(), strict=True)
            along = tuple((index, *row) for index, row in enumerate(rows) if any(row))
        return cls(name, tuple(truth.tolist()), tuple(predicted.tolist()), tuple(pixels.tolist()), seconds, along)

    def add_to(self, matrix: NDArray[np.int64]) -> None:
        """Add the counts to a (C, C) matrix."""
        matrix[list(self.truth), list(self.predicted)] += np.array(self.pixels, np.int64)


class CountJournal:
    """One process's file of counts; those of all processes of a run lie side by side.

    Args:
        report: the report's path, beside which the journal lies.
        rank: of this process.
        request: what decides the numbers; counts of another request are refused.

    Raises:
        OutputError: if counts of another request lie there.
    """

    def __init__(self, report: Path, rank: int, request: dict[str, Any]) -> None:
        self._report, self._request = report, json.loads(json.dumps(request))
        self._file = report.with_name(f".{report.name}.{rank}.counts")
        for file in self._files():
            self._refuse_other(file)

    def known(self) -> Iterator[ImageCounts]:
        """The counts that any process has written, one image at a time."""
        for file in self._files():
            for values in islice(_whole_lines(file), 1, None):
                yield _image_from(values)

    def open(self) -> None:
        """Begin this process's file, keeping what it held."""
        lines = chain([{"request": self._request}], islice(_whole_lines(self._file), 1, None))
        write_atomically(self._file, lambda file: file.writelines(_line(values) for values in lines))

    def add(self, counts: ImageCounts) -> None:
        """Write one image's counts at the end, at once."""
        try:
            with self._file.open("ab") as file:
                file.write(_line(asdict(counts)))
        except OSError as error:
            raise output_error(self._file, error) from None

    def remove_all(self) -> None:
        """Take the journals of all processes away, when the report stands."""
        for file in self._files():
            file.unlink(missing_ok=True)

    def _files(self) -> list[Path]:
        prefix, suffix = f".{self._report.name}.", ".counts"
        folder = self._report.parent
        if not folder.is_dir():
            return []
        return sorted(f for f in folder.iterdir() if f.name.startswith(prefix) and f.name.endswith(suffix))

    def _refuse_other(self, file: Path) -> None:
        head = next(_whole_lines(file), None)
        if head is not None and head.get("request") != self._request:
            raise OutputError(
                f"{file} holds counts of another request that was not finished. "
                "Finish that one, choose another --out, or delete the file."
            )


def _image_from(values: dict[str, Any]) -> ImageCounts:
    return ImageCounts(
        values["name"],
        tuple(values["truth"]),
        tuple(values["predicted"]),
        tuple(values["pixels"]),
        values["seconds"],
        None if values["boundary"] is None else tuple(tuple(row) for row in values["boundary"]),
    )


def _line(values: dict[str, Any]) -> bytes:
    return (json.dumps(values) + "\n").encode()


def _whole_lines(file: Path) -> Iterator[dict[str, Any]]:
    """Lines up to the first that a kill cut, one at a time."""
    try:
        with file.open("rb") as stream:
            for line in stream:
                yield json.loads(line)
    except (OSError, ValueError):
        return
