"""The loop over many images: each one's fate in the manifest, none lost to another, and on from where it stopped."""

from __future__ import annotations

import json
import platform
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

import densezero
from densezero.errors import DenseZeroError, DeviceFullError
from densezero.images import FoundImage
from densezero.jobs.manifest import ImageEntry, Manifest
from densezero.jobs.progress import Listener, Progress

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


@dataclass(frozen=True)
class RunSummary:
    """How a run ended.

    Args:
        out: the output folder or file.
        done: images written.
        failed: images that failed, each named in the manifest.
        skipped: images that an earlier run had written.
        stopped: why the run ended before its last image; None if it did not.
    """

    out: Path
    done: int
    failed: int
    skipped: int
    stopped: str | None = None


@dataclass(frozen=True)
class Outcome:
    """What came of one image.

    Args:
        outputs: the files written.
        hw: height and width of the image, pixels.
        pixels: pixels of each class that occurs, by class index; None where there are no classes.
    """

    outputs: tuple[Path, ...]
    hw: tuple[int, int]
    pixels: dict[int, int] | None = None


class ImageRun:
    """The loop over the images, and its counts.

    Args:
        root: the output folder.
        manifest: of the run.
        listener: hears of every image.
    """

    def __init__(self, root: Path, manifest: Manifest, listener: Listener) -> None:
        self.root, self.manifest, self.listener = root, manifest, listener
        self.done = self.failed = self.skipped = 0
        self.started = time.perf_counter()

    @property
    def seconds(self) -> float:
        """Time since the run began."""
        return time.perf_counter() - self.started

    def waiting(self, images: Sequence[FoundImage], files: Callable[[str], list[Path]]) -> list[FoundImage]:
        """The images that no earlier run has done."""
        return [image for image in images if not self._is_done(image, files)]

    def over(
        self,
        images: Sequence[FoundImage],
        files: Callable[[str], list[Path]],
        work: Callable[[FoundImage], Outcome],
    ) -> RunSummary:
        """Work on every image that waits; a failure is recorded and passed over, a full device ends the run.

        Args:
            images: all of the run.
            files: the files of an image, by its relative path.
            work: reads one image and writes its files.
        """
        waiting = self.waiting(images, files)
        self.skipped = len(images) - len(waiting)
        stopped = None
        for image in waiting:
            try:
                entry = self._one(image, work)
                self.manifest.add(entry)
            except DeviceFullError as error:
                stopped = str(error)
                break
            except KeyboardInterrupt:
                stopped = "interrupted; run the same command again to go on"
                break
            self.done += entry.status == "done"
            self.failed += entry.status == "failed"
            self.listener.image(
                Progress(entry.relative, entry.error, self.done, self.failed, self.skipped, len(images), self.seconds)
            )
        return RunSummary(self.root, self.done, self.failed, self.skipped, stopped)

    def finish(
        self,
        summary: RunSummary,
        settings: DataclassInstance,
        device: str,
        write_rest: Callable[[], None] = lambda: None,
    ) -> None:
        """Write the files of the whole run, the manifest last.

        Args:
            summary: how the run ended.
            settings: what was asked for.
            device: that computed.
            write_rest: writes what else belongs to the whole run.

        Raises:
            DeviceFullError: if there is no space for them, unless the summary says so already.
        """
        about = {
            "densezero": densezero.__version__,
            "versions": {"python": platform.python_version(), "torch": torch.__version__, "numpy": np.__version__},
            "settings": json.loads(json.dumps(asdict(settings), default=str)),
            "device": device,
            "finished": datetime.now(UTC).isoformat(timespec="seconds"),
            "seconds": round(self.seconds, 3),
            "done": summary.done,
            "failed": summary.failed,
            "skipped": summary.skipped,
            "stopped": summary.stopped,
        }
        try:
            write_rest()
            self.manifest.finish(about)
        except DeviceFullError:
            if summary.stopped is None:
                raise  # otherwise the summary says so already, and the journal holds the entries

    def _is_done(self, image: FoundImage, files: Callable[[str], list[Path]]) -> bool:
        relative = str(image.relative)
        return self.manifest.is_done(relative, _stamp(image.path), files(relative))

    def _one(self, image: FoundImage, work: Callable[[FoundImage], Outcome]) -> ImageEntry:
        relative, stamp, began = str(image.relative), _stamp(image.path), time.perf_counter()
        try:
            outcome = work(image)
        except DeviceFullError:
            raise
        except Exception as error:  # one bad file never ends the run; the manifest names it
            return ImageEntry(relative, "failed", str(image.path), stamp, error=failure_sentence(error, image.path))
        return ImageEntry(
            relative,
            "done",
            str(image.path),
            stamp,
            outputs=tuple(path.relative_to(self.root).as_posix() for path in outcome.outputs),
            hw=outcome.hw,
            pixels=outcome.pixels,
            seconds=round(time.perf_counter() - began, 4),
        )


def failure_sentence(error: Exception, path: Path) -> str:
    """Say in a sentence why an image failed, naming it."""
    if isinstance(error, DenseZeroError):
        return str(error) if str(path) in str(error) else f"{path}: {error}"
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return f"{path}: not enough memory for an image of this size. Ask for a smaller model input, or --device cpu."
    return f"{path}: {type(error).__name__}: {error}"


def _stamp(path: Path) -> str:
    try:
        stat = path.stat()
    except OSError:
        return "unreadable"
    return f"{stat.st_size}-{stat.st_mtime_ns}"
