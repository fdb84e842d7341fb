"""Counts how often each true class was labelled as each class."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from densezero.errors import InputError

Labels = NDArray[np.integer[Any]]
Counts = NDArray[np.int64]

_BYTE = 256
_CHUNK_PX = 1 << 17  # the indices of a chunk stay in the processor's cache


def count_pairs(labels: Labels, target: Labels, classes: int, ignore: int = 255) -> Counts:
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
    check_labels(labels, target)
    if labels.dtype == target.dtype == np.uint8 and classes < _BYTE:
        return _count_bytes(labels, target, classes, ignore)
    kept = target != ignore
    truth, predicted = target[kept].astype(np.int64), labels[kept].astype(np.int64)
    for name, values in (("target", truth), ("labels", predicted)):
        if values.size and not (values.min() >= 0 and values.max() < classes):
            raise _no_class(name, classes, ignore, np.unique(values[(values < 0) | (values >= classes)]))
    return np.bincount(truth * classes + predicted, minlength=classes * classes).reshape(classes, classes)


def check_labels(labels: Labels, target: Labels) -> None:
    """Refuse what cannot be compared pixel by pixel.

    Raises:
        InputError: if the sizes differ, or the values are no integers.
    """
    if labels.shape != target.shape:
        raise InputError(f"Expected labels and target of one size; got {labels.shape} and {target.shape}.")
    for name, values in (("labels", labels), ("target", target)):
        if not np.issubdtype(values.dtype, np.integer):
            raise InputError(f"Expected {name} as integers; got {values.dtype}. Pass class indices, not scores.")


def _count_bytes(labels: Labels, target: Labels, classes: int, ignore: int) -> Counts:
    """Count all pairs of bytes, then look at those that are no pair of classes: no pass over the pixels to check."""
    truth, predicted = target.reshape(-1), labels.reshape(-1)
    counts = np.zeros(_BYTE * _BYTE, np.int64)
    for start in range(0, truth.size, _CHUNK_PX):
        pairs = truth[start : start + _CHUNK_PX].astype(np.uint16)
        pairs <<= 8
        pairs |= predicted[start : start + _CHUNK_PX]
        counts += np.bincount(pairs, minlength=_BYTE * _BYTE)
    table = counts.reshape(_BYTE, _BYTE)
    if 0 <= ignore < _BYTE:
        table[ignore] = 0
    for name, per_value in (("target", table.sum(1)), ("labels", table.sum(0))):
        if per_value[classes:].any():
            raise _no_class(name, classes, ignore, classes + np.flatnonzero(per_value[classes:]))
    return table[:classes, :classes].copy()


def _no_class(name: str, classes: int, ignore: int, values: Counts) -> InputError:
    shown = ", ".join(map(str, values[:8].tolist())) + (", ..." if len(values) > 8 else "")
    return InputError(
        f"Expected {name} in 0..{classes - 1} or, in the target, {ignore} to ignore; got {shown}. "
        "Check which class list and label order the files use."
    )
