"""Label maps: PNG files whose pixel value is an index, read as indices and never as colours."""

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
"""Pillow spreads grey of 2 and 4 bits over 0 to 255; this is what it multiplies the indices by."""


def read_label_map(path: str | Path) -> LabelMap:
    """Read the indices of a label PNG: those of a palette, or the levels of 1- to 16-bit grey as they are stored.

    Args:
        path: a palette or grey PNG.

    Returns:
        (H, W) indices, contiguous; uint8 from a file of at most 8 bits, uint16 from one of 16.

    Raises:
        InputError: the file is missing, empty, damaged, cut short, no PNG, or holds colours in place of indices. The
            message names it.
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
        InputError: as ``read_label_map``, except for damage beyond the header.
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
    """Read the header, and refuse what holds no indices."""
    kind = recognise_format(stream.read(SIGNATURE_BYTES))
    if kind is None or kind.name != "PNG":
        came = f"a {kind.name} image" if kind else "no image that is known here"
        raise InputError(
            f"expected a label map as PNG, but the file is {came}, whatever its name says; take the label file as it "
            "was published, since other formats change the indices"
        )
    stream.seek(0)
    with explain_failure("PNG"):
        image = PngImageFile(stream)
    check_pixels(image.width, image.height)
    if image.mode not in ("1", "L", "P", "I", "I;16"):
        raise InputError(
            f"expected class indices (a palette or grey PNG), but this PNG holds colours ({image.mode}): a palette was "
            "expanded when the file was saved, and the indices are gone; take the label file as it was published, or "
            "turn each colour back into its class index and save that as 8-bit grey"
        )
    return image
