"""Segments a folder of images: one image at a time in memory, every file whole or absent, no image lost to another."""

from __future__ import annotations

import json
import platform
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch

import densezero
from densezero.encoders.catalog import load_encoder
from densezero.engine.presets import find_protocol
from densezero.engine.protocol import Background, Protocol
from densezero.engine.segmenter import Segmenter
from densezero.errors import DenseZeroError, DeviceFullError
from densezero.images import FoundImage, find_images, read_rgb
from densezero.jobs.manifest import ImageEntry, Manifest
from densezero.jobs.places import check_places
from densezero.jobs.progress import Listener, Progress
from densezero.jobs.settings import SegmentSettings
from densezero.output.areas import class_pixels, write_areas_csv
from densezero.output.classes_json import write_classes_json
from densezero.output.writer import ImageResult, OutputPlan, plan_outputs, write_result
from densezero.vocabulary import ClassList, load_class_list, load_templates, parse_inline


@dataclass(frozen=True)
class RunSummary:
    """How a run ended.

    Args:
        out: the output folder.
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


def segment_images(settings: SegmentSettings, listener: Listener | None = None) -> RunSummary:
    """Segment every image of the request and write what it asks for.

    Everything that can be refused is refused before the first image. An image that fails is recorded and passed over;
    a full device ends the run. What is written stays, and the same request goes on where it stopped.

    Args:
        settings: the request.
        listener: hears of notes and progress.

    Raises:
        DenseZeroError: if the request cannot be met; nothing has been written then.
    """
    listener = listener or Listener()
    images = find_images(settings.inputs)
    check_places(settings.out, settings.inputs, images)
    plan = plan_outputs(settings.out, [image.relative for image in images], settings.save)
    segmenter = build_segmenter(settings, listener)
    manifest = Manifest(settings.out, segmenter.provenance.to_json(), settings.overwrite)
    write_classes_json(settings.out / "classes.json", segmenter.classes)
    run = _Run(segmenter, plan, manifest, listener)
    summary = run.over(images)
    finish_run(settings, summary, run)
    return summary


def build_segmenter(settings: SegmentSettings, listener: Listener) -> Segmenter:
    """Make the segmenter of a request: words first, since they are cheap to refuse, then the model."""
    classes = read_classes(settings)
    protocol = read_protocol(settings)
    templates = load_templates(settings.templates or protocol.templates)
    encoder = load_encoder(settings.model, settings.device, settings.dtype)
    if encoder.note:
        listener.note(encoder.note)
    return Segmenter(encoder, classes, protocol, templates, listener.embedding)


def read_classes(settings: SegmentSettings) -> ClassList:
    """The class list of a request."""
    if settings.classes is not None:
        return parse_inline(settings.classes)
    assert settings.vocabulary is not None, "checked by SegmentSettings"
    return load_class_list(settings.vocabulary)


def read_protocol(settings: SegmentSettings) -> Protocol:
    """The protocol of a request: a preset, with what the request changes."""
    protocol = find_protocol(settings.protocol, settings.vocabulary)
    changes: dict[str, Any] = {}
    if settings.short_side_px is not None:
        changes["short_side_px"] = settings.short_side_px
    if settings.background_words or settings.background_threshold is not None:
        given = settings.background_threshold
        threshold = protocol.background.threshold if given is None else given
        changes["background"] = Background(settings.background_words or protocol.background.words, threshold)
    if not changes:
        return protocol
    return replace(protocol, name=f"{protocol.name} (changed)", **changes)


def finish_run(settings: SegmentSettings, summary: RunSummary, run: _Run) -> None:
    """Write the files of the whole run."""
    manifest, segmenter = run.manifest, run.segmenter
    areas = run.plan.run_path("csv")
    about = {
        "densezero": densezero.__version__,
        "versions": {"python": platform.python_version(), "torch": torch.__version__, "numpy": np.__version__},
        "settings": json.loads(json.dumps(asdict(settings), default=str)),
        "device": str(segmenter.encoder.device),
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": round(run.seconds, 3),
        "done": summary.done,
        "failed": summary.failed,
        "skipped": summary.skipped,
        "stopped": summary.stopped,
    }
    try:
        if areas is not None:
            done = (manifest.entries[name] for name in sorted(manifest.entries))
            rows = ((entry.relative, entry.pixels) for entry in done if entry.pixels is not None)
            write_areas_csv(areas, rows, segmenter.classes)
        manifest.finish(about)
    except DeviceFullError:
        if summary.stopped is None:
            raise  # otherwise the summary says so already, and the journal holds the entries


class _Run:
    """The loop over the images, and its counts."""

    def __init__(self, segmenter: Segmenter, plan: OutputPlan, manifest: Manifest, listener: Listener) -> None:
        self.segmenter, self.plan, self.manifest, self.listener = segmenter, plan, manifest, listener
        self.done = self.failed = self.skipped = 0
        self.started = time.perf_counter()

    @property
    def seconds(self) -> float:
        return time.perf_counter() - self.started

    def over(self, images: Sequence[FoundImage]) -> RunSummary:
        waiting = [image for image in images if not self._is_done(image)]
        self.skipped = len(images) - len(waiting)
        stopped = None
        for image in waiting:
            try:
                entry = self._one(image)
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
        return RunSummary(self.plan.root, self.done, self.failed, self.skipped, stopped)

    def _is_done(self, image: FoundImage) -> bool:
        relative = str(image.relative)
        return self.manifest.is_done(relative, _stamp(image.path), list(self.plan.paths(relative).values()))

    def _one(self, image: FoundImage) -> ImageEntry:
        relative, stamp, began = str(image.relative), _stamp(image.path), time.perf_counter()
        paths = self.plan.paths(relative)
        try:
            rgb = read_rgb(image.path)  # (H, W, 3)
            result = self.segmenter.segment(rgb)  # labels (H, W)
            scores = result.scores() if "scores" in self.plan.formats else None  # (C, H, W)
            written = write_result(paths, ImageResult(rgb, result.labels, result.classes, scores))
        except DeviceFullError:
            raise
        except Exception as error:  # one bad file never ends the run; the manifest names it
            return ImageEntry(relative, "failed", str(image.path), stamp, error=_sentence(error, image.path))
        return ImageEntry(
            relative,
            "done",
            str(image.path),
            stamp,
            outputs=tuple(path.relative_to(self.plan.root).as_posix() for path in written),
            hw=(rgb.shape[0], rgb.shape[1]),
            pixels=class_pixels(result.labels, len(result.classes)),
            seconds=round(time.perf_counter() - began, 4),
        )


def _stamp(path: Path) -> str:
    try:
        stat = path.stat()
    except OSError:
        return "unreadable"
    return f"{stat.st_size}-{stat.st_mtime_ns}"


def _sentence(error: Exception, path: Path) -> str:
    if isinstance(error, DenseZeroError):
        return str(error)
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return f"{path}: not enough memory for an image of this size. Use a smaller --short-side, or --device cpu."
    return f"{path}: {type(error).__name__}: {error}"
