"""Reads the frames of a film, in order, as upright RGB."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from densezero.errors import DenseZeroError, InputError
from densezero.images.find import find_images
from densezero.images.read import read_rgb

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


class Frame(NamedTuple):
    """A frame: its ``name``, and its picture (H, W, 3) or the sentence why there is none."""

    name: str
    rgb: NDArray[np.uint8] | None
    error: str | None = None


@dataclass(frozen=True)
class Frames:
    """The frames of a film file, or of a folder of pictures; gone through as often as needed.

    Args:
        path: of the film or the folder.
        rate: frames a second.
        count: as far as it is known before reading.
    """

    path: Path
    rate: float
    count: int

    def __iter__(self) -> Iterator[Frame]:
        if not self.path.is_dir():
            for place, rgb in enumerate(read_frames(self.path)):
                yield Frame(f"frame {place + 1}", rgb)
            return
        for image in find_images([self.path]):
            try:
                yield Frame(str(image.relative), read_rgb(image.path))
            except DenseZeroError as error:
                yield Frame(str(image.relative), None, str(error))


def open_frames(path: Path, folder_rate: float) -> Frames:
    """Open a film, or a folder of pictures.

    Args:
        path: of the film or the folder.
        folder_rate: frames a second of a folder.

    Raises:
        InputError: if it is neither.
    """
    if path.is_dir():
        return Frames(path, folder_rate, len(find_images([path])))
    facts = read_film_facts(path)
    return Frames(path, facts.rate, facts.frames)
