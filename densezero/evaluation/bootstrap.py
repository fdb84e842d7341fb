"""The bootstrap over images: how much an mIoU would change with other images of the same kind."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from densezero.evaluation.image_sums import ImageSums, read_sums
from densezero.evaluation.report import Report, read_report

DRAWS, SEED, LEVEL = 1000, 0, 95.0
_AT_ONCE: Final = 50  # draws in one product of matrices


class Interval(NamedTuple):
    """A percentile interval: ``low`` and ``high``, in percent or percentage points."""

    low: float
    high: float


class Measured(NamedTuple):
    """A report, and the interval of its mIoU if it was asked for."""

    report: Report
    interval: Interval | None = None


def draw_miou(sums: ImageSums, draws: int = DRAWS, seed: int = SEED) -> NDArray[np.float64]:
    """Compute the mIoU of data sets that are drawn from the images, with replacement.

    Each draw takes N of the N images. The same N, draws and seed take the same images, so two models that are measured
    on the same images can be compared draw by draw (paired).

    Args:
        sums: of N images.
        draws: number of draws.
        seed: of the random numbers.

    Returns:
        (draws,) mIoU in percent; NaN if no pixel of a draw is scored.
    """
    stacked = np.concatenate([sums.hits, sums.truth, sums.predicted], 1).astype(np.float64)  # (N, 3C)
    found = [_miou(weights @ stacked) for weights in _draw_weights(len(sums.names), draws, seed)]
    return np.concatenate(found)


def interval(values: NDArray[np.float64], level: float = LEVEL) -> Interval:
    """Give the percentile interval of drawn values (Efron 1979); draws without a score are left out.

    Raises:
        ValueError: if no draw has a score.
    """
    known = values[~np.isnan(values)]
    if not len(known):
        raise ValueError("no pixel is scored")
    tail = (100 - level) / 2
    low, high = np.percentile(known, [tail, 100 - tail])
    return Interval(float(low), float(high))


def measure(file: Path, with_interval: bool = False) -> Measured:
    """Read a report for a table.

    Args:
        file: a report's file.
        with_interval: compute the 95 % interval of its mIoU from the per-image counts beside it.

    Raises:
        InputError: if the report cannot be read, or its per-image counts are needed and missing.
    """
    report = read_report(file)
    if not with_interval or report.scores["miou"] is None:
        return Measured(report)
    return Measured(report, interval(draw_miou(read_sums(report, file))))


def _draw_weights(images: int, draws: int, seed: int) -> Iterator[NDArray[np.float64]]:
    """Give how often each draw takes each image, (up to 50, N) at a time."""
    generator = np.random.default_rng(seed)
    for start in range(0, draws, _AT_ONCE):
        taken = generator.integers(images, size=(min(_AT_ONCE, draws - start), images))
        yield np.stack([np.bincount(row, minlength=images) for row in taken]).astype(np.float64)


def _miou(stacked: NDArray[np.float64]) -> NDArray[np.float64]:
    """Compute the mIoU of (draws, 3C) sums, in percent, over the classes that occur in each draw."""
    hits, truth, predicted = np.split(stacked, 3, axis=1)  # (draws, C) each
    union = truth + predicted - hits
    iou = np.divide(100 * hits, union, out=np.zeros_like(hits), where=union > 0)
    count = (union > 0).sum(1)
    miou: NDArray[np.float64] = np.full(len(count), np.nan)
    np.divide(iou.sum(1), count, out=miou, where=count > 0)
    return miou
