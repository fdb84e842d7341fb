"""Errors of a depth map, as sums that add over images, and the scores made from them.

Published tables for NYU Depth v2 compute the scores of each image from its pixels, and then take the mean over the
images (as the evaluation code of BTS, arXiv 1907.10326, and AdaBins, arXiv 2011.14141, does). The scores of added sums
are another number: each pixel of all images counts the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields

import numpy as np
from numpy.typing import NDArray

from densezero.errors import InputError
from densezero.metrics.scores import mean_without_nan

FACTORS = (1.25, 1.25**2, 1.25**3)


@dataclass(frozen=True)
class DepthSums:
    """Sums over the pixels that count. The sums of several images add up.

    Args:
        pixels: number of pixels.
        relative: sum of |predicted - true| / true.
        squared: sum of (predicted - true) squared, square metres.
        within1: pixels whose prediction is less than a factor of 1.25 from the truth.
        within2: the same for 1.25 squared.
        within3: the same for 1.25 to the power of 3.
    """

    pixels: int = 0
    relative: float = 0.0
    squared: float = 0.0
    within1: int = 0
    within2: int = 0
    within3: int = 0

    def __add__(self, other: DepthSums) -> DepthSums:
        return DepthSums(*(ours + theirs for ours, theirs in zip(astuple(self), astuple(other), strict=True)))


@dataclass(frozen=True)
class DepthScores:
    """Scores of depth, not rounded; NaN if no pixel counts.

    Args:
        abs_rel: mean of |predicted - true| / true, a share of 1. Lower is better.
        rmse_m: root of the mean squared error, metres. Lower is better.
        delta1: pixels whose prediction is less than a factor of 1.25 from the truth, percent.
        delta2: the same for 1.25 squared, percent.
        delta3: the same for 1.25 to the power of 3, percent.
    """

    abs_rel: float
    rmse_m: float
    delta1: float
    delta2: float
    delta3: float


def sum_depth_errors(
    depth: NDArray[np.floating], target: NDArray[np.floating], ignore: NDArray[np.bool_] | None = None
) -> DepthSums:
    """Sum the errors of one depth map. Nothing is clipped or scaled.

    Args:
        depth: (H, W) predicted depth, metres, above 0.
        target: (H, W) true depth, metres, above 0.
        ignore: (H, W) true where a pixel does not count; None counts all.

    Raises:
        InputError: if the sizes differ, or a pixel that counts has a depth that is not finite or not above 0.
    """
    kept = kept_pixels(depth, target, ignore, target.shape)
    predicted, truth = depth[kept].astype(np.float64), target[kept].astype(np.float64)
    for name, values in (("predicted", predicted), ("true", truth)):
        if not ((values > 0) & np.isfinite(values)).all():
            raise InputError(
                f"Expected the {name} depth of every pixel that counts to be finite and above 0 metres. Ignore pixels "
                "without a depth."
            )
    error = predicted - truth
    ratio = np.maximum(predicted / truth, truth / predicted)
    within = (int((ratio < factor).sum()) for factor in FACTORS)
    return DepthSums(len(truth), float(np.abs(error / truth).sum()), float((error**2).sum()), *within)


def depth_scores(sums: DepthSums) -> DepthScores:
    """Compute the scores of sums: each of their pixels counts the same."""
    if not sums.pixels:
        return DepthScores(*[float("nan")] * len(fields(DepthScores)))
    shares = (100 * within / sums.pixels for within in (sums.within1, sums.within2, sums.within3))
    return DepthScores(sums.relative / sums.pixels, float(np.sqrt(sums.squared / sums.pixels)), *shares)


def mean_depth_scores(images: Sequence[DepthSums]) -> DepthScores:
    """Compute the scores of each image, and take their mean: each image counts the same, as in published tables.

    Images without a pixel that counts are left out.
    """
    table = np.array([astuple(depth_scores(sums)) for sums in images]).reshape(-1, len(fields(DepthScores)))
    return DepthScores(*(mean_without_nan(column) for column in table.T))


def kept_pixels(
    predicted: NDArray[np.floating],
    target: NDArray[np.floating],
    ignore: NDArray[np.bool_] | None,
    image_hw: tuple[int, ...],
) -> NDArray[np.bool_]:
    """Give the mask (H, W) of the pixels that count.

    Raises:
        InputError: if two maps or the mask have different sizes, or the mask is not boolean.
    """
    if predicted.shape != target.shape:
        raise InputError(f"Expected prediction and truth of one size; got {predicted.shape} and {target.shape}.")
    if ignore is None:
        return np.ones(image_hw, np.bool_)
    if ignore.shape != image_hw or ignore.dtype != np.bool_:
        raise InputError(f"Expected ignore as booleans of shape {image_hw}; got {ignore.dtype}, {ignore.shape}.")
    return ~ignore
