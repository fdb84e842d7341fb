"""Writes a film from frames with OpenCV, atomically."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from densezero.errors import InputError, OutputError
from densezero.images.film import read_film_facts
from densezero.output.atomic import output_error

CODECS: Final = {".mp4": "mp4v", ".mov": "mp4v", ".mkv": "mp4v", ".avi": "MJPG"}


def write_film(path: Path, frames: Iterable[NDArray[np.uint8]], rate: float) -> int:
    """Write frames as a film.

    Args:
        path: ends in one of ``CODECS``.
        frames: (H, W, 3) uint8 RGB; all are drawn at the size of the first, made even.
        rate: frames a second.

    Returns:
        The number of frames written.

    Raises:
        OutputError: for another ending, a film that cannot be written, or no frame.
    """
    codec = CODECS.get(path.suffix.lower())
    if codec is None:
        raise OutputError(f"Expected a film's name to end in one of {', '.join(CODECS)}; got {path.name}.")
    aside = path.parent / f".densezero-{uuid.uuid4().hex}{path.suffix.lower()}"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            count = _write(aside, frames, rate, codec)
            if not count:
                raise OutputError(f"Cannot write {path}: there is no frame to write.")
            _check(path, aside, count)
            aside.replace(path)
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
    writer, hw, count = None, (0, 0), 0
    try:
        for rgb in frames:
            if writer is None:
                hw = (max(2, rgb.shape[0] // 2 * 2), max(2, rgb.shape[1] // 2 * 2))
                writer = cv2.VideoWriter(str(aside), cv2.VideoWriter.fourcc(*codec), rate, hw[::-1])
            if rgb.shape[:2] != hw:
                rgb = np.asarray(cv2.resize(rgb, hw[::-1], interpolation=cv2.INTER_AREA), np.uint8)
            writer.write(cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR))
            count += 1
    finally:
        if writer is not None:
            writer.release()
    return count
