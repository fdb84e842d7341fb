"""Writes the scores of every class as a NumPy archive. It is not compressed, which would take seconds for an image."""

import io

import numpy as np
from numpy.typing import NDArray

from densezero.errors import OutputError
from densezero.vocabulary.classes import ClassList


def encode_scores(scores: NDArray[np.floating], classes: ClassList) -> bytes:
    """Encode the scores of all classes in half precision; reading needs no pickle.

    Args:
        scores: (C, h, w) scores, at the size that the protocol defines before its last resize. All of minus infinity
            for a class without words, which a threshold alone finds.
        classes: the C classes.

    Returns:
        The bytes of an ``.npz``, not compressed, with ``scores`` (C, h, w) float16 and ``classes`` (C,) text.

    Raises:
        OutputError: another shape, or values that half precision cannot hold.
    """
    if scores.ndim != 3 or scores.shape[0] != len(classes) or scores.size == 0:
        raise OutputError(
            f"Expected scores ({len(classes)}, h, w), a plane for each class, got shape {scores.shape}. "
            "Pass the scores and the class list of the same result."
        )
    lowest, highest = scores.min(axis=(1, 2)), scores.max(axis=(1, 2))  # (C,); not a number where a plane has one
    has_words = ~np.isneginf(highest)
    with np.errstate(over="ignore"):  # told below, in words
        half, ends = scores.astype(np.float16), np.stack([lowest, highest]).astype(np.float16)
    if not np.isfinite(ends[:, has_words]).all():
        raise OutputError(
            "Expected finite scores within ±65504, the range of half precision, got values beyond it or no numbers. "
            "Check the model's output, or leave the scores format away."
        )
    buffer = io.BytesIO()
    np.savez(buffer, scores=half, classes=np.array(classes.names, dtype=np.str_))
    return buffer.getvalue()
