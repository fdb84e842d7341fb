"""The scores of a confusion matrix, in percent."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class IouScores:
    """Scores in percent, unrounded. A mean over no class is NaN.

    Args:
        miou: mean of ``per_class`` over the classes that are there.
        per_class: (C,) intersection over union; NaN for a class that is neither in the truth nor predicted.
        pixel_accuracy: share of pixels with the right label.
        mean_accuracy: mean over the true classes of the share of their pixels with the right label.
        frequency_weighted_iou: mean of ``per_class`` weighted by the pixels that each class has in the truth.
    """

    miou: float
    per_class: NDArray[np.float64]
    pixel_accuracy: float
    mean_accuracy: float
    frequency_weighted_iou: float


def iou_scores(confusion: NDArray[np.int64]) -> IouScores:
    """Make the scores of a confusion matrix.

    Args:
        confusion: (C, C) counts, rows truth, columns prediction, added up over all images first.
    """
    hits = np.diag(confusion).astype(np.float64)
    truth = confusion.sum(1)
    union = confusion.sum(0) + truth - hits
    per_class, accuracy = percent(hits, union), percent(hits, truth)
    total = truth.sum()
    return IouScores(
        miou=mean_of_there(per_class),
        per_class=per_class,
        pixel_accuracy=float(100 * hits.sum() / total) if total else float("nan"),
        mean_accuracy=mean_of_there(accuracy),
        frequency_weighted_iou=float((truth * np.nan_to_num(per_class)).sum() / total) if total else float("nan"),
    )


def percent(part: NDArray[np.float64], whole: NDArray[np.float64]) -> NDArray[np.float64]:
    """Divide (C,) counts by (C,) counts, times 100; NaN where the whole is empty."""
    share: NDArray[np.float64] = np.full(len(part), np.nan)
    np.divide(100 * part, whole, out=share, where=whole > 0)
    return share


def mean_of_there(values: NDArray[np.float64]) -> float:
    """Mean of the values that are no NaN; NaN if there is none."""
    there = values[~np.isnan(values)]
    return float(there.mean()) if len(there) else float("nan")
