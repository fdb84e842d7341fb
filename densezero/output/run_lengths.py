"""Runs of equal labels down the columns, as COCO counts pixels."""

import numpy as np
from numpy.typing import NDArray

_DIGIT_BITS = 5
_MOST_DIGITS = 8  # 40 bits hold the pixels of any image


def column_runs(labels: NDArray[np.integer]) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.integer]]:
    """Find the runs of equal labels, down the columns.

    Args:
        labels: (H, W) of any integers, with one pixel or more.

    Returns:
        (N,) starts, ends (exclusive) and labels of the runs, in the order of their pixels.
    """
    flat = labels.T.ravel()
    inner = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    starts = np.concatenate([[0], inner])
    return starts, np.append(inner, flat.size), flat[starts]


def decode_counts(text: str | bytes) -> NDArray[np.int64]:
    """Decode compressed run lengths.

    A count has digits of 5 bits, the lowest first. From the fourth count on, it is the difference to the count two
    before it.

    Raises:
        ValueError: if the text is not that.
    """
    digits = np.frombuffer(text.encode("ascii") if isinstance(text, str) else text, np.uint8).astype(np.int64) - 48
    is_last = digits & 32 == 0
    if not digits.size or digits.min() < 0 or digits.max() > 63 or not is_last[-1]:
        raise ValueError("these are no compressed run lengths")
    first = np.flatnonzero(np.append(True, is_last[:-1]))
    length = np.diff(np.append(first, digits.size))
    if length.max() > _MOST_DIGITS:
        raise ValueError("a run length is too large")
    place = np.arange(digits.size) - np.repeat(first, length)
    counts = np.add.reduceat((digits & 31) << (_DIGIT_BITS * place), first)
    counts -= (digits[is_last] >> 4 & 1) << (_DIGIT_BITS * length)  # the sign
    counts[1::2] = counts[1::2].cumsum()
    counts[2::2] = counts[2::2].cumsum()
    return counts
