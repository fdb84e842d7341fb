"""Evaluates an encoder on a benchmark and writes a report; a stopped evaluation can be continued."""

from __future__ import annotations

import hashlib
import json
import platform
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from importlib.metadata import version
from itertools import takewhile
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

import densezero
from densezero.datasets import Dataset, Pair, load_dataset, refuse_differing_sizes
from densezero.datasets.label_notes import label_notes
from densezero.datasets.layout import unify
from densezero.encoders.catalog import load_encoder
from densezero.encoders.device import images_at_once
from densezero.encoders.hashes import HASH_VERSION
from densezero.engine.presets import protocol_for
from densezero.engine.segmenter import Prepared, Scored, Segmenter
from densezero.errors import InputError, OutputError
from densezero.evaluation.report import Report, read_report, score_counts
from densezero.images import read_rgb
from densezero.jobs.differences import explain_differences
from densezero.jobs.evaluate.counts import CountJournals, ImageCounts, PairState
from densezero.jobs.evaluate.processes import (
    check_environment,
    gather,
    is_leading,
    join_processes,
    leave_processes,
    own_device,
    silent_unless_leading,
    take_own_threads,
    wait_for_all,
)
from densezero.jobs.evaluate.running_scores import RunningScores
from densezero.jobs.evaluate.settings import EvaluateSettings
from densezero.jobs.journal import lock
from densezero.jobs.overlap import Ahead, picture_bytes, read_ahead, readers, try_together
from densezero.jobs.places import model_files, read_list, refuse_unusable_outputs
from densezero.jobs.progress import Listener, Progress
from densezero.metrics import count_boundaries, count_pairs, iou_scores
from densezero.output.atomic import remove_leftovers, write_atomically
from densezero.vocabulary import ClassList, load_class_list, load_templates

STAGES = ("read", "segment", "target", "count")
_PX_BYTES = 5  # picture and target while they are read


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
    check_environment()
    listener = listener if listener is not None and is_leading() else Listener()
    take_own_threads()
    with ExitStack() as stack:
        with silent_unless_leading():
            if is_leading():
                stack.enter_context(lock(settings.out.with_name(f".{settings.out.name}.lock"), settings.out))
            plan = _plan(settings, listener)
            report = _report_there(settings.out, plan)
        if report is None:
            return _evaluate(settings, plan, listener)
        listener.note(f"{settings.out} is there already, and images and labels are as they were")
        return report if is_leading() else None


@dataclass(frozen=True)
class _Plan:
    """What is measured, with what, and the request as the report keeps it."""

    dataset: Dataset
    pairs: list[Pair]
    segmenter: Segmenter
    request: dict[str, Any]


def _plan(settings: EvaluateSettings, listener: Listener) -> _Plan:
    """Refuse what can be refused, the cheapest first."""
    files = [Path(name) for name in (settings.vocabulary, settings.templates, settings.images) if name is not None]
    read = (*files, *model_files(settings.model))
    refuse_unusable_outputs(settings.out, [settings.out], read, is_folder=False)
    dataset = load_dataset(settings.dataset, settings.root, settings.split)
    pairs = select_pairs(dataset, settings)
    refuse_differing_sizes(replace(dataset, pairs=tuple(pairs)))  # before an hour has gone by
    segmenter = _build_segmenter(settings, dataset, listener)
    return _Plan(dataset, pairs, segmenter, _request(settings, dataset, pairs, segmenter))


def _evaluate(settings: EvaluateSettings, plan: _Plan, listener: Listener) -> Report | None:
    """Count the images that wait, together with the other processes, and write the report."""
    shard = join_processes()
    if shard.leads:
        remove_leftovers([settings.out, *CountJournals.files_of(settings.out)])
    journals = CountJournals(settings.out, shard.rank, plan.request)
    running = _add_known(journals, plan, listener)
    wait_for_all(shard)  # everyone has read what is known before anyone writes
    journals.open()
    waiting = [pair for pair in plan.pairs if pair.name not in running.scores]
    evaluation = _Evaluation(plan.dataset, plan.segmenter, journals, listener, settings.boundary)
    report = None
    for part in gather(shard, [evaluation.over(shard.share_of(waiting), running)]):
        running.merge(part)
    if shard.leads:
        for note in label_notes(plan.dataset, running.confusion.sum(1), running.ignored):
            listener.note(note)
        report = make_report(settings, plan.dataset, plan.segmenter, plan.pairs, running, plan.request)
        content = report.to_bytes()
        write_atomically(settings.out, lambda file: file.write(content), durable=True)
        journals.remove_all()
    leave_processes(shard)
    return report


def select_pairs(dataset: Dataset, settings: EvaluateSettings) -> list[Pair]:
    """The pairs of a data set that a request asks for.

    Raises:
        InputError: if a name of the list is no pair of the data set, or nothing is left.
    """
    pairs = list(dataset.pairs) if settings.images is None else _pairs_listed(dataset, settings.images)
    pairs = pairs[: settings.limit]
    if not pairs:
        raise InputError(f"No image is left of {dataset.name}. Ask for at least one with --limit or --images.")
    return pairs


def _pairs_listed(dataset: Dataset, file: Path) -> list[Pair]:
    """The pairs that a file names, one a line; a name may be that of the image, with its ending."""
    lines = read_list(file)
    by_name = {str(PurePosixPath(pair.name).with_name(pair.image.name)): pair for pair in dataset.pairs}
    by_name |= {pair.name: pair for pair in dataset.pairs}
    names = [unify(line.strip()) for line in lines if line.strip()]
    unknown = [name for name in names if name not in by_name]
    if unknown:
        raise InputError(
            f"{file} names images that {dataset.name} does not have: {', '.join(unknown[:5])}. "
            f"Its names look like {dataset.pairs[0].name!r}."
        )
    return list({by_name[name].name: by_name[name] for name in names}.values())


def make_report(
    settings: EvaluateSettings,
    dataset: Dataset,
    segmenter: Segmenter,
    pairs: list[Pair],
    running: RunningScores,
    request: dict[str, Any],
) -> Report:
    """Score the counts of all images, once."""
    scores, per_class = score_counts(running.confusion, dataset.classes.names)
    if settings.boundary:
        boundary = running.boundary_counts.mean
        scores["boundary_miou"] = None if np.isnan(boundary) else boundary
    return Report(
        dataset=dataset.name,
        model=settings.model,
        protocol=segmenter.protocol.name,
        images=len(running),
        scores=scores,
        per_class=per_class,
        confusion=running.confusion.tolist(),
        per_image=[running.scores[pair.name] for pair in pairs],
        request=request,
        machine=_machine(segmenter),
        seconds={stage: round(running.seconds.get(stage, 0.0), 3) for stage in STAGES},
        vocabulary=json.loads(segmenter.classes.to_json()),
        templates=list(segmenter.templates.texts),
        files_sha256=files_sha256((pair.name, running.files[pair.name]) for pair in pairs),
    )


def _add_known(journals: CountJournals, plan: _Plan, listener: Listener) -> RunningScores:
    """Add up what earlier runs have counted of the images that are asked for, unless their files changed since."""
    asked = {pair.name: pair for pair in plan.pairs}
    last = {counts.name: counts.state for counts in journals.known() if counts.name in asked}
    changed = {name for name, state in last.items() if not state.is_that_of(asked[name])}
    running = RunningScores(len(plan.dataset.classes))
    for counts in journals.known():
        if counts.name in last and counts.name not in changed and counts.state == last[counts.name]:
            try:
                running.add(counts)
            except IndexError:
                raise OutputError(
                    f"The counts beside {journals.report} are damaged: {counts.name} has classes beyond "
                    f"{len(plan.dataset.classes)}. Delete .{journals.report.name}.*.counts to count anew."
                ) from None
    if changed:
        first = ", ".join(sorted(changed)[:5])
        listener.note(
            f"{len(changed)} images or labels changed since they were counted ({first}), and are counted anew"
        )
    return running


@dataclass(frozen=True)
class _Sample:
    """A pair that has been read: the image as the model takes it, its (H, W) target, the files, the stages' times."""

    prepared: Prepared
    target: NDArray[np.uint8]
    state: PairState
    seconds: dict[str, float]


@dataclass
class _Evaluation:
    dataset: Dataset
    segmenter: Segmenter
    journals: CountJournals
    listener: Listener
    boundary: bool

    def over(self, pairs: list[Pair], known: RunningScores) -> RunningScores:
        """Count this process's share of the images; of several processes the leading one tells of its own."""
        began, fresh = time.perf_counter(), RunningScores(len(self.dataset.classes))
        encoder = self.segmenter.encoder
        at_once = images_at_once(encoder.device, encoder.batch_pixels)
        with readers(at_once) as reader:
            for ahead in read_ahead(pairs, self._read, self._held_bytes, reader, at_once):
                for counts in self._counted(ahead):
                    self.journals.add(counts)
                    fresh.add(counts)
                    seconds = time.perf_counter() - began
                    progress = Progress(counts.name, None, len(fresh), 0, len(known), len(known) + len(pairs), seconds)
                    self.listener.image(progress, iou_scores(known.confusion + fresh.confusion).miou)
                del ahead  # the next may want all memory
        return fresh

    def _held_bytes(self, pair: Pair) -> int:
        def of_size(hw: tuple[int, int]) -> int:
            return _PX_BYTES * hw[0] * hw[1] + self.segmenter.prepared_bytes(hw)

        return picture_bytes(pair.image, of_size)

    def _counted(self, ahead: Ahead[Pair, _Sample]) -> Iterator[ImageCounts]:
        """The counts of some pairs, up to one that cannot be read, whose error follows."""
        whole = [reading.result() for reading in takewhile(lambda reading: reading.exception() is None, ahead.readings)]
        seconds: dict[str, float] = {}
        with _timed(seconds, "segment"):
            scored = try_together(self.segmenter.score, [sample.prepared for sample in whole])
        share = seconds["segment"] / max(len(whole), 1)
        for index, (pair, sample) in enumerate(zip(ahead.items, whole, strict=False)):
            yield self._count(pair, sample, None if scored is None else scored[index], share)
        for failed in ahead.readings[len(whole) : len(whole) + 1]:
            failed.result()  # raises

    def _read(self, pair: Pair) -> _Sample:
        seconds: dict[str, float] = {}
        state = PairState.of(pair)
        with _timed(seconds, "read"):
            rgb = read_rgb(pair.image)  # (H, W, 3)
            prepared = self.segmenter.prepare(rgb)
        with _timed(seconds, "target"):
            target = self.dataset.read_target(pair)  # (H, W)
        if target.shape != rgb.shape[:2]:
            raise InputError(
                f"Expected {pair.label} to have the size of {pair.image}, {rgb.shape[:2]}; got {target.shape}. "
                "The evaluation goes on from here when the file is right."
            )
        return _Sample(prepared, target, state, seconds)

    def _count(self, pair: Pair, sample: _Sample, scored: Scored | None, seconds_scored: float) -> ImageCounts:
        seconds = dict(sample.seconds)
        with _timed(seconds, "segment"):
            scored = scored or self.segmenter.score([sample.prepared])[0]
            labels = self.segmenter.label(scored)  # (H, W)
        seconds["segment"] = round(seconds["segment"] + seconds_scored, 5)
        with _timed(seconds, "count"):
            classes, ignore = len(self.dataset.classes), self.dataset.ignore
            matrix = count_pairs(labels, sample.target, classes, ignore)  # (C, C)
            ignored = sample.target.size - int(matrix.sum())
            boundary = count_boundaries(labels, sample.target, classes, ignore) if self.boundary else None  # (C,) each
        return ImageCounts.from_matrix(pair.name, sample.state, matrix, ignored, seconds, boundary)


@contextmanager
def _timed(seconds: dict[str, float], stage: str) -> Iterator[None]:
    began = time.perf_counter()
    yield
    seconds[stage] = round(time.perf_counter() - began, 5)


def _build_segmenter(settings: EvaluateSettings, dataset: Dataset, listener: Listener) -> Segmenter:
    classes = _classes(settings, dataset)
    protocol = protocol_for(classes, settings.protocol)
    templates = load_templates(settings.templates or protocol.templates)
    encoder = load_encoder(settings.model, own_device(settings.device), settings.dtype)
    if encoder.note:
        listener.note(encoder.note)
    segmenter = Segmenter(encoder, classes, protocol, templates, listener.embedding)
    encoder.release_text()
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


def _request(settings: EvaluateSettings, dataset: Dataset, pairs: list[Pair], segmenter: Segmenter) -> dict[str, Any]:
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
        "images": len(pairs),
        "image_names_sha256": hashlib.sha256(
            "\n".join(pair.name for pair in pairs).encode("utf-8", "replace")
        ).hexdigest(),
        "boundary": settings.boundary,
        "hash_version": HASH_VERSION,
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
        "pillow": version("pillow"),
        "device": str(segmenter.encoder.device),
        "platform": platform.platform(),
        "threads": torch.get_num_threads(),
    }


def _report_there(out: Path, plan: _Plan) -> Report | None:
    """The report of an earlier run of the same request on the same files; None where there is no file.

    Raises:
        OutputError: if the file is no report, or the report of another request or of other files.
    """
    if not out.exists():
        return None
    try:
        report = read_report(out)
    except InputError as error:
        raise OutputError(f"{out} is there already and would be written over. {error} Choose another --out.") from None
    if report.request != plan.request:
        raise OutputError(
            f"{out} is the report of another request; {explain_differences(report.request, plan.request)}. "
            "Choose another --out, or remove that file."
        )
    if report.files_sha256 != files_sha256((pair.name, PairState.of(pair).sha256) for pair in plan.pairs):
        raise OutputError(
            f"Images or labels in {plan.request['root']} changed since {out} was measured. Choose another --out, or "
            "remove that file."
        )
    return report


def files_sha256(files: Iterable[tuple[str, tuple[str, str]]]) -> str:
    """One hash of all images and labels: of each name and the hashes of its two files."""
    lines = (f"{name} {image} {label}\n".encode("utf-8", "replace") for name, (image, label) in files)
    return hashlib.sha256(b"".join(lines)).hexdigest()
