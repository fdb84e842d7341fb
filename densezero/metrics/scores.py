"""Intersection over union, from confusion counts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class IouScores:
    """Scores in percent, unrounded.

    Args:
        miou: mean of ``per_class`` over the classes that are there; NaN if none is.
        per_class: (C,) intersection over union; NaN for a class that is neither in the truth nor predicted.
        pixel_accuracy: share of pixels with the right label; NaN without pixels.
    """

    miou: float
    per_class: NDArray[np.float64]
    pixel_accuracy: float


def iou_scores(confusion: NDArray[np.int64]) -> IouScores:
    """Make the scores of a confusion matrix.

    Args:
        confusion: (C, C) counts, rows truth, columns prediction, added up over all images first.
    """
    hits = np.diag(confusion).astype(np.float64)
    union = confusion.sum(0) + confusion.sum(1) - hits
    per_class = np.divide(100 * hits, union, out=np.full(len(hits), np.nan), where=union > 0)
    there = union > 0
    total = confusion.sum()
    return IouScores(
        miou=float(per_class[there].mean()) if there.any() else float("nan"),
        per_class=per_class,
        pixel_accuracy=float(100 * hits.sum() / total) if total else float("nan"),
    )
