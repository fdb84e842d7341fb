"""The picture under its class colours, with a legend."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from densezero.errors import OutputError
from densezero.output.areas import class_pixels
from densezero.output.labels import check_labels
from densezero.output.legend import add_legend, fill_lines, list_entries
from densezero.output.picture import encode_jpeg
from densezero.vocabulary.classes import ClassList

LONGEST_PX = 2048
"""Longer pictures are shrunk to this before drawing."""
_SHORTEST_LONG_PX = 320
_LARGEST_ZOOM = 64
_OPACITY = 0.5
_LINE_OPACITY = 0.85


def draw_overlay(
    rgb: NDArray[np.uint8], labels: NDArray[np.integer], classes: ClassList, lines: Sequence[int] | None = None
) -> NDArray[np.uint8]:
    """Blend the class colours over a picture and set a legend beside or below it.

    A picture longer than 2048 px is shrunk to that, so that an overlay costs little; one shorter than 320 px is
    enlarged by a whole factor, at most 64, so that the legend does not dwarf it. Shares are of the full label map.

    Args:
        rgb: (H, W, 3) the picture.
        labels: (H, W) class indices; pixels of the ignore value keep the picture's colours.
        classes: the classes that the indices belong to.
        lines: of a legend that is the same in all frames of a film, as ``choose_lines`` gives them; None chooses them
            for this picture.

    Returns:
        (H', W', 3) the picture with its legend in a white panel.

    Raises:
        OutputError: the picture and the labels differ in size, or the labels do not belong to the classes.
    """
    check_labels(labels, len(classes))
    if rgb.shape != (*labels.shape, 3) or rgb.dtype != np.uint8:
        raise OutputError(
            f"Expected a uint8 picture of shape {(*labels.shape, 3)} for its labels, got {rgb.shape} of {rgb.dtype}. "
            "Pass the picture that the labels were made from."
        )
    pixels = class_pixels(labels, len(classes))
    entries = list_entries(pixels, classes) if lines is None else fill_lines(lines, pixels, classes)
    height, width = drawn_hw(labels.shape[0], labels.shape[1])
    shrinks = height < labels.shape[0]
    small_rgb = cv2.resize(rgb, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_CUBIC)
    small_labels = cv2.resize(labels, (width, height), interpolation=cv2.INTER_NEAREST)
    return add_legend(_blend(np.asarray(small_rgb, np.uint8), np.asarray(small_labels, labels.dtype), classes), entries)


def encode_overlay(rgb: NDArray[np.uint8], labels: NDArray[np.integer], classes: ClassList) -> bytes:
    """Draw an overlay and encode it as JPEG, with the colours at full resolution.

    Args:
        rgb: (H, W, 3) the picture.
        labels: (H, W) class indices.
        classes: the classes that the indices belong to.

    Returns:
        The bytes of the JPEG file.

    Raises:
        OutputError: as ``draw_overlay``.
    """
    return encode_jpeg(draw_overlay(rgb, labels, classes))


def overlay_image(rgb: NDArray[np.uint8], labels: NDArray[np.integer], classes: ClassList) -> Image.Image:
    """Draw an overlay as a Pillow image; arguments and errors as ``draw_overlay``."""
    return Image.fromarray(draw_overlay(rgb, labels, classes))


def drawn_hw(height: int, width: int) -> tuple[int, int]:
    """The size at which a picture is drawn.

    Args:
        height: H of the picture.
        width: W of the picture.

    Returns:
        Height and width in pixels, each at least 1 and at most 2048.
    """
    longest = max(height, width)
    if longest > LONGEST_PX:
        return max(1, round(height * LONGEST_PX / longest)), max(1, round(width * LONGEST_PX / longest))
    zoom = min(_LARGEST_ZOOM, -(-_SHORTEST_LONG_PX // longest))
    return height * zoom, width * zoom


def _blend(rgb: NDArray[np.uint8], labels: NDArray[np.integer], classes: ClassList) -> NDArray[np.uint8]:
    """Colours over the picture at half opacity, and a thin, fuller line along the borders of regions."""
    # clipped: the ignore value takes some colour here, and the picture's own below
    paint = np.asarray(classes.colours, dtype=np.uint8).take(labels, axis=0, mode="clip")
    blended = cv2.addWeighted(paint, _OPACITY, rgb, 1 - _OPACITY, 0)
    line = cv2.addWeighted(paint, _LINE_OPACITY, rgb, 1 - _LINE_OPACITY, 0)
    blended = cv2.copyTo(line, _borders(labels).view(np.uint8), blended)
    unknown = labels >= len(classes)
    return np.asarray(cv2.copyTo(rgb, unknown.view(np.uint8), blended) if unknown.any() else blended)


def _borders(labels: NDArray[np.integer]) -> NDArray[np.bool_]:
    """(H, W) true where a neighbour to the right or below, or to the left or above, has another label."""
    border = np.zeros(labels.shape, dtype=np.bool_)
    across = labels[:, 1:] != labels[:, :-1]
    down = labels[1:] != labels[:-1]
    border[:, 1:] |= across
    border[:, :-1] |= across
    border[1:] |= down
    border[:-1] |= down
    return border
