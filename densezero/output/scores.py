"""Writes the scores of every class as a compressed NumPy archive."""

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
        The bytes of an ``.npz`` with ``scores`` (C, h, w) float16 and ``classes`` (C,) text.

    Raises:
        OutputError: another shape, or values that half precision cannot hold.
    """
    if scores.ndim != 3 or scores.shape[0] != len(classes) or scores.size == 0:
        raise OutputError(
            f"Expected scores ({len(classes)}, h, w), a plane for each class, got shape {scores.shape}. "
            "Pass the scores and the class list of the same result."
        )
    with np.errstate(over="ignore"):  # told below, in words
        half = scores.astype(np.float16)
    worded = [plane for plane, whole in zip(half, scores, strict=True) if not np.isneginf(whole).all()]
    if not all(np.isfinite(plane).all() for plane in worded):
        raise OutputError(
            "Expected finite scores within ±65504, the range of half precision, got values beyond it or no numbers. "
            "Check the model's output, or leave the scores format away."
        )
    buffer = io.BytesIO()
    np.savez_compressed(buffer, scores=half, classes=np.array(classes.names, dtype=np.str_))
    return buffer.getvalue()
