"""Reads the frames of a film, in order, as upright RGB."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from threading import Lock
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from densezero.errors import DenseZeroError, InputError
from densezero.images.find import find_images
from densezero.images.read import read_rgb

_UNKNOWN_RATE = 25.0
_RATE_TOLERANCE = 0.02  # of a rate; beyond it the times of the frames are believed, not the header
_MISSING_S, _MISSING_FRAMES = 0.5, 2  # a header may promise that much more than there is: sound may be longer


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


@dataclass(frozen=True)
class FilmScan:
    """What is known of a film after each of its frames was decoded once.

    Args:
        rate: mean number of frames per second.
        hw: height and width of a frame, pixels.
        seconds: the time of each frame, from the first one on.
        cut_off: a sentence if the film ends long before the end that its header gives; else None.
    """

    rate: float
    hw: tuple[int, int]
    seconds: tuple[float, ...]
    cut_off: str | None


def scan_film(path: str | Path, progress: Callable[[int, int], None] | None = None) -> FilmScan:
    """Count the frames that can be decoded, and read their times. Headers often give wrong numbers.

    Args:
        path: of the film.
        progress: called with the frames counted so far and those in the header.

    Raises:
        InputError: if the file is missing, is not a film, or has no frame that can be decoded.
    """
    import cv2

    facts, film, seconds = read_film_facts(path), _opened(path), []
    try:
        while film.grab():
            seconds.append(film.get(cv2.CAP_PROP_POS_MSEC) / 1000)
            if progress is not None:
                progress(len(seconds), max(facts.frames, len(seconds)))
        hw = int(film.get(cv2.CAP_PROP_FRAME_HEIGHT)), int(film.get(cv2.CAP_PROP_FRAME_WIDTH))
    finally:
        film.release()
    if not seconds:
        raise _no_frame(path)
    rate, times = _timing(seconds, facts.rate)
    missing_s = facts.frames / facts.rate - times[-1] - 1 / rate
    cut_off = None
    if facts.frames - len(seconds) > _MISSING_FRAMES and missing_s > _MISSING_S:
        cut_off = (
            f"{path} ends after frame {len(seconds)} of about {facts.frames}. The rest is missing or damaged, and the "
            "frames up to there are used"
        )
    return FilmScan(rate, hw, times, cut_off)


def _timing(seconds: Sequence[float], header_rate: float) -> tuple[float, tuple[float, ...]]:
    """The mean rate and the time of each frame from the first one on; without rising times by the header's rate."""
    if any(after <= before for before, after in pairwise(seconds)):
        return header_rate, tuple(place / header_rate for place in range(len(seconds)))
    times = tuple(time - seconds[0] for time in seconds)
    mean = (len(times) - 1) / times[-1] if len(times) > 1 else header_rate
    return (header_rate if abs(mean / header_rate - 1) < _RATE_TOLERANCE else mean), times


def read_frames(path: str | Path, numbers: Sequence[int] | None = None) -> Iterator[NDArray[np.uint8]]:
    """Read a film, one frame in memory at a time.

    Args:
        path: of the film.
        numbers: of the frames to give, rising, from 1; None gives all.

    Yields:
        (H, W, 3) uint8 RGB.

    Raises:
        InputError: if the file is missing, is not a film, or has no frame that can be decoded.
    """
    import cv2

    film, count = _opened(path), 0
    wanted = None if numbers is None else iter(numbers)
    following = None if wanted is None else next(wanted, 0)
    try:
        while following != 0 and film.grab():
            count += 1
            if following not in (None, count):
                continue
            is_decoded, bgr = film.retrieve()
            if not is_decoded:
                break
            yield np.asarray(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), np.uint8)
            following = None if wanted is None else next(wanted, 0)
    finally:
        film.release()
    if not count and following != 0:
        raise _no_frame(path)


class FrameReader:
    """Gives frames of a film to several threads. They are decoded in order, each once.

    Args:
        path: of the film.
        numbers: of the frames that will be asked for, rising, from 1.
    """

    def __init__(self, path: Path, numbers: Sequence[int]) -> None:
        self.path = path
        self._frames = zip(numbers, read_frames(path, numbers), strict=False)
        self._ahead: dict[int, NDArray[np.uint8]] = {}  # decoded for threads that have not come yet
        self._lock = Lock()

    def read(self, number: int) -> NDArray[np.uint8]:
        """Read a frame: (H, W, 3) uint8 RGB. Each may be asked for once; raise ``InputError`` if it has gone."""
        with self._lock:
            while number not in self._ahead:
                decoded = next(self._frames, None)
                if decoded is None:
                    raise InputError(f"{self.path}: frame {number} cannot be decoded. Did the film change?")
                self._ahead[decoded[0]] = decoded[1]
            return self._ahead.pop(number)


def _no_frame(path: str | Path) -> InputError:
    return InputError(f"{path}: expected a film with at least one frame; none could be decoded.")


def _opened(path: str | Path):  # type: ignore[no-untyped-def]  # cv2 has no types
    import cv2

    if not Path(path).is_file():
        raise InputError(f"{path}: expected a film, but this file does not exist; check the spelling.")
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # our messages name the film; those of the decoder do not
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
