"""Thumbnails of results: one JPEG holds several views of an image beside each other, such as photograph and overlay."""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from densezero.errors import DenseZeroError
from densezero.features.choices import MARK
from densezero.interrupts import Interrupts

BOX_HW: Final = (192, 256)
"""A view fits into this height and width, pixels."""
_MOST_ASPECT: Final = 6
_QUALITY: Final = 82
_ABSENT_GREY: Final = 128
_HEAD_BYTES: Final = 1024
_NOTE: Final = re.compile(MARK.encode() + rb" thumbnail ([0-9a-f]{16}) ([01]+)")


@dataclass(frozen=True)
class Note:
    """What a thumbnail says of itself, in the comment of the JPEG.

    Args:
        key: changes with the files that it was made of.
        views: for each view whether the thumbnail holds it.
    """

    key: str
    views: tuple[bool, ...]


@dataclass(frozen=True)
class Drawn:
    """The bytes of a thumbnail, its views, and why views that were asked for are not in it."""

    jpeg: bytes
    views: tuple[bool, ...]
    errors: tuple[str, ...]


def view_hw(image_hw: tuple[int, int]) -> tuple[int, int]:
    """The size of each view of a thumbnail.

    Args:
        image_hw: height and width of the image.

    Returns:
        Height and width in pixels. One of them is that of ``BOX_HW``. Strips are widened, so that they can be seen.

    Example:
        >>> view_hw((300, 400)), view_hw((2000, 1000)), view_hw((10, 1000))
        ((192, 256), (192, 96), (43, 256))
    """
    height, width = image_hw
    aspect = min(_MOST_ASPECT, max(1 / _MOST_ASPECT, width / height))
    scale = min(BOX_HW[0], BOX_HW[1] / aspect)
    return max(1, round(scale)), max(1, round(scale * aspect))


def make_key(*parts: object) -> str:
    """Make the key of a thumbnail from everything that decides its pixels."""
    return hashlib.sha256(repr((BOX_HW, _QUALITY, parts)).encode("utf-8", "surrogateescape")).hexdigest()[:16]


def draw_thumbnail(
    readers: Sequence[Callable[[tuple[int, int]], NDArray[np.uint8]] | None], hw: tuple[int, int], key: str
) -> Drawn:
    """Draw the views of an image beside each other. A view that is missing is grey.

    Args:
        readers: for each view a function that takes (h, w) and gives its pixels (h, w, 3); None if it is missing.
        hw: height and width of each view.
        key: of the note.
    """
    views = np.full((hw[0], len(readers), hw[1], 3), _ABSENT_GREY, np.uint8)
    there, errors = [False] * len(readers), []
    for place, read in enumerate(readers):
        if read is None:
            continue
        try:
            views[:, place] = read(hw)
            there[place] = True
        except DenseZeroError as error:
            errors.append(str(error))
        except (OSError, MemoryError) as error:
            Interrupts.check()
            errors.append(f"{type(error).__name__}: {error}")
    marks = "".join("1" if is_there else "0" for is_there in there)
    buffer = io.BytesIO()
    strip = Image.fromarray(views.reshape(hw[0], -1, 3))
    strip.save(buffer, "JPEG", quality=_QUALITY, comment=f"{MARK} thumbnail {key} {marks}")
    return Drawn(buffer.getvalue(), tuple(there), tuple(errors))


def read_note(path: Path) -> Note | None:
    """Read the note of a thumbnail; None if there is no such file, or densezero did not write it."""
    try:
        with path.open("rb") as file:
            found = _NOTE.search(file.read(_HEAD_BYTES))
    except OSError:
        return None
    if found is None:
        return None
    return Note(found.group(1).decode(), tuple(mark == ord("1") for mark in found.group(2)))


def colour_labels(labels: NDArray[np.integer], colours: NDArray[np.uint8], hw: tuple[int, int]) -> NDArray[np.uint8]:
    """Shrink a label map to (h, w) by its nearest labels, and colour it; pixels without a class are black.

    Args:
        labels: (H, W) class indices, or the ignore value.
        colours: (C, 3) uint8.
        hw: height and width of the result.

    Returns:
        (h, w, 3) uint8.
    """
    small = cv2.resize(labels, hw[::-1], interpolation=cv2.INTER_NEAREST)  # (h, w)
    palette = np.concatenate([colours, np.zeros((1, 3), np.uint8)])
    return np.asarray(palette[np.minimum(small, len(colours))], np.uint8)
