"""Reads the size of an image from its header, without decoding its pixels."""

from pathlib import Path

from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile

from densezero.images.colours import read_orientation
from densezero.images.opening import opened_image
from densezero.images.rasters import is_raster, opened_raster

_QUARTER_TURNS = (5, 6, 7, 8)  # values of the EXIF tag Orientation that exchange height and width


def read_hw(path: str | Path) -> tuple[int, int]:
    """Read the height and width of the image that ``read_rgb`` returns, from the header alone.

    Args:
        path: the image file.

    Returns:
        (H, W) in pixels of the upright image.

    Raises:
        InputError: the file is missing, empty or not an image, or its header is damaged. The message names it.
    """
    if is_raster(path):
        with opened_raster(path) as raster:
            return raster.hw
    with opened_image(path) as image:
        # Pillow gives the upright size of a TIFF. In a PNG it decodes all pixels to find an EXIF block after them.
        is_rotated_here = isinstance(image, TiffImageFile) or (
            isinstance(image, PngImageFile) and "exif" not in image.info
        )
        if not is_rotated_here and read_orientation(image) in _QUARTER_TURNS:
            return image.width, image.height
        return image.height, image.width


def is_turned(path: str | Path) -> bool:
    """Whether the EXIF entry Orientation turns an image by a quarter, so that height and width change places.

    Args:
        path: the image file.

    Raises:
        InputError: as ``read_hw``.
    """
    with opened_image(path) as image:
        return read_orientation(image) in _QUARTER_TURNS
