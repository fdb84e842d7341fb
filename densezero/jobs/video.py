"""Segments a film, or a folder of frames: files of each frame, and an overlay film."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from densezero.engine.score_map import ScoreMap
from densezero.engine.segmenter import Prepared, Scored, Segmenter
from densezero.images import FoundImage
from densezero.images.footage import Footage, VideoFrame, open_footage
from densezero.jobs.manifest import DONE, ImageEntry, Manifest
from densezero.jobs.places import OutputFolder
from densezero.jobs.resume import look_back
from densezero.jobs.run import ImageRun, Outcome, RunSummary
from densezero.jobs.segment import Picture, SegmentJob, build_segmenter, plan_files, read_words, request_of
from densezero.jobs.settings import SegmentSettings
from densezero.jobs.smoothing import SECONDS_BETWEEN, STATE, read_state, smooth, write_state
from densezero.output.film import write_film
from densezero.output.image_files import FORMATS, ImageResult
from densezero.output.labels import read_labels
from densezero.output.legend import choose_lines
from densezero.output.overlay import draw_overlay
from densezero.output.paths import refuse_unusable_outputs
from densezero.output.run_files import write_run_files
from densezero.output.writer import OutputPlan
from densezero.progress import Listener
from densezero.regions.source import RegionSource


def segment_video(settings: SegmentSettings, listener: Listener | None = None) -> RunSummary:
    """Segment the frames of a film or a folder, and draw an overlay film. The same request goes on after a stop.

    Raises:
        DenseZeroError: if the request cannot be met; nothing has been written then.
    """
    listener = listener or Listener()
    words = read_words(settings)
    footage = open_footage(
        settings.inputs[0], settings.every, settings.rate, settings.keep_suffix,
        lambda done, total: listener.step("counted", done, total, "frames"),
    )  # fmt: skip
    folder = OutputFolder(settings.out)
    _plan_files(settings, footage, folder).refuse_classes(words.classes)
    with folder.locked(settings.dry_run):
        segmenter = build_segmenter(settings, words, listener)
        earlier = look_back(folder, settings.overwrite).files
        plan = _plan_files(settings, footage, folder, earlier)
        film = _film_name(footage) if "overlay" in settings.save or _film_name(footage) in earlier else None
        job = VideoJob(segmenter, plan, folder, footage, film, settings, listener)
        run = ImageRun(folder, job.request, job, listener)
        about = {
            "device": str(segmenter.encoder.device),
            "film": {"frames": len(footage.frames), "rate": footage.rate, "cut_off": footage.cut_off},
        }
        summary = run.over(footage.frames, settings, about)
        if job.confidence is not None and settings.show_confidence and not settings.dry_run:
            listener.result(job.confidence.describe())
    if footage.cut_off is not None and settings.dry_run:
        listener.note(footage.cut_off)
    elif summary.stopped is None:
        summary = replace(summary, stopped=footage.cut_off)
    return summary


def _film_name(footage: Footage) -> str:
    return f"{FORMATS['overlay'].folder}/{footage.name}.mp4"


def _plan_files(
    settings: SegmentSettings, footage: Footage, folder: OutputFolder, earlier: Iterable[str] = ()
) -> OutputPlan:
    """Plan the files of frames and the tables. The overlay film is drawn from the label maps, so it needs them."""
    film = _film_name(footage)
    names = ["labels" if name == "overlay" else name for name in settings.save]
    names += ["labels"] if film in earlier else []
    plan = plan_files(replace(settings, save=tuple(names)), footage.frames, folder, earlier)
    refuse_unusable_outputs(settings.out, [folder.path(film)], settings.inputs)
    return plan


@dataclass(frozen=True)
class _FrameResult(ImageResult):
    """The result of a frame, and the smoothed scores before it."""

    before: ScoreMap | None = None


class VideoJob(SegmentJob):
    """Each frame becomes a label map and what else was asked for; at the end an overlay film is drawn.

    Args:
        segmenter: the segmenter.
        plan: of the files of each frame, and of the tables.
        folder: the output folder.
        footage: all frames.
        film: name of the overlay film; None for none.
        settings: what was asked for.
        listener: hears how far the film is.
    """

    unit = "frames"

    def __init__(
        self,
        segmenter: Segmenter,
        plan: OutputPlan,
        folder: OutputFolder,
        footage: Footage,
        film: str | None,
        settings: SegmentSettings,
        listener: Listener,
    ) -> None:
        counts = settings.show_confidence or "confidence" in plan.formats
        super().__init__(segmenter, plan, folder, RegionSource(footage.frames), counts)
        self.footage, self.film, self.weight, self.listener = footage, film, settings.smooth, listener
        self.frames = {str(frame.relative): frame for frame in footage.frames}
        self.places = {name: place for place, name in enumerate(self.frames)}
        self.run_files = (*self.run_files, *([] if film is None else [film]))
        self.state: ScoreMap | None = None
        self.stored = time.monotonic()
        of_film = {"smooth": settings.smooth, "every": settings.every}
        self.request = {**request_of(segmenter), **of_film}
        self.key = hashlib.sha256(json.dumps(self.request, sort_keys=True).encode()).hexdigest()

    def widen(self, waiting: set[str]) -> set[str]:
        """With smoothing all frames from the first one that waits, because they depend on it.

        A stopped run goes on from the last state on disk before that frame. Without one it begins anew.
        """
        if not self.weight or not waiting:
            return waiting
        stored = read_state(self.folder, self.key, self.segmenter.encoder.device)
        first = min(map(self.places.__getitem__, waiting))
        start = 0
        if stored is not None and self.places.get(stored[0], len(self.places)) <= first:
            start, self.state = self.places[stored[0]], stored[1]
        return {name for name, place in self.places.items() if place >= start}

    def prepare(self, waiting: Sequence[FoundImage]) -> None:
        """Write the meaning of the labels, and get ready to read the frames."""
        super().prepare(waiting)
        if self.state is None:
            self.folder.remove(STATE)  # of another run
        self.read_frame = self.footage.reader(self._frames_of(map(str, (image.relative for image in waiting))))

    def read(self, image: FoundImage) -> Picture[Prepared]:
        """Read a frame, and resize it for the model."""
        rgb = self.read_frame(self.frames[str(image.relative)])  # (H, W, 3)
        return Picture(rgb, self.segmenter.prepare(rgb))

    def work(self, content: Picture[Scored]) -> ImageResult:
        """Smooth the scores of a frame, and label it. A frame that fails does not count for those after it."""
        before = self.state
        smoothed = smooth(content.model.scores, before, self.weight)
        result = super().work(replace(content, model=content.model._replace(scores=smoothed)))
        if self.weight:
            self.state = smoothed
        return _FrameResult(**vars(result), before=before)

    def write(self, image: FoundImage, result: ImageResult) -> Outcome:
        """Write the files of a frame. Before that, write the state once in a while."""
        name = str(image.relative)
        is_due = time.monotonic() - self.stored >= SECONDS_BETWEEN
        if is_due and isinstance(result, _FrameResult) and result.before is not None:
            write_state(self.folder, self.key, name, result.before)
            self.stored = time.monotonic()
        return super().write(image, result)

    def image_bytes(self, image: FoundImage) -> int:
        """The memory of a frame, which is known for a film."""
        hw = self.frames[str(image.relative)].hw
        return super().image_bytes(image) if hw is None else self.held_bytes(hw)

    def finish(self, manifest: Manifest) -> None:
        """Write the tables with the time of each frame, and draw the film."""

        def seconds(name: str) -> float | None:
            return self.frames[name].seconds if name in self.frames else None

        write_run_files(self.plan, manifest.entries, self.segmenter.classes, self.folder.path, seconds)
        if self.film is not None:
            self._draw_film(self.film, manifest)
        self.folder.remove(STATE)

    def _draw_film(self, film: str, manifest: Manifest) -> None:
        lines = choose_lines(entry.pixels or {} for entry in self._done(manifest))
        frames = self._frames_of(entry.relative for entry in self._done(manifest))
        if frames:
            write_film(self.folder.path(film), self._overlays(frames, lines), self.footage.rate)

    def _overlays(self, frames: Sequence[VideoFrame], lines: Sequence[int]) -> Iterator[NDArray[np.uint8]]:
        for place, (frame, rgb) in enumerate(zip(frames, self.footage.read(frames), strict=True)):
            (file,) = self.plan.files_of("labels", frame.relative)
            yield draw_overlay(rgb, read_labels(self.folder.path(file)), self.segmenter.classes, lines)
            self.listener.step("overlay film", place + 1, len(frames), "frames")

    def _done(self, manifest: Manifest) -> Iterator[ImageEntry]:
        return (entry for entry in manifest.entries() if entry.status == DONE and entry.relative in self.frames)

    def _frames_of(self, names: Iterable[str]) -> list[VideoFrame]:
        """Frames by their names, in the order of time."""
        return [self.frames[name] for name in sorted(names, key=self.places.__getitem__)]
