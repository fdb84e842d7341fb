"""The size of an image from its header, without decoding it."""

from pathlib import Path
from typing import BinaryIO

from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile

from densezero.errors import InputError
from densezero.images.colours import read_orientation
from densezero.images.formats import FORMAT_NAMES, SIGNATURE_BYTES, recognise_format
from densezero.images.read import _HEADER_READERS, _check_pixels, _explain_failure, _hold_pillow, _open_file

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
    path = Path(path)
    try:
        with _open_file(path) as stream, _hold_pillow():
            return _read_header(stream)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def _read_header(stream: BinaryIO) -> tuple[int, int]:
    kind = recognise_format(stream.read(SIGNATURE_BYTES))
    if kind is None:
        raise InputError(
            f"expected an image ({FORMAT_NAMES}), but the file begins like none of these, whatever its name says; "
            "convert it to PNG or JPEG, or leave it out"
        )
    stream.seek(0)
    with _explain_failure(kind.name):
        image = _HEADER_READERS[kind.name](stream)
        _check_pixels(image.width, image.height)
        # Pillow turns a TIFF's size by itself, and decodes a whole PNG to look for an EXIF block after the pixels.
        is_turned_here = isinstance(image, TiffImageFile) or (
            isinstance(image, PngImageFile) and "exif" not in image.info
        )
        if not is_turned_here and read_orientation(image) in _QUARTER_TURNS:
            return image.width, image.height
        return image.height, image.width
