"""Surface normals as colours."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from densezero.errors import OutputError
from densezero.output.picture import encode_flat_png

STRIP_ROWS = 256  # so that no second array of floats of the image's size is made


def normals_to_rgb(normals: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Turn unit vectors into colours: red, green and blue are x, y and z, each from [-1, 1] to [0, 255].

    Args:
        normals: (H, W, 3) x, y and z in [-1, 1].

    Returns:
        (H, W, 3).

    Raises:
        OutputError: another shape, or numbers that are not in [-1, 1].
    """
    if normals.ndim != 3 or normals.shape[2] != 3 or normals.size == 0 or not abs(normals).max() <= 1 + 1e-3:
        raise OutputError(
            f"Expected normals (H, W, 3) in [-1, 1]; got shape {normals.shape}, or other values. Pass unit vectors."
        )
    rgb = np.empty(normals.shape, np.uint8)
    for top in range(0, len(normals), STRIP_ROWS):
        strip = normals[top : top + STRIP_ROWS].clip(-1, 1)
        rgb[top : top + STRIP_ROWS] = np.rint((strip + 1) * 127.5)
    return rgb


def encode_normals_png(normals: NDArray[np.floating]) -> bytes:
    """Encode (H, W, 3) unit vectors as PNG; colours and errors as ``normals_to_rgb``."""
    return encode_flat_png(Image.fromarray(normals_to_rgb(normals)))
