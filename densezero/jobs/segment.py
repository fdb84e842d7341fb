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
from densezero.images import FoundImage, read_rgb
from densezero.jobs.manifest import MANIFEST, Manifest
from densezero.jobs.places import OutputFolder, check_all, find_inputs
from densezero.jobs.resume import look_back
from densezero.jobs.run import ImageJob, ImageRun, Outcome, RunSummary
from densezero.jobs.settings import SegmentSettings
from densezero.output.areas import class_pixels
from densezero.output.classes_json import CLASSES, encode_classes_json
from densezero.output.coco import coco_pieces
from densezero.output.image_files import ImageResult
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
    plan, words = check_all(lambda: _plan_outputs(settings, images, folder), lambda: read_words(settings))
    plan.refuse_classes(words.classes)
    with folder.locked(settings.dry_run):
        segmenter = build_segmenter(settings, words, listener)
        plan = _plan_outputs(settings, images, folder, look_back(folder, settings.overwrite).files)
        plan.refuse_classes(segmenter.classes)
        job = SegmentJob(segmenter, plan, folder, regions, settings.show_confidence or "confidence" in plan.formats)
        words_of_classes = ["|".join(of_class) for of_class in segmenter.classes.words]  # says which classes differ
        of_regions = regions.start(segmenter.encoder.device)
        request = {**segmenter.provenance.to_json(), "classes": words_of_classes, **of_regions}
        run = ImageRun(folder, request, job, listener)
        about = {"device": str(segmenter.encoder.device), "passed_over": passed_over, **regions.about()}
        summary = run.over(images, settings, about)
        if job.confidence is not None and settings.show_confidence and not settings.dry_run:
            listener.result(job.confidence.describe())
        return summary


def _plan_outputs(
    settings: SegmentSettings, images: Sequence[FoundImage], folder: OutputFolder, earlier: Iterable[str] = ()
) -> OutputPlan:
    """Plan the outputs. Refuse those that the run reads, such as pictures and lists, or that cannot be written."""
    relatives = [image.relative for image in images]
    plan = plan_outputs(relatives, settings.save, settings.keep_suffix, earlier)
    plan = plan.with_min_area(settings.min_area_px, folder.path)
    of_images, photos = plan.image_files(relatives)
    of_run = (CLASSES, MANIFEST, *plan.run_files())
    given = [Path(name) for name in (settings.vocabulary, settings.templates, settings.classifier) if name is not None]
    images_read = (file for image in images for file in (image.path, *image.companions))
    of_examples = (file for text in settings.examples for file in parse_example(text).files)
    read = (*settings.inputs, *images_read, *of_examples, *given, *model_files(settings.model))
    outputs, links = map(folder.path, (*of_images, *of_run)), map(folder.path, photos)
    refuse_unusable_outputs(settings.out, outputs, read, links=links)
    return plan


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
    """Read the class list, the protocol and the templates of a request.

    Raises:
        DenseZeroError: if one of them is unknown or malformed.
    """
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
    """Load the model of a request, and embed its words."""
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


@dataclass(frozen=True)
class _Picture(Generic[OfModel]):
    """An image (H, W, 3), and the same as the model takes it, or what the model has made of it."""

    rgb: NDArray[np.uint8]
    model: OfModel


class SegmentJob(ImageJob[FoundImage, _Picture[Prepared], _Picture[Scored], ImageResult]):
    """Each image becomes a label map, an overlay and what else was asked for."""

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

    def read(self, image: FoundImage) -> _Picture[Prepared]:
        """Read the image and its regions, and resize the image for the model."""
        rgb = read_rgb(image.path)  # (H, W, 3)
        return _Picture(rgb, self.segmenter.prepare(rgb, self.regions.read(image, (rgb.shape[0], rgb.shape[1]))))

    def together(self, images: Sequence[_Picture[Prepared]]) -> list[_Picture[Scored]]:
        """Make the regions of several images where a model does that, and score the images."""
        scored = self.segmenter.score([self.regions.complete(image.model, image.rgb) for image in images])
        return [_Picture(image.rgb, scores) for image, scores in zip(images, scored, strict=True)]

    def work(self, content: _Picture[Scored]) -> ImageResult:
        """Label the image."""
        labels = self.segmenter.label(content.model)  # (H, W)
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
        return Outcome(result.hw, class_pixels(result.labels, len(result.classes)), pieces)

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
