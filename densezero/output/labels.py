"""Label maps as PNG files whose pixel value is the class index."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from densezero.errors import InputError, OutputError
from densezero.output.picture import encode_flat_png
from densezero.vocabulary.classes import ClassList

MAX_PALETTE_CLASSES = 254
"""Up to here a label fits a byte beside 255, the ignore value; above, labels are uint16 and 65535 is ignore."""
_INDEX_MODES = {"P", "L", "I;16", "I;16B", "I"}


def ignore_value(n_classes: int) -> int:
    """The label that means "no class": 255 for at most 254 classes, 65535 above.

    Args:
        n_classes: C, the number of classes.

    Returns:
        A value that no class index reaches.
    """
    return 255 if n_classes <= MAX_PALETTE_CLASSES else 65535


def check_labels(labels: NDArray[np.integer], n_classes: int) -> None:
    """Refuse a label map that does not belong to a class list.

    Args:
        labels: (H, W) class indices in 0..C-1, or the ignore value.
        n_classes: C, the number of classes.

    Raises:
        OutputError: not two axes, an empty axis, no unsigned type, or an index without a class.
    """
    if labels.ndim != 2 or labels.size == 0 or labels.dtype.kind != "u":
        raise OutputError(
            f"Expected a label map (H, W) of unsigned integers, got shape {labels.shape} of {labels.dtype}. "
            "Pass the labels of one image as uint8 or uint16."
        )
    ignore = ignore_value(n_classes)
    top = int(labels.max())
    if top == ignore:
        top = int(labels.max(where=labels != ignore, initial=0))
    if top >= n_classes:
        raise OutputError(
            f"Expected labels below {n_classes}, the number of classes, or {ignore} for no class; got {top}. "
            "Pass the class list that the labels were made with."
        )


def encode_labels(labels: NDArray[np.integer], classes: ClassList) -> bytes:
    """Encode a label map as PNG: a palette of the class colours up to 254 classes, 16-bit grey above.

    Args:
        labels: (H, W) class indices, or the ignore value (shown black).
        classes: the C classes with their (C, 3) colours.

    Returns:
        The bytes of the PNG file; ``read_labels`` gives back the same array.

    Raises:
        OutputError: the labels do not belong to the classes.
    """
    check_labels(labels, len(classes))
    if len(classes) > MAX_PALETTE_CLASSES:
        return encode_grey(labels, classes)
    image = _image("P", labels)
    image.putpalette(_palette(labels, classes).tobytes())
    return encode_flat_png(image)


def encode_grey(labels: NDArray[np.integer], classes: ClassList) -> bytes:
    """Encode a label map as grey PNG, for tools that take a palette for colours: 8 bits up to 254 classes, 16 above.

    Args:
        labels: (H, W) class indices, or the ignore value, 255 or 65535.
        classes: the C classes.

    Returns:
        The bytes of the PNG file, whose grey values are the labels.

    Raises:
        OutputError: the labels do not belong to the classes.
    """
    check_labels(labels, len(classes))
    return encode_flat_png(_image("L" if len(classes) <= MAX_PALETTE_CLASSES else "I;16", labels))


def encode_grey_from_1(labels: NDArray[np.integer], classes: ClassList) -> bytes:
    """Encode a label map as grey PNG, for tools in which 0 means no class.

    Args:
        labels: (H, W) class indices, or the ignore value.
        classes: the C classes.

    Returns:
        The bytes of the PNG file: class index plus 1, and 0 for no class. 8 bits up to 254 classes, 16 above.

    Raises:
        OutputError: the labels do not belong to the classes.
    """
    check_labels(labels, len(classes))
    values = np.where(labels < len(classes), labels.astype(np.int32) + 1, 0)  # (H, W)
    return encode_flat_png(_image("L" if len(classes) <= MAX_PALETTE_CLASSES else "I;16", values))


def read_labels(path: Path) -> NDArray[np.uint8] | NDArray[np.uint16]:
    """Read a label map as its indices, never as its colours.

    Args:
        path: a palette or grey PNG, as ``encode_labels`` makes it.

    Returns:
        (H, W) class indices, uint8 from an 8-bit file and uint16 from a 16-bit one.

    Raises:
        InputError: the file is missing, broken, or holds colours in place of indices.
    """
    try:
        with Image.open(path) as image:
            image.load()
            mode, indices = image.mode, np.asarray(image)
    except (OSError, SyntaxError, ValueError) as reason:
        raise InputError(f"Expected a label PNG at {path}, got: {reason}. Write the labels again.") from reason
    if mode not in _INDEX_MODES:
        raise InputError(
            f"Expected class indices (palette or grey) in {path}, got colours (mode {mode}). "
            "Pass the file from the labels folder, not from the overlays."
        )
    return indices.astype(np.uint8) if mode in {"P", "L"} else indices.astype(np.uint16)


def _palette(labels: NDArray[np.integer], classes: ClassList) -> NDArray[np.uint8]:
    """(C, 3) colours, so that few classes take few bits; (256, 3) where the ignore value occurs."""
    colours = np.asarray(classes.colours, dtype=np.uint8)
    if labels.max() < len(classes):
        return colours
    palette = np.zeros((256, 3), dtype=np.uint8)
    palette[: len(colours)] = colours
    return palette


def _image(mode: str, values: NDArray[np.integer]) -> Image.Image:
    """A Pillow image of (H, W) values, of one byte or two."""
    height, width = values.shape
    dtype = "<u2" if mode == "I;16" else np.uint8
    return Image.frombytes(mode, (width, height), np.ascontiguousarray(values, dtype=dtype).tobytes())
