"""Boundary IoU: intersection over union of the strips along the contours of two label maps.

Source: Boundary IoU (arXiv 2103.16562): of each mask the pixels within a distance d of its contour, d = 2 % of the
image's diagonal; the border of the image is a contour.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from densezero.metrics.confusion import Counts, Labels, check_labels
from densezero.metrics.scores import mean_of_there, percent

WIDTH_SHARE = 0.02  # of the diagonal


@dataclass(frozen=True)
class BoundaryCounts:
    """Pixels along contours, which add up over images.

    Args:
        hits: (C,) pixels of the class and in the strip in both maps.
        truth: (C,) pixels of the class and in its strip in the target.
        predicted: (C,) likewise in the labels.
    """

    hits: Counts
    truth: Counts
    predicted: Counts

    def __add__(self, other: BoundaryCounts) -> BoundaryCounts:
        return BoundaryCounts(self.hits + other.hits, self.truth + other.truth, self.predicted + other.predicted)

    @property
    def per_class(self) -> NDArray[np.float64]:
        """(C,) boundary IoU in percent; NaN for a class that is nowhere."""
        hits = self.hits.astype(np.float64)
        return percent(hits, self.truth + self.predicted - hits)

    @property
    def mean(self) -> float:
        """Mean over the classes that are there, in percent."""
        return mean_of_there(self.per_class)


def count_boundaries(
    labels: Labels, target: Labels, classes: int, ignore: int = 255, width_px: int | None = None
) -> BoundaryCounts:
    """Count the pixels along the contours of one image.

    Args:
        labels: (H, W) predicted class indices.
        target: (H, W) true class indices; ignored pixels count in neither map, and end a mask in both.
        classes: number of classes C.
        ignore: the target's value for pixels without a class.
        width_px: width d of a strip; None takes 2 % of the diagonal, at least 1, rounded as the authors' code does:
            half a pixel to the even number, so that 375 x 500 has 12.

    Raises:
        InputError: if the sizes differ, or the values are no integers.
    """
    check_labels(labels, target)
    h, w = target.shape
    width = max(1, round(WIDTH_SHARE * float(np.hypot(h, w)))) if width_px is None else width_px
    kept = target != ignore
    truth = np.where(kept, target, -1).astype(np.int64)
    predicted = np.where(kept, labels, -1).astype(np.int64)
    truth_strip, predicted_strip = (kept & ~_inside(values, width) for values in (truth, predicted))
    both = truth_strip & predicted_strip & (truth == predicted)
    return BoundaryCounts(
        *(np.bincount(values[strip], minlength=classes)[:classes]
          for values, strip in ((truth, both), (truth, truth_strip), (predicted, predicted_strip)))
    )  # fmt: skip


def _inside(values: Counts, width: int) -> NDArray[np.bool_]:
    """Whether the square of 2 * width + 1 pixels around a pixel lies in the image and shows one value only.

    That is what eroding each value's mask ``width`` times by a 3 x 3 square leaves, for all values at once.
    """
    h, w = values.shape
    inside = np.zeros((h, w), bool)
    side = 2 * width + 1
    if h < side or w < side:
        return inside
    across = _sums(values[:, 1:] != values[:, :-1])  # changes from a column to the next
    down = _sums(values[1:] != values[:-1])
    changes = _window_sums(across, side, side - 1) + _window_sums(down, side - 1, side)
    inside[width : h - width, width : w - width] = changes == 0
    return inside


def _sums(changes: NDArray[np.bool_]) -> NDArray[np.int32]:
    """Summed-area table with a row and a column of zeros before it."""
    table = np.zeros((changes.shape[0] + 1, changes.shape[1] + 1), np.int32)
    np.cumsum(np.cumsum(changes, axis=0, dtype=np.int32), axis=1, out=table[1:, 1:])
    return table


def _window_sums(table: NDArray[np.int32], height: int, width: int) -> NDArray[np.int32]:
    return table[height:, width:] - table[:-height, width:] - table[height:, :-width] + table[:-height, :-width]
