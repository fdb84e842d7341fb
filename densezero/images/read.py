"""Reads an image file of a common format as upright 8-bit RGB."""

import re
import warnings
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL.Image import Image

from densezero.errors import DenseZeroWarning
from densezero.images.colours import read_orientation, rotate_upright, to_rgb
from densezero.images.opening import check_pixels, opened_content, opened_image
from densezero.images.rasters import BandChoice, Pixels, is_raster, opened_raster

_told: set[str] = set()


def read_rgb(path: str | Path) -> NDArray[np.uint8]:
    """Read an image file as 8-bit RGB, rotated upright as its EXIF block says.

    The content of the file decides its format (JPEG, PNG, WebP, TIFF, BMP, GIF or AVIF, and HEIC with the extra
    ``heic``), not its name. Of several frames or pages, the first is read. Grey of 9 to 16 bits is scaled to 8 bits,
    transparency is blended with white, and CMYK is converted without a colour profile. What may surprise, such as
    12-bit levels in a 16-bit file, is warned of once. Several threads may read at the same time. A GeoTIFF is read by
    ``read_pixels``.

    Args:
        path: the image file.

    Returns:
        (H, W, 3) levels in [0, 255], contiguous.

    Raises:
        InputError: the file is missing, empty, not readable, not an image, damaged or cut short, has no pixels or more
            than ``MAX_PIXELS``, or has pixels that cannot be converted to RGB. The message names it.
    """
    return read_pixels(path).rgb


def read_pixels(path: str | Path, choice: BandChoice | None = None) -> Pixels:
    """Read an image file as ``read_rgb`` does; a TIFF with a georeference or chosen bands is read by rasterio.

    Such a TIFF may have any number of bands, of any type. ``BandChoice`` says which become red, green and blue, and by
    which range. Its EXIF block does not turn it, because that would move it on the map.

    Args:
        path: the image file.
        choice: bands and range of a TIFF.

    Returns:
        (H, W, 3) levels in [0, 255], and where there is data.

    Raises:
        InputError: as ``read_rgb``; or if the file lacks a band; or if bands are chosen and rasterio is not installed.
    """
    if is_raster(path, choice):
        with opened_raster(path, choice) as raster:
            check_pixels(raster.hw[1], raster.hw[0])
            return raster.read(0, raster.hw[0])
    with opened_image(path) as image:
        rgb, notes = _convert(image)
    for note in notes:
        _tell_once(note, path)
    return Pixels(rgb, None)


def decode_rgb(content: bytes, name: str) -> NDArray[np.uint8]:
    """Decode the bytes of an image file, such as a member of an archive, by the rules of ``read_rgb``.

    Args:
        content: the whole file.
        name: what messages call it.

    Returns:
        (H, W, 3) levels in [0, 255], contiguous.

    Raises:
        InputError: the bytes are not a usable image. The message begins with ``name``.
    """
    with opened_content(content, name) as image:
        rgb, notes = _convert(image)
    for note in notes:
        _tell_once(note, name)
    return rgb


def _convert(image: Image) -> tuple[NDArray[np.uint8], list[str]]:
    """Decode the pixels. Return them, and what may surprise about them."""
    notes: list[str] = []
    image.load()
    return rotate_upright(to_rgb(image, notes.append), read_orientation(image)), notes


def _tell_once(note: str, path: str | Path) -> None:
    """Warn of the first picture of a kind; a folder often has thousands of them."""
    kind = re.sub(r"[0-9,]+", "", note)
    if kind not in _told:
        _told.add(kind)
        warnings.warn(f"{path} {note} (said of the first such picture only)", DenseZeroWarning, stacklevel=3)
