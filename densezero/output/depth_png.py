"""Depth as a 16-bit grey PNG in millimetres."""

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from densezero.errors import OutputError

MM_PER_M = 1000
FARTHEST_M = 65.535
"""The farthest depth that 16 bits hold in millimetres."""


def check_depth(depth: NDArray[np.floating]) -> None:
    """Refuse what is not a depth map.

    Args:
        depth: (H, W) metres.

    Raises:
        OutputError: not two axes, an empty axis, or depths that are not finite or below 0.
    """
    if depth.ndim != 2 or depth.size == 0 or not (np.isfinite(depth).all() and depth.min() >= 0):
        raise OutputError(
            f"Expected depth (H, W) in metres, finite and not below 0; got shape {depth.shape}, or other values. "
            "Pass the depth of one image."
        )


def encode_depth_png(depth: NDArray[np.floating]) -> bytes:
    """Encode depth as 16-bit grey PNG: grey value / 1000 is the depth in metres, with an error of at most 0.5 mm.

    Args:
        depth: (H, W) metres. Depths above 65.535 m are stored as 65535.

    Returns:
        The bytes of the PNG file.

    Raises:
        OutputError: as ``check_depth``.
    """
    check_depth(depth)
    millimetres = np.rint(depth.clip(max=FARTHEST_M) * MM_PER_M).astype("<u2")
    image = Image.frombytes("I;16", millimetres.shape[::-1], millimetres.tobytes())
    buffer = io.BytesIO()
    image.save(buffer, "PNG", compress_level=3)  # a third of the usual level's time, 9 % larger
    return buffer.getvalue()
