"""Segments single images of an earlier evaluation again, with the same settings."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from densezero.datasets import Dataset, load_dataset
from densezero.encoders.catalog import load_encoder
from densezero.encoders.hashes import HASH_VERSION, OLD_HASHES
from densezero.engine.protocol import Protocol
from densezero.engine.segmenter import Segmenter
from densezero.errors import DenseZeroError, InputError
from densezero.evaluation.gallery import GalleryImage, RankedImage, make_gallery_image
from densezero.evaluation.report import Report
from densezero.evaluation.report_request import WAY_OUT, asked, find_classes, find_templates
from densezero.images import read_rgb
from densezero.jobs.evaluate.settings import ReportSettings
from densezero.jobs.heads.labels import head_segmenter_for
from densezero.progress import Listener, Progress
from densezero.vocabulary.background import with_background


def find_dataset_again(report: Report, settings: ReportSettings) -> Dataset:
    """Find the data set of a report where it was, or at another root.

    Raises:
        InputError: if it is not there any more, or has other classes.
    """
    root = settings.root or Path(asked(report, "root"))
    try:
        dataset = load_dataset(report.dataset, root, asked(report, "split"))
    except DenseZeroError as error:
        raise InputError(
            f"The best and worst images need the data set of the report, which cannot be read at {root}: {error} "
            f"Give --root DIR where it is now, {WAY_OUT}"
        ) from None
    if list(dataset.classes.names) != list(report.per_class):
        raise InputError(
            f"Expected the classes of the report in {root}; the data set there has other names, or another order. "
            f"Give --root DIR of the data set that was evaluated, {WAY_OUT}"
        )
    return dataset


def build_segmenter_again(report: Report, settings: ReportSettings, dataset: Dataset, listener: Listener) -> Segmenter:
    """Build the segmenter of a report; what is cheap to compare is compared before the weights are loaded.

    Raises:
        InputError: if class list, templates or weights are others than the report's, or it does not say them.
        ModelError: if the model cannot be loaded.
    """
    if "head" in report.request:
        return _build_head_again(report, settings, dataset)
    protocol = Protocol.from_json(asked(report, "protocol"))
    classes = find_classes(report, dataset)
    worded = with_background(classes, protocol.background).classes
    _refuse_other(report, "class_list_sha256", worded.sha256, "It was another file, or has changed; evaluate again,")
    templates = find_templates(report)
    _refuse_other(report, "templates_sha256", templates.sha256, "They have changed; evaluate again,")
    encoder = load_encoder(settings.model or asked(report, "model"), dtype=asked(report, "dtype"))
    _refuse_other(report, "weights_sha256", encoder.weights_hash, "Give the evaluated weights with --model,")
    if encoder.note:
        listener.note(encoder.note)
    return Segmenter(encoder, classes, protocol, templates, listener.embedding)


def _build_head_again(report: Report, settings: ReportSettings, dataset: Dataset) -> Segmenter:
    head, model, preset = report.request["head"], settings.model or asked(report, "model"), asked(report, "preset")
    segmenter = head_segmenter_for(dataset, head, model, preset, dtype=asked(report, "dtype"))
    made = segmenter.provenance
    _refuse_other(report, "weights_sha256", made.weights_sha256, "Give the evaluated weights with --model,")
    if list(made.examples) != asked(report, "examples"):
        raise InputError(
            f"Expected the head of the report; {head} of {model} is another one. Evaluate again, {WAY_OUT}"
        )
    return segmenter


def segment_again(
    ranked: Sequence[RankedImage], dataset: Dataset, segmenter: Segmenter, listener: Listener
) -> list[GalleryImage]:
    """Segment images of a report again, and reduce each to what a figure shows.

    The listener hears of scores that differ from the report's. ``InputError`` is raised for an image that has gone.
    """
    pairs = {pair.name: pair for pair in dataset.pairs}
    gone = [image.score.name for image in ranked if image.score.name not in pairs]
    if gone:
        raise InputError(
            f"The report has images that its data set does not have here: {', '.join(gone[:5])}. "
            f"Give --root DIR of the data set that was evaluated, {WAY_OUT}"
        )
    images, began = [], time.perf_counter()
    for done, image in enumerate(ranked, 1):
        pair = pairs[image.score.name]
        rgb, target = read_rgb(pair.image), dataset.read_target(pair)  # (H, W, 3) and (H, W)
        labels = segmenter.segment(rgb).labels  # (H, W)
        drawn = make_gallery_image(image, rgb, target, labels, len(dataset.classes), dataset.ignore)
        if drawn.note:
            listener.note(f"{pair.name} comes out at {drawn.miou:.2f} %, and {drawn.note}: another device or label?")
        images.append(drawn)
        listener.image(Progress(pair.name, None, done, 0, 0, len(ranked), time.perf_counter() - began))
    return images


def _refuse_other(report: Report, field_name: str, came: str, way: str) -> None:
    expected = asked(report, field_name)
    if came == expected:
        return
    if field_name == "weights_sha256" and report.request.get("hash_version", 1) != HASH_VERSION:
        way = f"The report was written by a version of densezero {OLD_HASHES}. Evaluate again,"
    raise InputError(
        f"Expected {field_name} as in the report, {expected[:16]}...; got {came[:16]}..., which would draw other "
        f"results than were measured. {way} {WAY_OUT}"
    )
