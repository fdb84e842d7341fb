"""Footage: a film, or a folder of pictures taken as frames; its frames by name, number and time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np
from numpy.typing import NDArray

from densezero.images.film import FrameReader, read_frames, scan_film
from densezero.images.find import FoundImage, find_images
from densezero.images.read import read_rgb


@dataclass(frozen=True, slots=True)
class VideoFrame(FoundImage):
    """A frame. Its ``path`` is that of the film, or of the picture in a folder.

    Attributes:
        number: its place in the footage, from 1.
        seconds: its time after the first frame.
        hw: height and width, pixels; None for a picture in a folder.
    """

    number: int
    seconds: float
    hw: tuple[int, int] | None = None


@dataclass(frozen=True)
class Footage:
    """The frames of a film or of a folder.

    Args:
        path: of the film or the folder.
        name: what results are called after.
        frames: in the order of time.
        rate: mean number of these frames per second.
        cut_off: a sentence if a film ends before the end that its header gives; else None.
    """

    path: Path
    name: str
    frames: tuple[VideoFrame, ...]
    rate: float
    cut_off: str | None = None

    def reader(self, frames: Sequence[VideoFrame]) -> Callable[[VideoFrame], NDArray[np.uint8]]:
        """Make a function that reads one of these frames, (H, W, 3) uint8 RGB, in any thread, each once.

        Args:
            frames: that will be read, in the order of time.
        """
        if self.path.is_dir():
            return lambda frame: read_rgb(frame.path)
        film = FrameReader(self.path, [frame.number for frame in frames])
        return lambda frame: film.read(frame.number)

    def read(self, frames: Sequence[VideoFrame]) -> Iterator[NDArray[np.uint8]]:
        """Read these frames, which are in the order of time, one in memory at a time: (H, W, 3) uint8 RGB each."""
        if self.path.is_dir():
            return (read_rgb(frame.path) for frame in frames)
        return read_frames(self.path, [frame.number for frame in frames])


def open_footage(
    path: Path,
    every: int = 1,
    folder_rate: float = 25.0,
    keep_suffix: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> Footage:
    """Open a film, whose frames are counted by decoding each, or a folder of pictures.

    Frames of a film are called FILM/000001 and so on, and those of a folder as the pictures are.

    Args:
        path: of the film or the folder.
        every: take one frame in this many, beginning with the first. Frames keep their numbers and times.
        folder_rate: pictures a second of a folder.
        keep_suffix: whether a film's name keeps its ending.
        progress: called with the frames counted so far and those in the film's header.

    Raises:
        InputError: if it is neither, or has no frame.
    """
    if path.is_dir():
        found = find_images([path])
        pictures = [
            VideoFrame(image.path, image.relative, number, (number - 1) / folder_rate)
            for number, image in enumerate(found, 1)
        ]
        return Footage(path, path.resolve().name or "frames", tuple(pictures[::every]), folder_rate / every)
    scan, name = scan_film(path, progress), path.name if keep_suffix else path.stem
    frames = [
        VideoFrame(path, PurePosixPath(name, f"{number:06d}"), number, seconds, scan.hw)
        for number, seconds in enumerate(scan.seconds, 1)
    ]
    return Footage(path, name, tuple(frames[::every]), scan.rate / every, scan.cut_off)
