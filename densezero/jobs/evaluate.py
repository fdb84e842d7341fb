"""Evaluates an encoder on a benchmark: one image at a time, counts kept as they come, one report at the end."""

from __future__ import annotations

import json
import platform
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

import densezero
from densezero.datasets import Dataset, Pair, load_dataset, refuse_differing_sizes
from densezero.encoders.catalog import load_encoder
from densezero.engine.presets import find_protocol
from densezero.engine.segmenter import Segmenter
from densezero.errors import InputError, OutputError
from densezero.evaluation.report import Report, score_counts, score_image
from densezero.images import read_rgb
from densezero.jobs.counts import CountJournal, ImageCounts, add_boundaries
from densezero.jobs.progress import Listener, Progress
from densezero.jobs.settings import EvaluateSettings
from densezero.jobs.shards import gather, join_processes, leave_processes, wait_for_all
from densezero.metrics import count_boundaries, count_pairs, iou_scores
from densezero.output.atomic import write_atomically
from densezero.vocabulary import ClassList, load_class_list, load_templates

STAGES = ("read", "segment", "target", "count")


def evaluate_dataset(settings: EvaluateSettings, listener: Listener | None = None) -> Report | None:
    """Evaluate and write the report; goes on where an earlier run of the same request stopped.

    Args:
        settings: the request.
        listener: hears of notes and progress.

    Returns:
        The report; None in processes that do not lead a run of several.

    Raises:
        DenseZeroError: if the request cannot be met or a file of the data set cannot be used. The counts so far stay.
    """
    listener = listener or Listener()
    _refuse_unusable_out(settings.out)
    dataset = load_dataset(settings.dataset, settings.root, settings.split)
    pairs = select_pairs(dataset, settings)
    refuse_differing_sizes(replace(dataset, pairs=tuple(pairs)))  # before an hour has gone by
    segmenter = _build_segmenter(settings, dataset, listener)
    request = _request(settings, dataset, segmenter)
    shard = join_processes()
    journal = CountJournal(settings.out, shard.rank, request)
    wait_for_all(shard)  # everyone has read what is known before anyone writes
    journal.open()
    run = _Evaluation(dataset, segmenter, journal, listener, len(pairs), settings.boundary)
    waiting = [pair for pair in pairs if pair.name not in journal.known]
    fresh = run.over(shard.share_of(waiting))
    everything = {counts.name: counts for counts in (*journal.known.values(), *gather(shard, fresh))}
    report = None
    if shard.leads:
        report = make_report(settings, dataset, segmenter, [everything[pair.name] for pair in pairs], request)
        write_atomically(settings.out, lambda file: file.write(report.to_json().encode()))
        journal.remove_all()
    leave_processes(shard)
    return report


def select_pairs(dataset: Dataset, settings: EvaluateSettings) -> list[Pair]:
    """The pairs of a data set that a request asks for.

    Raises:
        InputError: if a name of the list is no pair of the data set, or nothing is left.
    """
    pairs = list(dataset.pairs)
    if settings.images is not None:
        try:
            lines = settings.images.read_text(encoding="utf-8").splitlines()
        except (OSError, ValueError) as error:
            raise InputError(f"Expected a list of images, one name a line; {settings.images}: {error}.") from None
        by_name = {pair.name: pair for pair in pairs}
        names = [line.strip() for line in lines if line.strip()]
        unknown = [name for name in names if name not in by_name]
        if unknown:
            raise InputError(
                f"{settings.images} names images that {dataset.name} does not have: {', '.join(unknown[:5])}. "
                f"Its names look like {pairs[0].name!r}."
            )
        pairs = [by_name[name] for name in dict.fromkeys(names)]
    pairs = pairs[: settings.limit]
    if not pairs:
        raise InputError(f"No image is left of {dataset.name}. Ask for at least one with --limit or --images.")
    return pairs


def make_report(
    settings: EvaluateSettings,
    dataset: Dataset,
    segmenter: Segmenter,
    counts: list[ImageCounts],
    request: dict[str, Any],
) -> Report:
    """Add the counts up, once, and score them."""
    names = dataset.classes.names
    total = np.zeros((len(names), len(names)), np.int64)
    per_image = []
    for image in counts:
        matrix = np.zeros_like(total)
        image.add_to(matrix)
        total += matrix
        per_image.append(score_image(image.name, matrix))
    scores, per_class = score_counts(total, names)
    if (boundary := add_boundaries(counts, len(names))) is not None:
        scores["boundary_miou"] = None if np.isnan(boundary.mean) else boundary.mean
    return Report(
        dataset=dataset.name,
        model=settings.model,
        protocol=segmenter.protocol.name,
        images=len(counts),
        scores=scores,
        per_class=per_class,
        confusion=total.tolist(),
        per_image=per_image,
        request=request,
        machine=_machine(segmenter),
        seconds={stage: round(sum(image.seconds.get(stage, 0.0) for image in counts), 3) for stage in STAGES},
    )


@dataclass
class _Evaluation:
    dataset: Dataset
    segmenter: Segmenter
    journal: CountJournal
    listener: Listener
    total: int
    boundary: bool
    confusion: NDArray[np.int64] = field(init=False)

    def __post_init__(self) -> None:
        size = len(self.dataset.classes)
        self.confusion = np.zeros((size, size), np.int64)
        for counts in self.journal.known.values():
            counts.add_to(self.confusion)

    def over(self, pairs: list[Pair]) -> list[ImageCounts]:
        began, fresh = time.perf_counter(), []
        for pair in pairs:
            counts = self._one(pair)
            self.journal.add(counts)
            counts.add_to(self.confusion)
            fresh.append(counts)
            seconds = time.perf_counter() - began
            progress = Progress(pair.name, None, len(fresh), 0, len(self.journal.known), self.total, seconds)
            self.listener.image(progress, iou_scores(self.confusion).miou)
        return fresh

    def _one(self, pair: Pair) -> ImageCounts:
        seconds: dict[str, float] = {}
        with _timed(seconds, "read"):
            rgb = read_rgb(pair.image)  # (H, W, 3)
        with _timed(seconds, "target"):
            target = self.dataset.read_target(pair)  # (H, W)
        if target.shape != rgb.shape[:2]:
            raise InputError(
                f"Expected {pair.label} to have the size of {pair.image}, {rgb.shape[:2]}; got {target.shape}. "
                "The evaluation goes on from here when the file is right."
            )
        with _timed(seconds, "segment"):
            labels = self.segmenter.segment(rgb).labels  # (H, W)
        with _timed(seconds, "count"):
            classes, ignore = len(self.dataset.classes), self.dataset.ignore
            matrix = count_pairs(labels, target, classes, ignore)  # (C, C)
            boundary = count_boundaries(labels, target, classes, ignore) if self.boundary else None  # (C,) each
        return ImageCounts.from_matrix(pair.name, matrix, seconds, boundary)


@contextmanager
def _timed(seconds: dict[str, float], stage: str) -> Iterator[None]:
    began = time.perf_counter()
    yield
    seconds[stage] = round(time.perf_counter() - began, 5)


def _build_segmenter(settings: EvaluateSettings, dataset: Dataset, listener: Listener) -> Segmenter:
    classes = _classes(settings, dataset)
    protocol = find_protocol(settings.protocol, classes.name)
    templates = load_templates(settings.templates or protocol.templates)
    encoder = load_encoder(settings.model, settings.device, settings.dtype)
    if encoder.note:
        listener.note(encoder.note)
    segmenter = Segmenter(encoder, classes, protocol, templates, listener.embedding)
    if len(segmenter.classes) != len(dataset.classes):
        raise InputError(
            f"{dataset.name} has {len(dataset.classes)} classes, and the protocol makes {len(segmenter.classes)} of "
            "them by adding a background. Use the variant of the benchmark that has a background class."
        )
    return segmenter


def _classes(settings: EvaluateSettings, dataset: Dataset) -> ClassList:
    """The words: the data set's own class list, or another for the same labels."""
    if settings.vocabulary is None:
        return dataset.classes
    classes = load_class_list(settings.vocabulary)
    if len(classes) != len(dataset.classes):
        raise InputError(
            f"{dataset.name} has {len(dataset.classes)} classes, and {settings.vocabulary} names {len(classes)}. "
            "Give a list with one class for each label, in the order of the labels."
        )
    return classes


def _request(settings: EvaluateSettings, dataset: Dataset, segmenter: Segmenter) -> dict[str, Any]:
    selection: dict[str, Any] = {}
    if settings.limit is not None:
        selection["limit"] = settings.limit
    if settings.images is not None:
        selection["images"] = str(settings.images)
    request = {
        "dataset": dataset.name,
        "split": settings.split,
        "root": str(settings.root.resolve()),
        "model": settings.model,
        "selection": selection,
        "boundary": settings.boundary,
        **segmenter.provenance.to_json(),
    }
    plain: dict[str, Any] = json.loads(json.dumps(request))  # as the report's file gives it back
    return plain


def _machine(segmenter: Segmenter) -> dict[str, Any]:
    return {
        "densezero": densezero.__version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "device": str(segmenter.encoder.device),
        "platform": platform.platform(),
        "threads": torch.get_num_threads(),
    }


def _refuse_unusable_out(out: Path) -> None:
    if out.is_dir():
        raise OutputError(f"Expected a file for the report; {out} is a folder. Give --out FILE.json.")
