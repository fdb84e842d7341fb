"""The loop over many images. The manifest records each image; a bad image stops no other; a stopped run can go on.

While the model works on an image, one thread reads the next and another writes the files of the one before. A model
on a GPU takes several images together, which are read by several threads.
"""

from __future__ import annotations

import json
import platform
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import Any, ClassVar, Protocol, TypeVar

import numpy as np
import torch

import densezero
from densezero.encoders.device import is_out_of_memory
from densezero.errors import DenseZeroError, DeviceFullError
from densezero.images import FoundImage
from densezero.jobs.manifest import BEGUN, DONE, FAILED, JOURNAL, MANIFEST, ImageEntry, Manifest
from densezero.jobs.overlap import picture_bytes, read_ahead, readers, try_together
from densezero.jobs.places import OutputFolder, sha256_of, stamp_of
from densezero.jobs.progress import Listener, Progress
from densezero.jobs.resume import Plan, look_back, plan_run
from densezero.jobs.thread_pool import start_pool
from densezero.output.atomic import remove_leftovers

GO_ON = "interrupted; run the same command again to go on"

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
    """

    hw: tuple[int, int]
    pixels: dict[int, int] | None = None
    pieces: list[Any] | None = None


class ImageJob(Protocol[Image, Read, Content, Result]):
    """What a run does with each image. A job overrides what it needs; what it leaves out does nothing.

    Attributes:
        unit: what the progress counts.
        at_once: as many images at most go through ``together``.
        run_files: names of the files of the whole run.
        needs_pieces: whether these need pieces of every image.
    """

    unit: str = "images"
    at_once: int = 1
    run_files: Sequence[str] = ()
    needs_pieces: bool = False

    def files(self, image: Image) -> Sequence[str]:
        """Names of the files of an image, below the output folder."""
        ...

    def prepare(self, waiting: Sequence[FoundImage]) -> None:  # noqa: ARG002
        """What comes before the first image; ``waiting`` may be empty."""
        return

    def read(self, image: Image) -> Read:
        """Read an image, while the model works on the one before."""
        ...

    def together(self, images: Sequence[Read]) -> Sequence[Content]:
        """What the model does first, with several images at once."""
        return images  # type: ignore[return-value]  # a job that leaves it out has Read and Content alike

    def work(self, content: Content) -> Result:
        """The rest of the model's part."""
        ...

    def write(self, image: Image, result: Result) -> Outcome:
        """Write the files, while the model works on the next image."""
        ...

    def held_bytes(self, hw: tuple[int, int]) -> int:
        """Held of an image of (H, W) from step to step; large images are worked on alone."""
        ...

    def recall(self) -> Iterator[tuple[str, list[Any]]]:
        """The pieces of earlier images, read back from the files of the whole run, in the order of its manifest."""
        return iter(())

    def finish(self, manifest: Manifest) -> None:  # noqa: ARG002
        """Write the files of the whole run, when every image has ended."""
        return


class RunSettings(Protocol):
    """What every run is asked for: a frozen dataclass with at least these fields."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    @property
    def overwrite(self) -> bool:
        """Do again what an earlier run has done."""

    @property
    def dry_run(self) -> bool:
        """Only say what would be done."""


@dataclass
class _Task:
    """An image on its way: what the last step gave, or why one failed, and the time of its steps."""

    image: FoundImage
    stamp: str
    sha256: str = ""
    held: Any = None
    error: str | None = None
    seconds: float = 0.0


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
        self.started = time.perf_counter()

    @property
    def seconds(self) -> float:
        """Time since the run began."""
        return time.perf_counter() - self.started

    def over(self, images: Sequence[FoundImage], settings: RunSettings, about: dict[str, Any]) -> RunSummary:
        """Work on every image that waits; a failure is recorded and passed over, a full device ends the run.

        Args:
            images: all of the run.
            settings: what was asked for.
            about: what else ``run.json`` says of the run.

        Raises:
            OutputError: if the folder holds what would be destroyed or misreported, or cannot be written.
        """
        earlier = look_back(self.folder, settings.overwrite)
        by_name = {str(image.relative): image for image in images}
        files = {name: tuple(self.job.files(image)) for name, image in by_name.items()}
        plan = plan_run(
            self.folder, earlier, self.manifest.request, by_name, files, self.job.run_files, self.listener,
            overwrite=settings.overwrite, needs_pieces=self.job.needs_pieces,
        )  # fmt: skip
        self._count(images, plan)
        if settings.dry_run:
            return RunSummary(self.folder.root, len(plan.waiting), 0, self.skipped, dry_run=True)
        is_idle = not plan.waiting and earlier.is_finished(self.folder, self.job.run_files)
        if not is_idle:
            self._open(plan, files, settings.overwrite)
            self._count(images, plan)
        waiting = [image for image in images if str(image.relative) in plan.waiting]
        self.job.prepare(waiting)
        if is_idle:
            return RunSummary(self.folder.root, 0, 0, self.skipped)
        stopped, interrupted = self._work(waiting)
        if stopped is None:
            stopped = self._finish(settings, about)
        written = () if stopped is not None else tuple(self.job.run_files)
        return RunSummary(self.folder.root, self.done, self.failed, self.skipped, stopped, interrupted, written)

    def _count(self, images: Sequence[FoundImage], plan: Plan) -> None:
        self.total, self.skipped = len(images), len(images) - len(plan.waiting)

    def _open(self, plan: Plan, files: Mapping[str, Sequence[str]], overwrite: bool) -> None:
        """Begin the journal. What is to be done again no longer counts as done."""
        run_files = {*self.job.run_files, MANIFEST}
        remove_leftovers(map(self.folder.path, (*chain(*files.values()), *run_files, JOURNAL)))
        again = [name for name in plan.earlier.entries if overwrite and name in files]
        keeps = any(entry.status == DONE for name, entry in plan.earlier.entries.items() if name not in again)
        self.manifest.start(plan.earlier, self.job.run_files, self.job.recall() if keeps else ())
        self.manifest.forget(sorted(plan.replaced))
        for name in again:
            self.manifest.add(replace(plan.earlier.entries[name], status=BEGUN))
        if not keeps:  # what these say is over
            self._remove(run_files.union(plan.earlier.files))
        begun = {entry.relative for entry in plan.earlier.entries.values() if entry.status == BEGUN}
        plan.waiting.update(begun.intersection(files))

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

    def _finish(self, settings: RunSettings, about: dict[str, Any]) -> str | None:
        """Write the files of the whole run, the manifest last; where the device is full, return that."""
        values = {
            "densezero": densezero.__version__,
            "versions": {"python": platform.python_version(), "torch": torch.__version__, "numpy": np.__version__},
            "settings": json.loads(json.dumps(asdict(settings), default=str)),
            **about,
            "finished": datetime.now(UTC).isoformat(timespec="seconds"),
            "seconds": round(self.seconds, 3),
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
        def held_bytes(image: FoundImage) -> int:
            return picture_bytes(image.path, self.job.held_bytes)

        writing: Future[ImageEntry] | None = None
        for ahead in read_ahead(waiting, self._read, held_bytes, reader, self.job.at_once):
            for task in _together([reading.result() for reading in ahead.readings], self.job.together):
                _advance(task, lambda _, content: self.job.work(content))
                self._tell(writing)  # before the next begins, so that at most one is being written
                writing = writer.submit(self._write, task)
            if ahead.is_alone:
                self._tell(writing)
                writing = None

    def _read(self, image: FoundImage) -> _Task:
        task = _advance(_Task(image, stamp_of(image.path)), lambda image, _: self.job.read(image))
        if task.error is None:
            task.sha256 = sha256_of(image.path)
        return task

    def _write(self, task: _Task) -> ImageEntry:
        """Write the files of an image and then its entry, in a thread that no interrupt reaches.

        The journal names the files before they come, so that a killed run's files are known as its own.
        """
        name, files = str(task.image.relative), tuple(self.job.files(task.image))
        before = self.manifest.get(name)
        old = set() if before is None else {*before.outputs}
        entry = ImageEntry(name, BEGUN, str(task.image.path.absolute()), task.stamp, task.sha256)
        if task.error is None:
            is_same = before is not None and before.sha256 == task.sha256
            kept = tuple(sorted(old.difference(files))) if is_same else ()  # of formats not asked for now
            self._remove(old.difference(files, kept))
            entry = replace(entry, outputs=(*files, *kept))
            self.manifest.add(entry, durable=True)
            _advance(task, self.job.write)
        if task.error is None:
            outcome: Outcome = task.held
            entry = replace(entry, status=DONE, seconds=round(task.seconds, 4), **vars(outcome))
        else:
            self._remove(old.union(entry.outputs))  # what was made of it earlier does not pass for its result
            entry = replace(entry, status=FAILED, outputs=(), error=task.error)
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
            counts = (self.done, self.failed, self.skipped, self.total)
            self.listener.image(Progress(entry.relative, entry.error, *counts, self.seconds, self.job.unit))


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


def _together(tasks: Sequence[_Task], step: Callable[[Sequence[Any]], Sequence[Any]]) -> Sequence[_Task]:
    """Take a step with several images at once; where that fails, with each alone, so that none is lost to another."""
    whole = [task for task in tasks if task.error is None]
    if not whole:
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
