"""Scores of a confusion matrix, in percent."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class IouScores:
    """Scores in percent, not rounded. A mean over no class is NaN.

    Args:
        miou: mean of ``per_class`` over the classes that occur.
        per_class: (C,) intersection over union; NaN for a class without true and predicted pixels.
        pixel_accuracy: share of the pixels with the correct label.
        mean_accuracy: for each class, the share of its true pixels with the correct label; mean over the classes with
            true pixels.
        frequency_weighted_iou: mean of ``per_class``, weighted by the number of true pixels of each class.
    """

    miou: float
    per_class: NDArray[np.float64]
    pixel_accuracy: float
    mean_accuracy: float
    frequency_weighted_iou: float


def iou_scores(confusion: NDArray[np.int64]) -> IouScores:
    """Compute the scores of a confusion matrix.

    Args:
        confusion: (C, C) counts over all images, rows truth, columns prediction.
    """
    hits = np.diag(confusion).astype(np.float64)
    truth = confusion.sum(1)
    union = confusion.sum(0) + truth - hits
    per_class, accuracy = percent(hits, union), percent(hits, truth)
    total = truth.sum()
    return IouScores(
        miou=mean_without_nan(per_class),
        per_class=per_class,
        pixel_accuracy=float(100 * hits.sum() / total) if total else float("nan"),
        mean_accuracy=mean_without_nan(accuracy),
        frequency_weighted_iou=float((truth * np.nan_to_num(per_class)).sum() / total) if total else float("nan"),
    )


def percent(part: NDArray[np.float64], whole: NDArray[np.float64]) -> NDArray[np.float64]:
    """100 times (C,) counts divided by (C,) counts; NaN where the divisor is 0."""
    share: NDArray[np.float64] = np.full(len(part), np.nan)
    np.divide(100 * part, whole, out=share, where=whole > 0)
    return share


def mean_without_nan(values: NDArray[np.float64]) -> float:
    """Mean of the values that are not NaN; NaN if all are."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else float("nan")
