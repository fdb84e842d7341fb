"""Writes a film from frames with OpenCV, atomically."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from densezero.atomic import aside_of, output_error, replace_durably
from densezero.errors import InputError, OutputError
from densezero.images.film import read_film_facts

CODECS: Final = {".mp4": "mp4v", ".mov": "mp4v", ".mkv": "mp4v", ".avi": "MJPG"}


def write_film(path: Path, frames: Iterable[NDArray[np.uint8]], rate: float) -> int:
    """Write frames as a film.

    Args:
        path: ends in one of ``CODECS``.
        frames: (H, W, 3) uint8 RGB. The first decides the size of the film, less an odd last row or column. Frames of
            another size are scaled to fit into it, and keep their ratio: the rest is black.
        rate: frames a second.

    Returns:
        The number of frames written.

    Raises:
        OutputError: for another ending, a film that cannot be written, or no frame.
    """
    codec = CODECS.get(path.suffix.lower())
    if codec is None:
        raise OutputError(f"Expected a film's name to end in one of {', '.join(CODECS)}; got {path.name}.")
    aside = aside_of(path, path.suffix.lower())  # OpenCV needs the ending
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            count = _write(aside, frames, rate, codec)
            if not count:
                raise OutputError(f"Cannot write {path}: there is no frame to write.")
            _check(path, aside, count)
            replace_durably(aside, path)
        finally:
            aside.unlink(missing_ok=True)
    except OSError as reason:
        raise output_error(path, reason) from reason
    return count


def _check(path: Path, aside: Path, count: int) -> None:
    """OpenCV says nothing when a folder is not writable or a device is full: see whether the frames are there."""
    try:
        frames = read_film_facts(aside).frames
    except InputError:
        frames = 0
    if frames != count:
        raise OutputError(
            f"Cannot write {path}: {frames} of {count} frames are in the file. Is the folder writable, and space left?"
        )


def _write(aside: Path, frames: Iterable[NDArray[np.uint8]], rate: float, codec: str) -> int:
    writer, hw, first_hw, count = None, (0, 0), (0, 0), 0
    try:
        for rgb in frames:
            if writer is None:
                hw = (max(2, rgb.shape[0] // 2 * 2), max(2, rgb.shape[1] // 2 * 2))
                first_hw = rgb.shape[:2]
                writer = cv2.VideoWriter(str(aside), cv2.VideoWriter.fourcc(*codec), rate, hw[::-1])
            fitted = rgb[: hw[0], : hw[1]] if rgb.shape[:2] == first_hw else rgb
            writer.write(cv2.cvtColor(letterbox(fitted, hw), cv2.COLOR_RGB2BGR))
            count += 1
    finally:
        if writer is not None:
            writer.release()
    return count


def letterbox(rgb: NDArray[np.uint8], hw: tuple[int, int]) -> NDArray[np.uint8]:
    """Scale a picture to fit into a size, centred on black, without changing its ratio.

    Args:
        rgb: (h, w, 3) uint8.
        hw: (H, W) of the result, pixels.

    Returns:
        (H, W, 3) uint8; the picture itself if it has that size.
    """
    if rgb.shape[:2] == hw:
        return np.ascontiguousarray(rgb)
    scale = min(hw[0] / rgb.shape[0], hw[1] / rgb.shape[1])
    height, width = (max(1, min(most, round(side * scale))) for side, most in zip(rgb.shape[:2], hw, strict=True))
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    top, left = (hw[0] - height) // 2, (hw[1] - width) // 2
    boxed = np.zeros((*hw, 3), np.uint8)
    boxed[top : top + height, left : left + width] = cv2.resize(rgb, (width, height), interpolation=way)
    return boxed
