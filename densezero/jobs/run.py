"""The loop over many images: each one's fate in the manifest, none lost to another, and on from where it stopped.

While the model works on an image, one thread reads the next and another writes the files of the one before. A model
on a GPU takes several images together, which are read by several threads.
"""

from __future__ import annotations

import json
import platform
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, Future
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np
import torch

import densezero
from densezero.encoders.device import is_out_of_memory
from densezero.errors import DenseZeroError, DeviceFullError
from densezero.images import FoundImage
from densezero.jobs.manifest import ImageEntry, Manifest
from densezero.jobs.overlap import picture_bytes, read_ahead, readers, try_together
from densezero.jobs.progress import Listener, Progress
from densezero.jobs.thread_pool import start_pool

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Read = TypeVar("Read")
Content = TypeVar("Content")
Result = TypeVar("Result")


@dataclass(frozen=True)
class RunSummary:
    """How a run ended.

    Args:
        out: the output folder or file.
        done: images written.
        failed: images that failed, each named in the manifest.
        skipped: images that an earlier run had written.
        stopped: why the run ended before its last image; None if it did not.
        interrupted: whether the user or the system ended it.
    """

    out: Path
    done: int
    failed: int
    skipped: int
    stopped: str | None = None
    interrupted: bool = False


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


@dataclass(frozen=True)
class Steps(Generic[Read, Content, Result]):
    """How an image is worked on.

    Args:
        read: reads an image, while the model works on the one before.
        work: the model's part.
        write: writes the files, while the model works on the next image.
        held_bytes: held of an image of (H, W) from step to step; large images are worked on alone.
        together: what the model does first, with several images at once: makes of what was read what ``work`` takes.
            They are the same where this is None.
        at_once: as many images at most.
    """

    read: Callable[[FoundImage], Read]
    work: Callable[[FoundImage, Content], Result]
    write: Callable[[FoundImage, Result], Outcome]
    held_bytes: Callable[[tuple[int, int]], int]
    together: Callable[[Sequence[Read]], Sequence[Content]] | None = None
    at_once: int = 1


@dataclass
class _Task:
    """An image on its way: what the last step gave, or why one failed, and the time of its steps."""

    image: FoundImage
    stamp: str
    held: Any = None
    error: str | None = None
    seconds: float = 0.0


class ImageRun:
    """The loop over the images, and its counts.

    Args:
        root: the output folder.
        manifest: of the run.
        listener: hears of every image.
    """

    def __init__(self, root: Path, manifest: Manifest, listener: Listener) -> None:
        self.root, self.manifest, self.listener = root, manifest, listener
        self.done = self.failed = self.skipped = self.total = 0
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
        steps: Steps[Read, Content, Result],
    ) -> RunSummary:
        """Work on every image that waits; a failure is recorded and passed over, a full device ends the run.

        Args:
            images: all of the run.
            files: the files of an image, by its relative path.
            steps: of each image.
        """
        waiting = self.waiting(images, files)
        self.total, self.skipped = len(images), len(images) - len(waiting)
        stopped, interrupted = None, False
        with start_pool("densezero-write", 1) as writer, readers(steps.at_once) as reader:  # what is begun ends
            try:
                self._overlap(waiting, steps, reader, writer)
            except DeviceFullError as error:
                stopped = str(error)
            except KeyboardInterrupt:
                stopped, interrupted = "interrupted; run the same command again to go on", True
        return RunSummary(self.root, self.done, self.failed, self.skipped, stopped, interrupted)

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

    def _overlap(
        self, waiting: Sequence[FoundImage], steps: Steps[Read, Content, Result], reader: Executor, writer: Executor
    ) -> None:
        def read(image: FoundImage) -> _Task:
            return _advance(_Task(image, _stamp(image.path)), lambda image, _: steps.read(image))

        def held_bytes(image: FoundImage) -> int:
            return picture_bytes(image.path, steps.held_bytes)

        writing: Future[ImageEntry] | None = None
        for ahead in read_ahead(waiting, read, held_bytes, reader, steps.at_once):
            for task in _together([reading.result() for reading in ahead.readings], steps.together):
                _advance(task, steps.work)
                self._tell(writing)  # before the next begins, so that at most one is being written
                writing = writer.submit(self._write, task, steps.write)
            if ahead.is_alone:
                self._tell(writing)
                writing = None

    def _write(self, task: _Task, write: Callable[[FoundImage, Any], Outcome]) -> ImageEntry:
        """Write the files of an image and then its entry, in a thread that no interrupt reaches."""
        entry = self._entry(_advance(task, write))
        self.manifest.add(entry)
        self.done += entry.status == "done"
        self.failed += entry.status == "failed"
        return entry

    def _entry(self, task: _Task) -> ImageEntry:
        relative, source = str(task.image.relative), str(task.image.path.absolute())
        if task.error is not None:
            return ImageEntry(relative, "failed", source, task.stamp, error=task.error)
        outcome: Outcome = task.held
        return ImageEntry(
            relative,
            "done",
            source,
            task.stamp,
            outputs=tuple(path.relative_to(self.root).as_posix() for path in outcome.outputs),
            hw=outcome.hw,
            pixels=outcome.pixels,
            seconds=round(task.seconds, 4),
        )

    def _tell(self, writing: Future[ImageEntry] | None) -> None:
        """Wait for an image's files, and tell of it."""
        if writing is not None:
            entry = writing.result()
            self.listener.image(
                Progress(entry.relative, entry.error, self.done, self.failed, self.skipped, self.total, self.seconds)
            )


def _advance(task: _Task, step: Callable[[FoundImage, Any], Any]) -> _Task:
    """Take a step with an image, unless an earlier one failed."""
    if task.error is not None:
        return task
    began = time.perf_counter()
    try:
        task.held = step(task.image, task.held)
    except DeviceFullError:
        raise
    except Exception as error:  # one bad file never ends the run; the manifest names it
        task.held, task.error = None, failure_sentence(error, task.image.path)
    task.seconds += time.perf_counter() - began
    return task


def _together(tasks: Sequence[_Task], step: Callable[[Sequence[Read]], Sequence[Content]] | None) -> Sequence[_Task]:
    """Take a step with several images at once; where that fails, with each alone, so that none is lost to another."""
    whole = [task for task in tasks if task.error is None]
    if step is None or not whole:
        return tasks
    began = time.perf_counter()
    contents = try_together(step, [task.held for task in whole])
    share = (time.perf_counter() - began) / len(whole)
    for index, task in enumerate(whole):
        task.seconds += share
        if contents is None:
            _advance(task, lambda _, content: step([content])[0])
        else:
            task.held = contents[index]
    return tasks


def failure_sentence(error: Exception, path: Path) -> str:
    """Say in a sentence why an image failed, naming it."""
    if isinstance(error, DenseZeroError):
        return str(error) if str(path) in str(error) else f"{path}: {error}"
    if is_out_of_memory(error):
        return f"{path}: not enough memory for an image of this size. Ask for a smaller model input, or --device cpu."
    return f"{path}: {type(error).__name__}: {error}"


def _stamp(path: Path) -> str:
    try:
        stat = path.stat()
    except OSError:
        return "unreadable"
    return f"{stat.st_size}-{stat.st_mtime_ns}"
