"""Angles between predicted and true surface normals, as counts that add over images, and the scores made from them.

Published tables take mean and median over the pixels of all images together (Fouhey et al., ICCV 2013; Bae et al.,
arXiv 2109.09881), so the counts of images are added before the scores are computed.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from densezero.errors import InputError
from densezero.metrics.depth import kept_pixels

BIN_DEG = 0.01
BINS = 18_000  # of 0.01 degrees each, up to 180
LIMITS_DEG = (11.25, 22.5, 30.0)
_LEAST_LENGTH = 1e-6


@dataclass(frozen=True)
class AngleCounts:
    """Angles of the pixels that count. The counts of several images add up.

    Args:
        total_deg: sum of all angles, degrees.
        within: pixels with an angle below 11.25, 22.5 and 30 degrees.
        histogram: (18000,) int64, pixels in each bin of 0.01 degrees; it gives the median.
    """

    total_deg: float = 0.0
    within: tuple[int, int, int] = (0, 0, 0)
    histogram: NDArray[np.int64] = field(default_factory=lambda: np.zeros(BINS, np.int64))

    @property
    def pixels(self) -> int:
        """Number of pixels."""
        return int(self.histogram.sum())

    def __add__(self, other: AngleCounts) -> AngleCounts:
        first, second, third = (ours + theirs for ours, theirs in zip(self.within, other.within, strict=True))
        return AngleCounts(self.total_deg + other.total_deg, (first, second, third), self.histogram + other.histogram)


@dataclass(frozen=True)
class NormalScores:
    """Scores of normals over all pixels, not rounded; NaN if no pixel counts.

    Args:
        mean_deg: mean angle, degrees. Lower is better.
        median_deg: median angle, degrees, to 0.005 degrees. Lower is better.
        within_11_25: pixels with an angle below 11.25 degrees, percent.
        within_22_5: pixels with an angle below 22.5 degrees, percent.
        within_30: pixels with an angle below 30 degrees, percent.
    """

    mean_deg: float
    median_deg: float
    within_11_25: float
    within_22_5: float
    within_30: float


def count_angles(
    normals: NDArray[np.floating], target: NDArray[np.floating], ignore: NDArray[np.bool_] | None = None
) -> AngleCounts:
    """Count the angles between predicted and true normals of one image. Vectors need not have unit length.

    Args:
        normals: (H, W, 3) predicted normals.
        target: (H, W, 3) true normals, with the same axes.
        ignore: (H, W) true where a pixel does not count; None counts all.

    Raises:
        InputError: if the sizes differ, or a pixel that counts has a normal that is not finite or has no length.
    """
    if normals.ndim != 3 or normals.shape[-1] != 3:
        raise InputError(f"Expected normals of shape (H, W, 3); got {normals.shape}.")
    kept = kept_pixels(normals, target, ignore, target.shape[:2])
    cosines = (_unit(normals[kept], "predicted") * _unit(target[kept], "true")).sum(-1)
    angles = np.degrees(np.arccos(np.clip(cosines, -1, 1)))
    bins = np.minimum((angles / BIN_DEG).astype(np.int64), BINS - 1)
    first, second, third = (int((angles < limit).sum()) for limit in LIMITS_DEG)
    return AngleCounts(float(angles.sum()), (first, second, third), np.bincount(bins, minlength=BINS))


def normal_scores(counts: AngleCounts) -> NormalScores:
    """Compute the scores of counts: each of their pixels counts the same."""
    pixels = counts.pixels
    if not pixels:
        return NormalScores(*[float("nan")] * 5)
    ends = np.searchsorted(counts.histogram.cumsum(), [(pixels + 1) // 2, pixels // 2 + 1])  # the middle one or two
    shares = (100 * within / pixels for within in counts.within)
    return NormalScores(counts.total_deg / pixels, float(ends.mean() + 0.5) * BIN_DEG, *shares)


def _unit(vectors: NDArray[np.floating], name: str) -> NDArray[np.float64]:
    """Scale (N, 3) to length 1."""
    lengths = np.linalg.norm(vectors.astype(np.float64), axis=-1, keepdims=True)
    if not (np.isfinite(lengths) & (lengths > _LEAST_LENGTH)).all():
        raise InputError(
            f"Expected the {name} normal of every pixel that counts to be finite and longer than 0. Ignore pixels "
            "without a normal."
        )
    scaled: NDArray[np.float64] = vectors.astype(np.float64) / lengths
    return scaled
