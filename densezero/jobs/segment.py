"""Segments a folder of images: few images at a time in memory, every file whole or absent, no image lost to another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from densezero.encoders.catalog import load_encoder
from densezero.encoders.device import images_at_once
from densezero.engine.labelling import BYTE_CLASSES
from densezero.engine.presets import protocol_for
from densezero.engine.protocol import Background, Protocol
from densezero.engine.segmenter import Prepared, Scored, Segmenter
from densezero.images import FoundImage, find_images, read_rgb
from densezero.jobs.manifest import MANIFEST, Manifest
from densezero.jobs.output_checks import check_output_folder, model_files, refuse_inputs_as_outputs
from densezero.jobs.progress import Listener
from densezero.jobs.run import ImageRun, Outcome, RunSummary, Steps
from densezero.jobs.settings import SegmentSettings
from densezero.output.areas import class_pixels, write_areas_csv
from densezero.output.classes_json import write_classes_json
from densezero.output.writer import RUN_FORMATS, ImageResult, OutputPlan, plan_outputs, write_result
from densezero.vocabulary import ClassList, load_class_list, load_templates, parse_inline

OfModel = TypeVar("OfModel")
CLASSES = "classes.json"


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
    check_output_folder(settings.out, settings.inputs, images)
    plan = plan_outputs(settings.out, [image.relative for image in images], settings.save)
    _refuse_lost_inputs(settings, images, plan)
    segmenter = build_segmenter(settings, listener)
    sources = {file: image.path for image in images for file in plan.files(image.relative)}
    manifest = Manifest(settings.out, segmenter.provenance.to_json(), settings.overwrite, sources)
    write_classes_json(settings.out / CLASSES, segmenter.classes)
    run = ImageRun(settings.out, manifest, listener)
    summary = run.over(images, plan.files, segment_steps(segmenter, plan))
    finish_segment(settings, summary, run, plan, segmenter)
    return summary


def _refuse_lost_inputs(settings: SegmentSettings, images: Sequence[FoundImage], plan: OutputPlan) -> None:
    """Refuse outputs that are pictures, lists, templates or weights which the run reads."""
    pictures = (file for image in images for file in plan.files(image.relative))
    of_run = (settings.out / name for name in (CLASSES, MANIFEST, *RUN_FORMATS.values()))
    named = [Path(name) for name in (settings.vocabulary, settings.templates) if name is not None]
    inputs = (*(image.path for image in images), *named, *model_files(settings.model))
    refuse_inputs_as_outputs((*pictures, *of_run), inputs)


def build_segmenter(settings: SegmentSettings, listener: Listener) -> Segmenter:
    """Make the segmenter of a request: words first, since they are cheap to refuse, then the model."""
    classes = read_classes(settings)
    protocol = read_protocol(settings, classes)
    templates = load_templates(settings.templates or protocol.templates)
    encoder = load_encoder(settings.model, settings.device, settings.dtype)
    if encoder.note:
        listener.note(encoder.note)
    segmenter = Segmenter(encoder, classes, protocol, templates, listener.embedding)
    encoder.release_text()
    return segmenter


def read_classes(settings: SegmentSettings) -> ClassList:
    """The class list of a request."""
    if settings.classes is not None:
        return parse_inline(settings.classes)
    assert settings.vocabulary is not None, "checked by SegmentSettings"
    return load_class_list(settings.vocabulary)


def read_protocol(settings: SegmentSettings, classes: ClassList) -> Protocol:
    """The protocol of a request: a preset for its classes, with what the request changes."""
    protocol = protocol_for(classes, settings.protocol)
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


def finish_segment(
    settings: SegmentSettings, summary: RunSummary, run: ImageRun, plan: OutputPlan, segmenter: Segmenter
) -> None:
    """Write the files of the whole run."""
    areas = plan.run_path("csv")

    def write_areas() -> None:
        if areas is not None:
            entries = run.manifest.entries()
            rows = ((entry.relative, entry.pixels) for entry in entries if entry.pixels is not None)
            write_areas_csv(areas, rows, segmenter.classes)

    run.finish(summary, settings, str(segmenter.encoder.device), write_areas)


@dataclass(frozen=True)
class _Picture(Generic[OfModel]):
    """An image (H, W, 3), and the same as the model takes it, or what the model has made of it."""

    rgb: NDArray[np.uint8]
    model: OfModel


def segment_steps(segmenter: Segmenter, plan: OutputPlan) -> Steps[_Picture[Prepared], _Picture[Scored], ImageResult]:
    """How an image becomes its files."""
    has_scores = "scores" in plan.formats

    def read(image: FoundImage) -> _Picture[Prepared]:
        rgb = read_rgb(image.path)  # (H, W, 3)
        return _Picture(rgb, segmenter.prepare(rgb))

    def score(pictures: Sequence[_Picture[Prepared]]) -> list[_Picture[Scored]]:
        scored = segmenter.score([picture.model for picture in pictures])
        return [_Picture(picture.rgb, scores) for picture, scores in zip(pictures, scored, strict=True)]

    def work(_: FoundImage, picture: _Picture[Scored]) -> ImageResult:
        labels = segmenter.label(picture.model)  # (H, W)
        scores = segmenter.class_scores(picture.model) if has_scores else None  # (C, H, W)
        return ImageResult(picture.rgb, labels, segmenter.classes, scores)

    def write(image: FoundImage, result: ImageResult) -> Outcome:
        written = write_result(plan.paths(str(image.relative)), result)
        height, width = result.labels.shape
        return Outcome(tuple(written), (height, width), class_pixels(result.labels, len(result.classes)))

    classes = len(segmenter.classes)
    label_bytes = 1 if classes <= BYTE_CLASSES else 2
    px_bytes = 3 + label_bytes + (4 * classes if has_scores else 0)

    def held_bytes(hw: tuple[int, int]) -> int:
        return px_bytes * hw[0] * hw[1] + segmenter.prepared_bytes(hw)

    at_once = images_at_once(segmenter.encoder.device, segmenter.encoder.batch_pixels)
    return Steps(read, work, write, held_bytes, together=score, at_once=at_once)
