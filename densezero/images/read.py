"""Reads an image file of a common format as upright 8-bit RGB."""

import re
import warnings
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL.Image import Image

from densezero.errors import DenseZeroWarning
from densezero.images.colours import read_orientation, rotate_upright, to_rgb
from densezero.images.opening import opened_content, opened_image

_told: set[str] = set()


def read_rgb(path: str | Path) -> NDArray[np.uint8]:
    """Read an image file as 8-bit RGB, rotated upright as its EXIF block says.

    The content of the file decides its format (JPEG, PNG, WebP, TIFF, BMP, GIF or AVIF, and HEIC with the extra
    ``heic``), not its name. Of several frames or pages, the first is read. Grey of 9 to 16 bits is scaled to 8 bits,
    transparency is blended with white, and CMYK is converted without a colour profile. What may surprise, such as
    12-bit levels in a 16-bit file, is warned of once. Several threads may read at the same time.

    Args:
        path: the image file.

    Returns:
        (H, W, 3) levels in [0, 255], contiguous.

    Raises:
        InputError: the file is missing, empty, not readable, not an image, damaged or cut short, has no pixels or more
            than ``MAX_PIXELS``, or has pixels that cannot be converted to RGB. The message names it.
    """
    with opened_image(path) as image:
        rgb, notes = _convert(image)
    for note in notes:
        _tell_once(note, path)
    return rgb


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
