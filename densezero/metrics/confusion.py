"""Counts how often each true class was labelled as each class."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from densezero.errors import InputError

Labels = NDArray[np.integer[Any]]


def count_pairs(labels: Labels, target: Labels, classes: int, ignore: int = 255) -> NDArray[np.int64]:
    """Count the pairs of true and predicted class over the pixels of one image.

    Args:
        labels: (H, W) predicted class indices, each below ``classes``.
        target: (H, W) true class indices; pixels with the value ``ignore`` do not count.
        classes: number of classes C.
        ignore: the target's value for pixels without a class.

    Returns:
        (C, C) int64 counts, rows truth, columns prediction. The matrices of several images add up.

    Raises:
        InputError: if the sizes differ, the values are no integers, or one of them is no class.
    """
    if labels.shape != target.shape:
        raise InputError(f"Expected labels and target of one size; got {labels.shape} and {target.shape}.")
    for name, values in (("labels", labels), ("target", target)):
        if not np.issubdtype(values.dtype, np.integer):
            raise InputError(f"Expected {name} as integers; got {values.dtype}. Pass class indices, not scores.")
    kept = target != ignore
    truth, predicted = target[kept].astype(np.int64), labels[kept].astype(np.int64)
    for name, values in (("target", truth), ("labels", predicted)):
        if values.size and not (values.min() >= 0 and values.max() < classes):
            raise InputError(
                f"Expected {name} in 0..{classes - 1} or, in the target, {ignore} to ignore; got values from "
                f"{values.min()} to {values.max()}. Check which class list and label order the files use."
            )
    return np.bincount(truth * classes + predicted, minlength=classes * classes).reshape(classes, classes)
