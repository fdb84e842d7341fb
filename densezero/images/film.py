"""Reads the frames of a film, in order, as upright RGB."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from densezero.errors import InputError

_UNKNOWN_RATE = 25.0


@dataclass(frozen=True)
class FilmFacts:
    """The header of a film.

    Args:
        rate: frames per second; 25 if the header has no valid rate.
        frames: number of frames in the header. It may be larger than the number that can be decoded.
    """

    rate: float
    frames: int


def read_film_facts(path: str | Path) -> FilmFacts:
    """Read a film's header.

    Raises:
        InputError: if the file is missing, or OpenCV cannot read it as a film.
    """
    import cv2

    film = _opened(path)
    rate, frames = film.get(cv2.CAP_PROP_FPS), film.get(cv2.CAP_PROP_FRAME_COUNT)
    film.release()
    return FilmFacts(rate if 0 < rate < 1000 else _UNKNOWN_RATE, max(0, int(frames)))


def read_frames(path: str | Path) -> Iterator[NDArray[np.uint8]]:
    """Read a film, one frame in memory at a time.

    Yields:
        (H, W, 3) uint8 RGB.

    Raises:
        InputError: if the file is missing, is not a film, or has no frame that can be decoded.
    """
    import cv2

    film, count = _opened(path), 0
    try:
        while True:
            is_decoded, bgr = film.read()
            if not is_decoded:
                break
            count += 1
            yield np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), np.uint8)
    finally:
        film.release()
    if not count:
        raise InputError(f"{path}: expected a film with at least one frame; none could be decoded.")


def _opened(path: str | Path):  # type: ignore[no-untyped-def]  # cv2 has no types
    import cv2

    if not Path(path).is_file():
        raise InputError(f"{path}: expected a film, but this file does not exist; check the spelling.")
    film = cv2.VideoCapture(str(path))
    if not film.isOpened():
        film.release()
        raise InputError(f"{path}: expected a film that OpenCV can read, but it cannot open this file; convert it.")
    return film
