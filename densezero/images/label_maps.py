"""Label maps: PNG files whose pixel values are class indices. They are read as indices, never as colours."""

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


def read_label_map(path: str | Path) -> LabelMap:
    """Read the indices of a label PNG: palette indices, or grey levels of 1 to 16 bits, as they are stored.

    Args:
        path: a palette or grey PNG.

    Returns:
        (H, W) indices, contiguous; uint8 for a file of at most 8 bits, uint16 for 16 bits.

    Raises:
        InputError: the file is missing, empty, damaged, cut short or not a PNG, or it contains colours instead of
            indices. The message names it.
    """
    with opened_file(path) as stream:
        return _read_stream(stream)


def read_label_hw(path: str | Path) -> tuple[int, int]:
    """Read the height and width of a label PNG from its header alone.

    Args:
        path: a palette or grey PNG.

    Returns:
        (H, W) in pixels, each at least 1.

    Raises:
        InputError: as ``read_label_map``, but damage after the header is not noticed.
    """
    with opened_file(path) as stream:
        image = _open_png(stream)
        return image.height, image.width


def _read_stream(stream: BinaryIO) -> LabelMap:
    image = _open_png(stream)
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
    if image.mode not in ("1", "L", "P", "I", "I;16"):
        raise InputError(
            f"expected class indices (a palette or grey PNG), but this PNG holds colours ({image.mode}): when the file "
            "was saved, its palette was replaced by colours; use the label file as it was published, or replace each "
            "colour by its class index and save that as 8-bit grey"
        )
    return image
