"""Segments scenes of any size at their own resolution, one row of windows at a time.

The labels are those of a ``Segmenter`` whose protocol has the same windows and does not resize the image: each window
is encoded once, and the scores of windows that overlap are averaged before a pixel is labelled. Memory grows with the
width of a scene, and not with its height.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import torch
from torch import Tensor

from densezero.atomic import write_atomically, write_bytes
from densezero.engine.labelling import BYTE_CLASSES
from densezero.engine.protocol import Protocol
from densezero.engine.score_map import ScoreMap
from densezero.engine.segmenter import Prepared, Scored, Segmenter
from densezero.errors import OutputError, ProtocolError
from densezero.images import FoundImage, Window, window_boxes
from densezero.images.file_state import sha256_of
from densezero.images.opening import MAX_PIXELS
from densezero.images.rasters import BandChoice, Pixels, load_rasterio, parse_band_choice, read_place
from densezero.images.scenes import Scene, opened_scene
from densezero.interrupts import Interrupts
from densezero.jobs.label_strips import LabelStrips
from densezero.jobs.manifest import Manifest
from densezero.jobs.places import OutputFolder, check_all, find_inputs
from densezero.jobs.resume import look_back
from densezero.jobs.run import ImageJob, ImageRun, Outcome, RunSummary
from densezero.jobs.segment import SegmentJob, build_segmenter, plan_files, read_words, request_of
from densezero.jobs.settings import SegmentSettings
from densezero.output.areas import class_pixels
from densezero.output.geotiff import TILE_PX, write_geotiff
from densezero.output.image_files import ImageResult, image_files
from densezero.output.labels import ignore_value
from densezero.output.overlay import LONGEST_PX
from densezero.output.writer import OutputPlan
from densezero.progress import Listener
from densezero.regions.source import RegionSource

_WHOLE: Final = ("labels", "grey", "grey-from-1")  # formats whose encoders take all labels of an image


def segment_scenes(settings: SegmentSettings, listener: Listener | None = None) -> RunSummary:
    """Segment every scene of the request at its own resolution. The same request goes on after a stop.

    Raises:
        DenseZeroError: if the request cannot be met; nothing has been written then.
    """
    listener = listener or Listener()
    passed_over: Counter[str] = Counter()
    scenes = find_inputs(settings.inputs, settings.images, listener, passed_over)
    folder = OutputFolder(settings.out)
    if "geotiff" in settings.save:
        load_rasterio("--save geotiff")
    plan, words = check_all(lambda: plan_files(settings, scenes, folder), lambda: read_words(settings))
    words = replace(words, protocol=native_protocol(words.protocol))
    plan.refuse_classes(words.classes)
    with folder.locked(settings.dry_run):
        segmenter = build_segmenter(settings, words, listener)
        plan = plan_files(settings, scenes, folder, look_back(folder, settings.overwrite).files)
        choice = parse_band_choice(settings.bands, settings.value_range)
        job = NativeJob(SegmentJob(segmenter, plan, folder, RegionSource(scenes), counts=False), choice, listener)
        about = {"device": str(segmenter.encoder.device), "passed_over": passed_over}
        return ImageRun(folder, job.request, job, listener).over(scenes, settings, about)


def native_protocol(protocol: Protocol) -> Protocol:
    """The same protocol without a resize, its name says so.

    Raises:
        ProtocolError: if it needs the whole image: no windows, a refinement, or a smallest area.
    """
    needs = {
        "has no windows": protocol.window_px is None,
        "refines the scores of the whole image": protocol.refine is not None,
        "drops classes by their share of the whole image": protocol.min_area_share > 0,
    }
    if why := [reason for reason, is_so in needs.items() if is_so]:
        raise ProtocolError(
            f"Expected a protocol with windows and without refinement for --native; {protocol.name} {why[0]}. "
            "tips-slide works."
        )
    return replace(protocol, name=f"{protocol.name} (native)")


class WindowRow(NamedTuple):
    """A row of windows of a scene: the first pixels of their rows and columns, and their scores (N, gh, gw, K)."""

    top: int
    lefts: list[int]
    grids: Tensor


def label_scene(segmenter: Segmenter, scene: Scene, strips: LabelStrips, listener: Listener) -> None:
    """Label the rows of a scene that are not labelled yet, and append them strip by strip.

    Args:
        segmenter: its protocol has windows and no refinement.
        scene: the open scene.
        strips: where the labels go. It may hold the first rows.
        listener: hears of every row of windows.

    Raises:
        InputError: if a part cannot be read, or its features are not finite.
        KeyboardInterrupt: between two batches, if the process was asked to stop.
    """
    side, stride = segmenter.protocol.window_px, segmenter.protocol.stride_px
    assert side is not None, "native_protocol refuses it"
    windows = window_boxes(*scene.hw, side, stride)
    height, lefts = windows[0].hw[0], sorted({window.left for window in windows})
    tops = sorted({window.top for window in windows})
    rows: list[WindowRow] = []
    for index, (top, bottom) in enumerate(zip(tops, [*tops[1:], scene.hw[0]], strict=True)):
        if top + height <= strips.rows:
            continue
        strip = scene.read(top, top + height)  # .rgb (h, W, 3)
        rows = [row for row in rows if row.top + height > top]  # those that overlap this one
        rows.append(_score_row(segmenter, strip, top, lefts, windows[0].hw[1]))
        if bottom > strips.rows:
            strips.append(_label_rows(segmenter, rows, strip, bottom, height))
        listener.step("scene", index + 1, len(tops), "rows of windows")


def _score_row(segmenter: Segmenter, strip: Pixels, top: int, lefts: list[int], width: int) -> WindowRow:
    """Score a row of windows, one batch of the encoder at a time. Windows without any data are not encoded."""
    has_data = strip.has_data
    filled = [left for left in lefts if has_data is None or has_data[:, left : left + width].any()] or lefts[:1]
    at_once = max(1, segmenter.encoder.batch_pixels // (strip.rgb.shape[0] * width))
    grids: dict[int, Tensor] = {}
    for first in range(0, len(filled), at_once):
        Interrupts.check()
        batch = filled[first : first + at_once]
        crops = [np.ascontiguousarray(strip.rgb[:, left : left + width]) for left in batch]
        scored = segmenter.score([Prepared((crop.shape[0], crop.shape[1]), crop) for crop in crops])
        grids.update((left, each.scores.grids[0]) for left, each in zip(batch, scored, strict=True))  # (gh, gw, K)
    blank = torch.zeros_like(grids[filled[0]])
    return WindowRow(top, lefts, torch.stack([grids.get(left, blank) for left in lefts]))


def _label_rows(
    segmenter: Segmenter, rows: Sequence[WindowRow], strip: Pixels, bottom: int, height: int
) -> np.ndarray[Any, Any]:
    """Label the rows from the top of the last row of windows to ``bottom``: (rows, W)."""
    top, (_, width) = rows[-1].top, strip.rgb.shape[:2]
    side = min(width, segmenter.protocol.window_px or width)
    windows = [
        Window(row.top - top, left, row.top - top + height, left + side) for row in rows for left in row.lefts
    ]  # from the first of these rows, so that windows that begin above have a negative top
    grids = torch.cat([row.grids for row in rows])
    hw = (bottom - top, width)
    labels = segmenter.label(Scored(hw, ScoreMap(grids, windows, hw, segmenter.protocol.averages_softmax)))
    if strip.has_data is not None:
        labels[~strip.has_data[: bottom - top]] = ignore_value(len(segmenter.classes))
    return labels


class NativeJob(ImageJob[FoundImage, FoundImage, FoundImage, LabelStrips]):
    """Each scene becomes a GeoTIFF or what else was asked for.

    Args:
        job: names the files, and writes the tables.
        choice: bands and range of the scenes.
        listener: hears of every row of windows.
    """

    unit = "scenes"

    def __init__(self, job: SegmentJob, choice: BandChoice, listener: Listener) -> None:
        self.job, self.choice, self.listener = job, choice, listener
        self.segmenter, self.plan, self.folder = job.segmenter, job.plan, job.folder
        self.run_files = job.run_files
        self.request = {**request_of(self.segmenter), "native": True, **choice.to_json()}

    def files(self, image: FoundImage) -> Sequence[str]:
        """One or two for each format."""
        return self.job.files(image)

    def prepare(self, waiting: Sequence[FoundImage]) -> None:
        """Write the meaning of the labels."""
        self.job.prepare(waiting)

    def read(self, image: FoundImage) -> FoundImage:
        """Nothing: a scene is read in parts."""
        return image

    def work(self, content: FoundImage) -> LabelStrips:
        """Label the scene, from the row on at which an earlier run was stopped."""
        with opened_scene(content.path, self.choice) as scene:
            _refuse_large(self.plan, scene.hw)
            key = json.dumps([self.request, sha256_of(content.path), scene.hw], sort_keys=True)
            dtype = np.uint8 if len(self.segmenter.classes) <= BYTE_CLASSES else np.uint16
            strips = LabelStrips(
                self.folder, str(content.relative), scene.hw, dtype, hashlib.sha256(key.encode()).hexdigest()
            )
            label_scene(self.segmenter, scene, strips, self.listener)
        return strips

    def write(self, image: FoundImage, result: LabelStrips) -> Outcome:
        """Write the files of a scene from its labels on disk, then remove these."""
        classes = self.segmenter.classes
        for name in self.plan.formats:
            files = self.plan.files_of(name, image.relative)
            for form, file in zip(image_files(name), map(self.folder.path, files), strict=True):
                if form.suffix == ".tif":
                    self._write_geotiff(file, image.path, result)
                else:
                    write_bytes(file, form.encode(self._result(name, image, result)))
        pixels: Counter[int] = Counter()
        for strip in result.strips(TILE_PX):
            pixels.update(class_pixels(strip, len(classes)))
        result.remove()
        return Outcome(result.hw, dict(sorted(pixels.items())))

    def held_bytes(self, hw: tuple[int, int]) -> int:  # noqa: ARG002
        """Nothing is read ahead."""
        return 0

    def image_bytes(self, image: FoundImage) -> int:  # noqa: ARG002
        """Nothing is read ahead."""
        return 0

    def recall(self) -> Iterator[tuple[str, list[Any]]]:
        """Nothing: no format takes masks."""
        return iter(())

    def finish(self, manifest: Manifest) -> None:
        """Write the tables."""
        self.job.finish(manifest)

    def _result(self, name: str, image: FoundImage, strips: LabelStrips) -> ImageResult:
        """What a format of one file needs: all labels, or a picture of at most 2048 pixels with its labels."""
        classes, no_picture = self.segmenter.classes, np.empty((0, 0, 3), np.uint8)
        if name in _WHOLE:
            return ImageResult(no_picture, strips.whole(), classes)
        if name != "overlay":
            return ImageResult(no_picture, np.empty((0, 0), np.uint8), classes)
        shrink = min(1.0, LONGEST_PX / max(strips.hw))
        small_hw = (max(1, round(strips.hw[0] * shrink)), max(1, round(strips.hw[1] * shrink)))
        with opened_scene(image.path, self.choice) as scene:
            return ImageResult(scene.overview(small_hw), strips.overview(small_hw), classes)

    def _write_geotiff(self, file: Path, source: Path, strips: LabelStrips) -> None:
        place = read_place(source)
        write_atomically(
            file,
            lambda aside: write_geotiff(aside.name, strips.strips(TILE_PX), strips.hw, self.segmenter.classes, place),
            durable=True,
        )


def _refuse_large(plan: OutputPlan, hw: tuple[int, int]) -> None:
    """Refuse formats that hold a scene in one piece, if it is too large for the programs that read them.

    Raises:
        OutputError: naming the formats.
    """
    whole = [name for name in plan.formats if name in _WHOLE]
    if whole and hw[0] * hw[1] > MAX_PIXELS:
        raise OutputError(
            f"expected at most {MAX_PIXELS:,} pixels for {', '.join(whole)}, which are read in one piece; this scene "
            f"has {hw[1]:,} × {hw[0]:,}; save geotiff in their place"
        )
