"""The confusion counts of each image, written to a journal at once, so that a stopped evaluation can be continued."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from densezero.datasets import Pair
from densezero.errors import OutputError
from densezero.jobs.differences import explain_differences
from densezero.jobs.journal import Journal
from densezero.jobs.places import is_unchanged, sha256_of, stamp_of
from densezero.metrics import BoundaryCounts


@dataclass(frozen=True)
class PairState:
    """An image and its label as they were when they were read.

    Args:
        stamps: of the image and of the label.
        sha256: of their contents.
    """

    stamps: tuple[str, str]
    sha256: tuple[str, str]

    @classmethod
    def of(cls, pair: Pair) -> PairState:
        """Look at the files of a pair."""
        files = (pair.image, pair.label)
        return cls((stamp_of(files[0]), stamp_of(files[1])), (sha256_of(files[0]), sha256_of(files[1])))

    def is_that_of(self, pair: Pair) -> bool:
        """Whether the files are still the same."""
        files = zip((pair.image, pair.label), self.stamps, self.sha256, strict=True)
        return all(is_unchanged(file, stamp, sha256) for file, stamp, sha256 in files)


@dataclass(frozen=True)
class ImageCounts:
    """The confusion counts of one image, without its zeros.

    Args:
        name: of the pair.
        state: of the pair's files.
        truth: true class of each counted pair of classes.
        predicted: predicted class of each.
        pixels: how many pixels each has.
        ignored: pixels whose label says that they do not count.
        seconds: stage to time.
        boundary: for each class that has contours here its index and its pixels along them: in both maps, in the truth,
            in the prediction; None if they were not asked for.
    """

    name: str
    state: PairState
    truth: tuple[int, ...]
    predicted: tuple[int, ...]
    pixels: tuple[int, ...]
    ignored: int
    seconds: dict[str, float]
    boundary: tuple[tuple[int, int, int, int], ...] | None = None

    @classmethod
    def from_matrix(
        cls,
        name: str,
        state: PairState,
        matrix: NDArray[np.int64],
        ignored: int,
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
        found = (tuple(truth.tolist()), tuple(predicted.tolist()), tuple(pixels.tolist()))
        return cls(name, state, *found, ignored, seconds, along)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> ImageCounts:
        """Read what ``asdict`` made, after JSON turned tuples into lists.

        Raises:
            ValueError: if it is not that.
        """
        try:
            first, second = values["state"]["stamps"], values["state"]["sha256"]
            state = PairState((str(first[0]), str(first[1])), (str(second[0]), str(second[1])))
            along = values["boundary"]
            truth, predicted, pixels = (tuple(map(int, values[name])) for name in ("truth", "predicted", "pixels"))
            if not len(truth) == len(predicted) == len(pixels) or min((0, *truth, *predicted, *pixels)) < 0:
                raise ValueError("columns that do not fit together")
            rows = None if along is None else tuple((int(i), int(a), int(b), int(c)) for i, a, b, c in along)
            seconds = {str(stage): float(time) for stage, time in values["seconds"].items()}
            ignored = int(values["ignored"])
            return cls(str(values["name"]), state, truth, predicted, pixels, ignored, seconds, rows)
        except (KeyError, TypeError, AttributeError, IndexError, OverflowError) as error:
            raise ValueError(f"no counts of an image: {error}") from None

    def add_to(self, matrix: NDArray[np.int64]) -> None:
        """Add the counts to a (C, C) matrix."""
        matrix[list(self.truth), list(self.predicted)] += np.array(self.pixels, np.int64)


class CountJournals:
    """The journals of the processes of a run, side by side; each process writes its own.

    Args:
        report: the report's path, beside which they lie.
        rank: of this process.
        request: what decides the numbers; counts of another request are refused.

    Raises:
        OutputError: if counts of another request lie there.
    """

    def __init__(self, report: Path, rank: int, request: dict[str, Any]) -> None:
        self.report, self._request = report, json.loads(json.dumps(request))
        self._own = _journal(report.with_name(f".{report.name}.{rank}.counts"))
        for journal in self._all():
            self._refuse_other(journal)

    def known(self) -> Iterator[ImageCounts]:
        """The counts that any process has written, one image at a time.

        Raises:
            OutputError: if a journal is damaged.
        """
        for journal in self._all():
            for _, values in journal.lines():
                try:
                    yield ImageCounts.from_json(values)
                except ValueError as error:
                    raise OutputError(f"{journal.file} is damaged ({error}). {journal.way_out}") from None

    def open(self) -> None:
        """Begin this process's journal, or go on with it."""
        if self._own.header() is None:
            self._own.start({"request": self._request})
        else:
            self._own.go_on()

    def add(self, counts: ImageCounts) -> None:
        """Write one image's counts, and wait until the device holds them."""
        self._own.append(asdict(counts), durable=True)

    def remove_all(self) -> None:
        """Take the journals of all processes away, when the report is safe."""
        for journal in self._all():
            journal.remove()

    @staticmethod
    def files_of(report: Path) -> list[Path]:
        """The journals beside a report, of all processes."""
        name = re.compile(rf"\.{re.escape(report.name)}\.[0-9]+\.counts")
        files = sorted(report.parent.iterdir()) if report.parent.is_dir() else []
        return [file for file in files if name.fullmatch(file.name)]

    def _all(self) -> list[Journal]:
        return [_journal(file) for file in self.files_of(self.report)]

    def _refuse_other(self, journal: Journal) -> None:
        header = journal.header()
        there = {} if header is None else header.get("request")
        if isinstance(there, dict) and there == self._request:
            return
        reason = explain_differences(there, self._request) if isinstance(there, dict) else "it says not of which"
        raise OutputError(
            f"{journal.file} holds counts of another request that was not finished; {reason}. Finish that one, choose "
            "another --out, or delete the file."
        )


def _journal(file: Path) -> Journal:
    return Journal(file, "Choose another --out, or delete the file to count anew.")
