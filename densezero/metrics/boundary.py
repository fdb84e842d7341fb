"""Boundary IoU: intersection over union of strips along the contours of two label maps.

The strip of a class has the pixels of its mask within a distance d of its contour; d is 2 % of the diagonal of the
image. The border of the image is part of the contour. Source: "Boundary IoU" (arXiv 2103.16562).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from densezero.metrics.confusion import Counts, Labels, check_labels
from densezero.metrics.scores import mean_without_nan, percent

WIDTH_SHARE = 0.02  # of the diagonal


@dataclass(frozen=True)
class BoundaryCounts:
    """Numbers of pixels in the strips along contours. The sum over images gives the score of all images.

    Args:
        hits: (C,) pixels in the strip of the class in both maps.
        truth: (C,) pixels in the strip of the class in the target.
        predicted: (C,) pixels in the strip of the class in the labels.
    """

    hits: Counts
    truth: Counts
    predicted: Counts

    def __add__(self, other: BoundaryCounts) -> BoundaryCounts:
        return BoundaryCounts(self.hits + other.hits, self.truth + other.truth, self.predicted + other.predicted)

    @property
    def per_class(self) -> NDArray[np.float64]:
        """(C,) boundary IoU in percent; NaN for a class without true and predicted pixels."""
        hits = self.hits.astype(np.float64)
        return percent(hits, self.truth + self.predicted - hits)

    @property
    def mean(self) -> float:
        """Mean over the classes that occur, in percent."""
        return mean_without_nan(self.per_class)


def count_boundaries(
    labels: Labels, target: Labels, classes: int, ignore: int = 255, width_px: int | None = None
) -> BoundaryCounts:
    """Count the pixels along the contours of one image.

    Args:
        labels: (H, W) predicted class indices.
        target: (H, W) true class indices. Ignored pixels do not count in either map. Their border is a
            contour in both.
        classes: number of classes C.
        ignore: value of pixels without a class in ``target``.
        width_px: width d of a strip, pixels. None takes 2 % of the diagonal, at least 1, rounded as in the authors'
            code: a half goes to the even number, so an image of 375 x 500 has 12.

    Raises:
        InputError: if the sizes differ, or the values are not integers.
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
    """Find the pixels whose square of 2 * width + 1 pixels lies inside the image and has one value only.

    These pixels remain if the mask of each value is eroded ``width`` times by a 3 x 3 square. Here all values are done
    together.
    """
    h, w = values.shape
    inside = np.zeros((h, w), bool)
    side = 2 * width + 1
    if h < side or w < side:
        return inside
    across = _sums(values[:, 1:] != values[:, :-1])  # changes between neighbouring columns
    down = _sums(values[1:] != values[:-1])
    changes = _window_sums(across, side, side - 1) + _window_sums(down, side - 1, side)
    inside[width : h - width, width : w - width] = changes == 0
    return inside


def _sums(changes: NDArray[np.bool_]) -> NDArray[np.int32]:
    """Summed-area table, with a row and a column of zeros in front."""
    table = np.zeros((changes.shape[0] + 1, changes.shape[1] + 1), np.int32)
    np.cumsum(np.cumsum(changes, axis=0, dtype=np.int32), axis=1, out=table[1:, 1:])
    return table


def _window_sums(table: NDArray[np.int32], height: int, width: int) -> NDArray[np.int32]:
    return table[height:, width:] - table[:-height, width:] - table[height:, :-width] + table[:-height, :-width]
