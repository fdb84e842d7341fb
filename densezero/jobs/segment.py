"""Segments many images: few at a time in memory, complete files only, and one bad image stops no other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from densezero.classifiers.classifier import Classifier, classifier_segmenter, load_classifier
from densezero.classifiers.head_segmenter import NO_TEMPLATES, head_protocol
from densezero.encoders.catalog import load_encoder, model_files
from densezero.encoders.device import images_at_once
from densezero.engine.labelling import BYTE_CLASSES
from densezero.engine.presets import protocol_for, with_changes
from densezero.engine.protocol import Protocol
from densezero.engine.segmenter import Prepared, Scored, Segmenter
from densezero.errors import InputError
from densezero.evaluation.confidence import ConfidenceCounts, confidence_map
from densezero.examples.classes import with_example_classes
from densezero.examples.example import Example, parse_example
from densezero.heads.classes import ADE20K
from densezero.images import FoundImage
from densezero.images.rasters import BandChoice, load_rasterio, parse_band_choice
from densezero.images.read import read_pixels
from densezero.jobs.heads.labels import build_head_segmenter, head_files
from densezero.jobs.manifest import MANIFEST, Manifest
from densezero.jobs.places import OutputFolder, check_all, find_inputs
from densezero.jobs.resume import look_back
from densezero.jobs.run import ImageJob, ImageRun, Outcome, RunSummary
from densezero.jobs.settings import SegmentSettings
from densezero.output.areas import class_pixels
from densezero.output.classes_json import CLASSES, encode_classes_json
from densezero.output.coco import coco_pieces
from densezero.output.geojson import refuse_images_without_place, refuse_other_crs
from densezero.output.image_files import ImageResult
from densezero.output.labels import ignore_value
from densezero.output.paths import refuse_unusable_outputs
from densezero.output.run_files import write_run_files
from densezero.output.writer import OutputPlan, plan_outputs
from densezero.progress import Listener
from densezero.regions.open import open_regions
from densezero.regions.source import RegionSource
from densezero.vocabulary import ClassList, Templates, describe_classes, load_class_list, load_templates, parse_inline
from densezero.vocabulary.background import check_background, refuse_unknown_temperature

OfModel = TypeVar("OfModel")


def segment_images(settings: SegmentSettings, listener: Listener | None = None) -> RunSummary:
    """Segment every image of the request and write what it asks for. The same request goes on after a stop.

    Raises:
        DenseZeroError: if the request cannot be met; nothing has been written then.
    """
    listener = listener or Listener()
    passed_over: Counter[str] = Counter()
    images = find_inputs(settings.inputs, settings.images, listener, passed_over)
    regions = open_regions(settings.regions, images, listener.note)
    images = regions.images
    folder = OutputFolder(settings.out)
    plan, words = check_all(lambda: plan_files(settings, images, folder), lambda: read_words(settings))
    plan.refuse_classes(words.classes)
    _check_maps(settings, plan, images, folder)
    with folder.locked(settings.dry_run):
        segmenter = build_segmenter(settings, words, listener)
        plan = plan_files(settings, images, folder, look_back(folder, settings.overwrite).files)
        plan.refuse_classes(segmenter.classes)
        job = SegmentJob(segmenter, plan, folder, regions, settings.show_confidence or "confidence" in plan.formats)
        job.choice = parse_band_choice(settings.bands, settings.value_range)
        request = {**request_of(segmenter), **regions.start(segmenter.encoder.device), **job.choice.to_json()}
        run = ImageRun(folder, request, job, listener)
        about = {"device": str(segmenter.encoder.device), "passed_over": passed_over, **regions.about()}
        summary = run.over(images, settings, about)
        if job.confidence is not None and settings.show_confidence and not settings.dry_run:
            listener.result(job.confidence.describe())
        return summary


def plan_files(
    settings: SegmentSettings, images: Sequence[FoundImage], folder: OutputFolder, earlier: Iterable[str] = ()
) -> OutputPlan:
    """Plan the outputs. Refuse those that the run reads, such as pictures and lists, or that cannot be written."""
    relatives = [image.relative for image in images]
    plan = plan_outputs(relatives, settings.save, settings.keep_suffix, earlier)
    plan = replace(plan.with_min_area(settings.min_area_px, folder.path), crs=settings.crs)
    of_images, photos = plan.image_files(relatives)
    of_run = (CLASSES, MANIFEST, *plan.run_files())
    given = [Path(name) for name in (settings.vocabulary, settings.templates, settings.classifier) if name is not None]
    images_read = (file for image in images for file in (image.path, *image.companions))
    of_examples = (file for text in settings.examples for file in parse_example(text).files)
    read = (
        *settings.inputs,
        *images_read,
        *of_examples,
        *given,
        *model_files(settings.model),
        *head_files(settings.head),
    )
    outputs, links = map(folder.path, (*of_images, *of_run)), map(folder.path, photos)
    refuse_unusable_outputs(settings.out, outputs, read, links=links)
    return plan


def _check_maps(
    settings: SegmentSettings, plan: OutputPlan, images: Sequence[FoundImage], folder: OutputFolder
) -> None:
    """Refuse what maps lack: the library, a georeference of an image, or one coordinate system for all files."""
    if "geotiff" in plan.formats:
        load_rasterio("--save geotiff")
    if "geojson" in plan.formats:
        refuse_images_without_place(image.path for image in images)
        files = (folder.path(plan.files_of("geojson", image.relative)[0]) for image in images)
        refuse_other_crs([] if settings.overwrite else files, settings.crs)


@dataclass(frozen=True)
class Words:
    """What is searched for, and how. Without ``listed`` examples alone define the classes, or a classifier."""

    classifier: Classifier | None
    listed: ClassList | None
    examples: tuple[Example, ...]
    classes: ClassList
    protocol: Protocol
    templates: Templates


def read_words(settings: SegmentSettings) -> Words:
    """Read the class list, the protocol and the templates of a request; those of a head are fixed.

    Raises:
        DenseZeroError: if one of them is unknown or malformed.
    """
    if settings.head is not None:
        classes, protocol = load_class_list(ADE20K), head_protocol(settings.preset)
        return Words(None, classes, (), classes, protocol, NO_TEMPLATES)
    classifier = None if settings.classifier is None else load_classifier(settings.classifier)
    listed = None if classifier is None else classifier.classes
    if settings.classes is not None:
        listed = parse_inline(settings.classes)
    if settings.vocabulary is not None:
        listed = load_class_list(settings.vocabulary)
    examples = tuple(map(parse_example, settings.examples))
    if missing := [(example, file) for example in examples for file in example.files if not file.exists()]:
        raise InputError(f"Example {missing[0][0].text}: {missing[0][1]} does not exist. Correct its name.")
    classes, _ = with_example_classes(listed, [example.name for example in examples])
    protocol = with_changes(
        protocol_for(classes, settings.protocol), settings.short_side_px, settings.background,
        settings.background_threshold, settings.unknown, settings.refine,
    )  # fmt: skip
    check_background(classes, protocol.background, has_scale=protocol.scale is not None)
    templates = load_templates(settings.templates or protocol.templates)
    return Words(classifier, listed, examples, classes, protocol, templates)


def build_segmenter(settings: SegmentSettings, words: Words, listener: Listener) -> Segmenter:
    """Load the model of a request, and embed its words; or load its head."""
    if settings.head is not None:
        listener.understood(describe_classes(words.classes))
        how = (settings.preset, settings.short_side_px, settings.device, settings.dtype)
        return build_head_segmenter(settings.head, settings.model, *how)
    encoder = load_encoder(settings.model, settings.device, settings.dtype)
    if encoder.note:
        listener.note(encoder.note)
    listener.understood(describe_classes(words.classes))
    if settings.show_confidence or "confidence" in settings.save:
        refuse_unknown_temperature(encoder, words.protocol.scale, "--save confidence or --show-confidence")
    if words.classifier is not None:
        return classifier_segmenter(encoder, words.classifier, words.protocol)
    segmenter = Segmenter(
        encoder, words.listed, words.protocol, words.templates, listener.embedding, examples=words.examples
    )
    if len(segmenter.classes) == 1:
        listener.note("one class alone covers every pixel; name what else may be there, or add --background auto")
    if text := words.protocol.background.describe_choice(segmenter.protocol.background):
        listener.understood(text)
    encoder.release_text()
    return segmenter


def request_of(segmenter: Segmenter) -> dict[str, Any]:
    """What decides the results of a segmenter. The words of the classes say which of them differ."""
    words_of_classes = ["|".join(of_class) for of_class in segmenter.classes.words]
    return {**segmenter.provenance.to_json(), "classes": words_of_classes}


@dataclass(frozen=True)
class Picture(Generic[OfModel]):
    """An image (H, W, 3), and the same as the model takes it, or what the model has made of it."""

    rgb: NDArray[np.uint8]
    model: OfModel
    has_data: NDArray[np.bool_] | None = None
    """(H, W); None if there is data everywhere."""


class SegmentJob(ImageJob[FoundImage, Picture[Prepared], Picture[Scored], ImageResult]):
    """Each image becomes a label map, an overlay and what else was asked for."""

    choice = BandChoice()
    """Bands and range of TIFF files."""

    def __init__(
        self, segmenter: Segmenter, plan: OutputPlan, folder: OutputFolder, regions: RegionSource, counts: bool
    ) -> None:
        self.segmenter, self.plan, self.folder, self.regions = segmenter, plan, folder, regions
        self.confidence = ConfidenceCounts(segmenter.rule) if counts else None
        self.at_once = images_at_once(segmenter.encoder.device, segmenter.encoder.batch_pixels)
        self.run_files = (CLASSES, *plan.run_files())
        self.needs_pieces = plan.has_masks
        self.is_current = plan.is_current(folder.path)

    def files(self, image: FoundImage) -> list[str]:
        """One for each format."""
        return list(self.plan.files(image.relative).values())

    def prepare(self, waiting: Sequence[FoundImage]) -> None:
        """Write the meaning of the labels, without which they mean nothing."""
        if waiting or not self.folder.is_filled(CLASSES):
            self.folder.write(CLASSES, encode_classes_json(self.segmenter.classes))

    def read(self, image: FoundImage) -> Picture[Prepared]:
        """Read the image and its regions, and resize the image for the model."""
        rgb, has_data = read_pixels(image.path, self.choice)  # (H, W, 3), (H, W)
        regions = self.regions.read(image, (rgb.shape[0], rgb.shape[1]))
        return Picture(rgb, self.segmenter.prepare(rgb, regions), has_data)

    def together(self, images: Sequence[Picture[Prepared]]) -> list[Picture[Scored]]:
        """Make the regions of several images where a model does that, and score the images."""
        scored = self.segmenter.score([self.regions.complete(image.model, image.rgb) for image in images])
        return [Picture(image.rgb, scores, image.has_data) for image, scores in zip(images, scored, strict=True)]

    def work(self, content: Picture[Scored]) -> ImageResult:
        """Label the image."""
        labels = self.segmenter.label(content.model)  # (H, W)
        if content.has_data is not None:
            labels[~content.has_data] = ignore_value(len(self.segmenter.classes))
        scores = self.segmenter.class_scores(content.model) if "scores" in self.plan.formats else None
        confidence = None
        if self.confidence is not None:
            confidence = confidence_map(content.model.scores, content.model.image_hw, self.segmenter.rule)  # (H, W)
            self.confidence.add(confidence)
        return ImageResult(content.rgb, labels, self.segmenter.classes, scores, confidence)

    def write(self, image: FoundImage, result: ImageResult) -> Outcome:
        """Write a file for each format, and keep what the files of the whole run need."""
        self.plan.write(image.relative, replace(result, source=image.path), self.folder.path)
        pieces = coco_pieces(result.labels, len(result.classes)) if self.needs_pieces else None
        confidence = None if result.confidence is None else round(float(result.confidence.mean(dtype=np.float64)), 6)
        return Outcome(result.hw, class_pixels(result.labels, len(result.classes)), pieces, confidence)

    def held_bytes(self, hw: tuple[int, int]) -> int:
        """The image, its regions, its labels, its scores where they are kept, and what the model takes."""
        classes = len(self.segmenter.classes)
        px_bytes = 3 + (1 if classes <= BYTE_CLASSES else 2) + self.plan.score_bytes(classes)
        return (px_bytes + self.regions.px_bytes) * hw[0] * hw[1] + self.segmenter.prepared_bytes(hw)

    def recall(self) -> Iterator[tuple[str, list[Any]]]:
        """The masks of earlier images."""
        return self.plan.recall(self.folder.path)

    def finish(self, manifest: Manifest) -> None:
        """Write the tables and the masks of all images."""
        write_run_files(self.plan, manifest.entries, self.segmenter.classes, self.folder.path)
