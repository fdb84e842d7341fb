"""Any image file that people have, as upright 8-bit RGB, or a sentence that says why not."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from densezero.images.colours import read_orientation, to_rgb, turn_upright
from densezero.images.opening import opened_image


def read_rgb(path: str | Path) -> NDArray[np.uint8]:
    """Read an image file as 8-bit RGB, turned upright as its EXIF block says.

    Reads JPEG, PNG, WebP, TIFF, BMP and GIF by their content, whatever the file is called; of several frames
    or pages the first. Grey of 9 to 16 bits is scaled to 8, transparency is laid over white, CMYK is
    converted without a colour profile. Several threads may read at the same time.

    Args:
        path: the image file.

    Returns:
        (H, W, 3) levels in [0, 255], contiguous.

    Raises:
        InputError: the file is missing, no file, empty, unreadable, no image, damaged, cut short, without pixels,
            of more than ``MAX_PIXELS`` pixels, or of pixels that cannot be shown as RGB. The message names it.
    """
    with opened_image(path) as image:
        image.load()
        return turn_upright(to_rgb(image), read_orientation(image))
