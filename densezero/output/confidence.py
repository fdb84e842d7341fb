"""Writes how sure the label of each pixel is, as a grey PNG."""

import numpy as np
from numpy.typing import NDArray

from densezero.errors import OutputError
from densezero.output.picture import encode_png

_MOST = 1.001  # a mean of probabilities is above 1 by an error of rounding


def encode_confidence(confidence: NDArray[np.floating]) -> bytes:
    """Encode the confidence of every pixel as an 8-bit grey PNG: 0 is a confidence of 0, and 255 is 1.

    Args:
        confidence: (H, W) in 0 to 1, the highest probability of each pixel.

    Returns:
        The bytes of the PNG file. Grey value / 255 is the confidence, with an error of at most 0.002.

    Raises:
        OutputError: another shape, or a value outside 0 to 1.
    """
    if confidence.ndim != 2 or confidence.size == 0 or not (confidence.min() >= 0 and confidence.max() <= _MOST):
        raise OutputError(
            f"Expected the confidence of every pixel, (H, W) in 0 to 1; got shape {confidence.shape}, or other values. "
            "Leave the confidence format away."
        )
    return encode_png(np.rint(confidence.clip(0, 1) * 255).astype(np.uint8))
