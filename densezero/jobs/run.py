"""The loop over many images. The manifest records each image; a bad image stops no other; a stopped run can go on.

While the model works on an image, one thread reads the next and another writes the files of the one before. A model
on a GPU takes several images together, which are read by several threads.
"""

from __future__ import annotations

import json
import platform
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np
import torch

import densezero
from densezero.atomic import remove_leftovers
from densezero.encoders.device import is_out_of_memory
from densezero.errors import DenseZeroError, DeviceFullError
from densezero.images import FoundImage
from densezero.images.file_state import sha256_of, stamp_of
from densezero.images.read_ahead import picture_bytes, read_ahead, readers, try_together
from densezero.images.thread_pool import start_pool
from densezero.interrupts import GO_ON, Interrupts
from densezero.jobs.manifest import BEGUN, DONE, FAILED, JOURNAL, MANIFEST, ImageEntry, Manifest
from densezero.jobs.places import OutputFolder
from densezero.jobs.resume import Plan, look_back
from densezero.jobs.settings import FolderSettings
from densezero.progress import Listener, Progress

Image = TypeVar("Image", bound=FoundImage, contravariant=True)
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
        files: names of files of the whole run that were written.
        dry_run: whether nothing was written, and ``done`` says how many images would be.
    """

    out: Path
    done: int
    failed: int
    skipped: int
    stopped: str | None = None
    interrupted: bool = False
    files: tuple[str, ...] = ()
    dry_run: bool = False


@dataclass(frozen=True)
class Outcome:
    """What is known of an image when its files are written.

    Args:
        hw: height and width of the image, pixels.
        pixels: pixels of each class that occurs, by class index; None where there are no classes.
        pieces: what the files of the whole run need of it, as JSON has it; None if they need nothing.
        confidence: mean over the pixels of the highest probability, 0 to 1; None if it was not computed.
    """

    hw: tuple[int, int]
    pixels: dict[int, int] | None = None
    pieces: list[Any] | None = None
    confidence: float | None = None


class ImageJob(Protocol[Image, Read, Content, Result]):
    """What a run does with each image: ``files``, ``read``, ``together``, ``work``, ``write``, in this order.

    Attributes:
        unit: what the progress counts.
        at_once: the most images that go through ``together``.
        run_files: names of the files of the whole run.
        needs_pieces: whether these need pieces of every image.
        is_current: whether those that are there are as they are asked for now.
    """

    unit: str = "images"
    at_once: int = 1
    run_files: Sequence[str] = ()
    needs_pieces: bool = False
    is_current: bool = True

    def files(self, image: Image) -> Sequence[str]:
        """Names of the files of an image, below the output folder."""
        ...

    def prepare(self, waiting: Sequence[FoundImage]) -> None:  # noqa: ARG002
        """Do what comes before the first image; ``waiting`` may be empty."""
        return

    def read(self, image: Image) -> Read:
        """Read an image, in another thread, while the model works on the one before."""
        ...

    def together(self, images: Sequence[Read]) -> Sequence[Content]:
        """Do the model's part that is faster with several images at once."""
        return images  # type: ignore[return-value]  # a job that leaves it out has Read and Content alike

    def work(self, content: Content) -> Result:
        """Do the rest of the model's part."""
        ...

    def write(self, image: Image, result: Result) -> Outcome:
        """Write the files, in another thread, while the model works on the next image."""
        ...

    def held_bytes(self, hw: tuple[int, int]) -> int:
        """Estimate the memory that an image of (H, W) takes between the steps. Large images are worked on alone."""
        ...

    def image_bytes(self, image: Image) -> int:
        """Estimate the same for an image that has not been read."""
        return picture_bytes(image.path, self.held_bytes)

    def widen(self, waiting: set[str]) -> set[str]:
        """Add the names of images that must be done again because of those that wait."""
        return waiting

    def recall(self) -> Iterator[tuple[str, list[Any]]]:
        """Read the pieces of earlier images from the files of the whole run, in the order of its manifest."""
        return iter(())

    def finish(self, manifest: Manifest) -> None:  # noqa: ARG002
        """Write the files of the whole run, when every image has ended."""
        return


@dataclass
class _Task:
    """An image on its way: what the last step gave, or why one failed, and the time of its steps."""

    image: FoundImage
    stamp: str
    sha256: str = ""
    held: Any = None
    error: str | None = None
    seconds: float = 0.0

    def advance(self, step: Callable[[Any], Any]) -> None:
        """Give what is held to the next step, unless an earlier one failed; note its time, and why it failed."""
        if self.error is not None:
            return
        began = time.perf_counter()
        try:
            self.held = step(self.held)
        except DeviceFullError:
            raise
        except Exception as error:
            self.held, self.error = None, failure_sentence(error, self.image.path)
        self.seconds += time.perf_counter() - began


class ImageRun:
    """The loop over the images, and its counts.

    Args:
        folder: the output folder.
        request: what decides the results.
        job: what is done with each image.
        listener: hears of every image.
    """

    def __init__(
        self, folder: OutputFolder, request: dict[str, Any], job: ImageJob[Any, Any, Any, Any], listener: Listener
    ) -> None:
        self.folder, self.job, self.listener = folder, job, listener
        self.manifest = Manifest(folder, request)
        self.done = self.failed = self.skipped = self.total = 0
        self.began = time.perf_counter()

    def over(self, images: Sequence[FoundImage], settings: FolderSettings, about: dict[str, Any]) -> RunSummary:
        """Work on every image that waits; a failure is recorded and passed over, a full device ends the run.

        Args:
            images: all of the run.
            settings: what was asked for.
            about: what else ``run.json`` says of the run.

        Raises:
            OutputError: if the folder holds what would be destroyed or misreported, or cannot be written.
        """
        by_name = {str(image.relative): image for image in images}
        plan = Plan(
            self.folder, self.manifest.request, by_name,
            {name: tuple(self.job.files(image)) for name, image in by_name.items()}, self.job.run_files,
            look_back(self.folder, settings.overwrite), settings.overwrite, self.job.needs_pieces,
        )  # fmt: skip
        plan.make(self.listener)
        plan.waiting = self.job.widen(plan.waiting)
        is_idle = not plan.waiting and plan.earlier.is_finished(self.folder, self.job.run_files) and self.job.is_current
        if not is_idle and not settings.dry_run:
            self._open(plan)
        self.total, self.skipped = len(images), len(images) - len(plan.waiting)
        if settings.dry_run:
            return RunSummary(self.folder.root, len(plan.waiting), 0, self.skipped, dry_run=True)
        waiting = [image for name, image in by_name.items() if name in plan.waiting]
        self.job.prepare(waiting)
        if is_idle:
            return RunSummary(self.folder.root, 0, 0, self.skipped)
        stopped, interrupted = self._work(waiting)
        if stopped is None:
            stopped = self._finish(settings, about)
        written = () if stopped is not None else tuple(self.job.run_files)
        return RunSummary(self.folder.root, self.done, self.failed, self.skipped, stopped, interrupted, written)

    def _open(self, plan: Plan) -> None:
        """Begin the journal. What is to be done again no longer counts as done."""
        entries, run_files = plan.earlier.entries, {*self.job.run_files, MANIFEST}
        remove_leftovers(map(self.folder.path, (*chain(*plan.files.values()), *run_files, JOURNAL)))
        again = [name for name in entries if plan.overwrite and name in plan.images]
        keeps = any(entry.status == DONE for name, entry in entries.items() if name not in again)
        self.manifest.start(plan.earlier, self.job.run_files, self.job.recall() if keeps else ())
        self.manifest.forget(sorted(plan.replaced))
        for name in again:
            self.manifest.add(replace(entries[name], status=BEGUN))
        if not keeps:  # these files describe results that are gone
            self._remove(run_files.union(plan.earlier.files))
        plan.waiting.update(name for name in plan.images if name in entries and entries[name].status == BEGUN)

    def _work(self, waiting: Sequence[FoundImage]) -> tuple[str | None, bool]:
        """Work on the images. Return why that ended before the last one, and whether it was interrupted."""
        with start_pool("densezero-write", 1) as writer, readers(self.job.at_once) as reader:  # what is begun ends
            try:
                self._overlap(waiting, reader, writer)
            except DeviceFullError as error:
                return str(error), False
            except KeyboardInterrupt:
                return GO_ON, True
        return None, False

    def _finish(self, settings: FolderSettings, about: dict[str, Any]) -> str | None:
        """Write the files of the whole run, the manifest last. Return why that failed if the device is full."""
        values = {
            "densezero": densezero.__version__,
            "versions": {"python": platform.python_version(), "torch": torch.__version__, "numpy": np.__version__},
            "settings": json.loads(json.dumps(asdict(settings), default=str)),
            **about,
            "finished": datetime.now(UTC).isoformat(timespec="seconds"),
            "seconds": round(time.perf_counter() - self.began, 3),
            "done": self.done,
            "failed": self.failed,
            "skipped": self.skipped,
        }
        try:
            self.job.finish(self.manifest)
            self.manifest.finish(values)
        except DeviceFullError as error:
            return str(error)
        return None

    def _overlap(self, waiting: Sequence[FoundImage], reader: Executor, writer: Executor) -> None:
        writing: Future[ImageEntry] | None = None
        for ahead in read_ahead(waiting, self._read, self.job.image_bytes, reader, self.job.at_once):
            for task in _together([reading.result() for reading in ahead.readings], self.job.together):
                task.advance(self.job.work)
                self._tell(writing)  # before the next begins, so that at most one is being written
                writing = writer.submit(self._write, task)
            if ahead.is_alone:
                self._tell(writing)
                writing = None

    def _read(self, image: FoundImage) -> _Task:
        task = _Task(image, stamp_of(image.path, *image.companions), held=image)
        task.advance(self.job.read)
        if task.error is None:
            task.sha256 = sha256_of(image.path, *image.companions)
        return task

    def _write(self, task: _Task) -> ImageEntry:
        """Write the files of an image and then its entry, in a thread that no interrupt reaches.

        The journal names the files before they are written, so a killed run's files are known as its own.
        """
        name, files = str(task.image.relative), tuple(self.job.files(task.image))
        before = self.manifest.get(name)
        old = set() if before is None else {*before.outputs}
        entry = ImageEntry(name, BEGUN, str(task.image.path.absolute()), task.stamp, task.sha256)
        if task.error is None:
            is_same = before is not None and before.sha256 == task.sha256
            kept = tuple(sorted(old.difference(files))) if is_same else ()  # of formats not asked for now
            self._remove(old.difference(files, kept))
            confidence = before.confidence if before is not None and is_same else None
            entry = replace(entry, outputs=(*files, *kept), confidence=confidence)
            self.manifest.add(entry, durable=True)
            stamp = stamp_of(task.image.path, *task.image.companions)
            task.advance(lambda result: self.job.write(task.image, result))
        if task.error is None:
            outcome: Outcome = task.held
            if stamp == task.stamp:  # a hard link that was made of the picture has changed one of its times
                entry = replace(entry, stamp=stamp_of(task.image.path, *task.image.companions))
            known = {name: value for name, value in vars(outcome).items() if value is not None}
            entry = replace(entry, status=DONE, seconds=round(task.seconds, 4), **known)
        else:
            self._remove(old.union(entry.outputs))  # earlier files are not the result of a picture that fails now
            entry = replace(entry, status=FAILED, outputs=(), error=task.error, confidence=None)
        self.manifest.add(entry)
        self.done += entry.status == DONE
        self.failed += entry.status == FAILED
        return entry

    def _remove(self, names: Iterable[str]) -> None:
        for name in sorted(names):
            self.folder.remove(name)

    def _tell(self, writing: Future[ImageEntry] | None) -> None:
        """Wait for an image's files, and tell of it."""
        if writing is not None:
            entry = writing.result()
            counts = (self.done, self.failed, self.skipped, self.total, time.perf_counter() - self.began)
            self.listener.image(Progress(entry.relative, entry.error, *counts, self.job.unit))
        Interrupts.check()


def _together(tasks: Sequence[_Task], step: Callable[[Sequence[Any]], Sequence[Any]]) -> Sequence[_Task]:
    """Take a step with several images at once; if that fails, with one image at a time."""
    whole = [task for task in tasks if task.error is None]
    began = time.perf_counter()
    contents = try_together(step, [task.held for task in whole])
    for index, task in enumerate(whole):
        if contents is None:
            task.advance(lambda content: step([content])[0])
        else:
            task.held = contents[index]
            task.seconds += (time.perf_counter() - began) / len(whole)
    return tasks


def failure_sentence(error: Exception, path: Path) -> str:
    """Say in a sentence why an image failed, naming it. An error that an interrupt became is no fault of the image."""
    Interrupts.check()
    if isinstance(error, DenseZeroError):
        return str(error) if str(path) in str(error) else f"{path}: {error}"
    if is_out_of_memory(error):
        return f"{path}: not enough memory for an image of this size. Ask for a smaller model input, or --device cpu."
    return f"{path}: {type(error).__name__}: {error}"
