"""Reads an image file of a common format as upright 8-bit RGB."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from densezero.images.colours import read_orientation, rotate_upright, to_rgb
from densezero.images.opening import opened_image


def read_rgb(path: str | Path) -> NDArray[np.uint8]:
    """Read an image file as 8-bit RGB, rotated upright as its EXIF block says.

    The content of the file decides its format (JPEG, PNG, WebP, TIFF, BMP or GIF), not its name. Of several frames or
    pages, the first is read. Grey of 9 to 16 bits is scaled to 8 bits, transparency is blended with white, and CMYK is
    converted without a colour profile. Several threads may read at the same time.

    Args:
        path: the image file.

    Returns:
        (H, W, 3) levels in [0, 255], contiguous.

    Raises:
        InputError: the file is missing, empty, not readable, not an image, damaged or cut short, has no pixels or more
            than ``MAX_PIXELS``, or has pixels that cannot be converted to RGB. The message names it.
    """
    with opened_image(path) as image:
        image.load()
        return rotate_upright(to_rgb(image), read_orientation(image))
