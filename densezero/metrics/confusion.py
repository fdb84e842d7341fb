"""Counts the pixels of each true class that have each predicted class."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from densezero.errors import InputError

Labels = NDArray[np.integer[Any]]
Counts = NDArray[np.int64]

_BYTE = 256
_CHUNK_PX = 1 << 17  # the pairs of a chunk fit into the cache of the processor


def count_pairs(labels: Labels, target: Labels, classes: int, ignore: int = 255) -> Counts:
    """Count the pairs of true class and predicted class over the pixels of one image.

    Args:
        labels: (H, W) predicted class indices, each below ``classes``.
        target: (H, W) true class indices; pixels with the value ``ignore`` do not count.
        classes: number of classes C.
        ignore: value of pixels without a class in ``target``.

    Returns:
        (C, C) int64 counts, rows truth, columns prediction. The sum over images is the matrix of all images.

    Raises:
        InputError: if the sizes differ, the values are not integers, or a value is not a class.
    """
    check_labels(labels, target)
    if labels.dtype == target.dtype == np.uint8 and classes < _BYTE:
        return _count_bytes(labels, target, classes, ignore)
    kept = target != ignore
    truth, predicted = target[kept].astype(np.int64), labels[kept].astype(np.int64)
    for name, values in (("target", truth), ("labels", predicted)):
        if values.size and not (values.min() >= 0 and values.max() < classes):
            raise _not_a_class(name, classes, ignore, np.unique(values[(values < 0) | (values >= classes)]))
    return np.bincount(truth * classes + predicted, minlength=classes * classes).reshape(classes, classes)


def check_labels(labels: Labels, target: Labels) -> None:
    """Refuse arrays that cannot be compared pixel by pixel.

    Raises:
        InputError: if the sizes differ, or the values are not integers.
    """
    if labels.shape != target.shape:
        raise InputError(f"Expected labels and target of one size; got {labels.shape} and {target.shape}.")
    for name, values in (("labels", labels), ("target", target)):
        if not np.issubdtype(values.dtype, np.integer):
            raise InputError(f"Expected {name} as integers; got {values.dtype}. Pass class indices, not scores.")


def _count_bytes(labels: Labels, target: Labels, classes: int, ignore: int) -> Counts:
    """Count the pairs of all byte values, and check the counts for values that are not classes.

    Checking 256 x 256 counts is faster than checking every pixel.
    """
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
            raise _not_a_class(name, classes, ignore, classes + np.flatnonzero(per_value[classes:]))
    return table[:classes, :classes].copy()


def _not_a_class(name: str, classes: int, ignore: int, values: Counts) -> InputError:
    shown = ", ".join(map(str, values[:8].tolist())) + (", ..." if len(values) > 8 else "")
    return InputError(
        f"Expected {name} in 0..{classes - 1} or, in the target, {ignore} to ignore; got {shown}. "
        "Check which class list and which order of labels the files use."
    )
