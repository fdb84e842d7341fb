"""Frames of a film, in order, as upright RGB."""

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
    """What a film says of itself.

    Args:
        rate: frames a second.
        frames: as its header has it; the frames that can be read may be fewer.
    """

    rate: float
    frames: int


def read_film_facts(path: str | Path) -> FilmFacts:
    """Read a film's header.

    Raises:
        InputError: if the file is missing or no film that OpenCV reads.
    """
    import cv2

    film = _opened(path)
    rate, frames = film.get(cv2.CAP_PROP_FPS), film.get(cv2.CAP_PROP_FRAME_COUNT)
    film.release()
    return FilmFacts(rate if 0 < rate < 1000 else _UNKNOWN_RATE, max(0, int(frames)))


def read_frames(path: str | Path) -> Iterator[NDArray[np.uint8]]:
    """Read a film frame by frame.

    Yields:
        (H, W, 3) uint8 RGB, one in memory at a time.

    Raises:
        InputError: if the file is missing, no film, or without a frame.
    """
    import cv2

    film, count = _opened(path), 0
    try:
        while True:
            there, bgr = film.read()
            if not there:
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
        raise InputError(f"{path}: expected a film, but there is no such file; check the spelling.")
    film = cv2.VideoCapture(str(path))
    if not film.isOpened():
        film.release()
        raise InputError(f"{path}: expected a film that OpenCV can read, but it cannot open this file; convert it.")
    return film
