"""The size of an image from its header, without decoding it."""

from pathlib import Path

from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile

from densezero.images.colours import read_orientation
from densezero.images.opening import opened_image

_QUARTER_TURNS = (5, 6, 7, 8)  # values of the EXIF tag Orientation that exchange height and width


def read_hw(path: str | Path) -> tuple[int, int]:
    """Read the height and width that ``read_rgb`` will give, from the header alone.

    Args:
        path: the image file.

    Returns:
        (H, W) in pixels of the upright image.

    Raises:
        InputError: the file is missing, empty, no image, or damaged in its header. The message names it.
    """
    with opened_image(path) as image:
        # Pillow turns a TIFF's size by itself, and decodes a whole PNG to look for an EXIF block after the pixels.
        is_turned_here = isinstance(image, TiffImageFile) or (
            isinstance(image, PngImageFile) and "exif" not in image.info
        )
        if not is_turned_here and read_orientation(image) in _QUARTER_TURNS:
            return image.width, image.height
        return image.height, image.width
