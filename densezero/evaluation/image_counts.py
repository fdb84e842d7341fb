"""The confusion counts of one image, and the files that they were counted from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from densezero.datasets import Pair
from densezero.images.file_state import is_unchanged, sha256_of, stamp_of
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
        """Store the counts above zero of a (C, C) matrix, and the boundary counts of classes that have contours."""
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
