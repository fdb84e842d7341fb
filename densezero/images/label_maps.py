"""Label maps: PNG files whose pixel values are class indices. They are read as indices, never as colours.

Some tools save a grey label as RGB. If red, green and blue are equal in every pixel, that value is the index.
"""

from pathlib import Path
from typing import BinaryIO, Final

import numpy as np
from numpy.typing import NDArray
from PIL.PngImagePlugin import PngImageFile

from densezero.errors import InputError
from densezero.images.formats import SIGNATURE_BYTES, recognise_format
from densezero.images.opening import check_pixels, explain_failure, opened_file

LabelMap = NDArray[np.uint8] | NDArray[np.uint16]

_GREY_SPREAD: Final = {"L;2": 85, "L;4": 17}
"""Factor by which Pillow multiplies grey of 2 and 4 bits, so that it covers 0 to 255."""
_COLOUR_MODES: Final = ("RGB", "RGBA", "LA")


def read_label_map(path: str | Path) -> LabelMap:
    """Read the indices of a label PNG: palette indices, or grey levels of 1 to 16 bits, as they are stored.

    Args:
        path: a palette or grey PNG, or an 8-bit colour PNG that is grey and opaque in every pixel.

    Returns:
        (H, W) indices, contiguous; uint8 for a file of at most 8 bits, uint16 for 16 bits.

    Raises:
        InputError: the file is missing, empty, damaged, cut short or not a PNG, or it contains colours instead of
            indices. The message names it.
    """
    with opened_file(path) as stream:
        return _read_stream(stream)


def read_label_hw(path: str | Path) -> tuple[int, int]:
    """Read the height and width of a label PNG. Only a colour PNG is decoded, to see whether it is grey.

    Args:
        path: a palette or grey PNG, or an 8-bit colour PNG that is grey and opaque in every pixel.

    Returns:
        (H, W) in pixels, each at least 1.

    Raises:
        InputError: as ``read_label_map``, but damage after the header is not noticed in a palette or grey PNG.
    """
    with opened_file(path) as stream:
        image = _open_png(stream)
        if image.mode in _COLOUR_MODES:
            _read_grey(image)
        return image.height, image.width


def _read_stream(stream: BinaryIO) -> LabelMap:
    image = _open_png(stream)
    if image.mode in _COLOUR_MODES:
        return _read_grey(image)
    packing = str(image.tile[0].args) if image.tile else ""
    with explain_failure("PNG"):
        image.load()
        indices = np.asarray(image)  # (H, W)
    if image.mode.startswith("I"):  # "I;16", and "I" before Pillow 11
        return np.ascontiguousarray(indices, dtype=np.uint16)
    indices = np.array(indices, dtype=np.uint8, order="C")
    return indices // np.uint8(_GREY_SPREAD[packing]) if packing in _GREY_SPREAD else indices


def _open_png(stream: BinaryIO) -> PngImageFile:
    """Read the header, and refuse a file without indices."""
    kind = recognise_format(stream.read(SIGNATURE_BYTES))
    if kind is None or kind.name != "PNG":
        came = f"a {kind.name} image" if kind else "no image of a known format"
        raise InputError(
            f"expected a label map as PNG, but the content of the file is {came}; use the label file as it was "
            "published, because other formats change the indices"
        )
    stream.seek(0)
    with explain_failure("PNG"):
        image = PngImageFile(stream)
    check_pixels(image.width, image.height)
    is_shallow = not (image.tile and ";16" in str(image.tile[0].args))  # of 16 bits a colour, Pillow keeps 8
    if image.mode in ("1", "L", "P", "I", "I;16") or (image.mode in _COLOUR_MODES and is_shallow):
        return image
    raise _holds_colours(image.mode)


def _read_grey(image: PngImageFile) -> NDArray[np.uint8]:
    """Read the indices of a colour PNG that is grey.

    Raises:
        InputError: red, green and blue differ in a pixel, or a pixel is transparent.
    """
    with explain_failure("PNG"):
        image.load()
    bands = [np.asarray(band) for band in image.split()]  # each (H, W) uint8
    if image.mode.endswith("A") and bands.pop().min() < 255:
        raise InputError(
            f"expected class indices (a palette or grey PNG), but this PNG has transparent pixels ({image.mode}); save "
            "it as 8-bit grey without transparency"
        )
    if any((band != bands[0]).any() for band in bands[1:]):
        raise _holds_colours(image.mode)
    return np.array(bands[0], order="C")


def _holds_colours(mode: str) -> InputError:
    return InputError(
        f"expected class indices (a palette or grey PNG), but this PNG holds colours ({mode}): when the file "
        "was saved, its palette was replaced by colours; use the label file as it was published, or replace each "
        "colour by its class index and save that as 8-bit grey"
    )
