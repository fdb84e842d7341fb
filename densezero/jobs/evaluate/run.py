"""Evaluates an encoder on a benchmark and writes a report; a stopped evaluation can be continued."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import ExitStack
from dataclasses import dataclass, replace
from itertools import takewhile
from pathlib import Path
from typing import Any

from densezero.atomic import remove_leftovers, write_bytes
from densezero.datasets import Dataset, Pair, load_dataset, refuse_differing_sizes
from densezero.datasets.label_notes import label_notes
from densezero.datasets.label_words import refuse_added_class, words_for_labels
from densezero.datasets.selection import select_pairs
from densezero.encoders.catalog import load_encoder, model_files
from densezero.encoders.device import images_at_once
from densezero.engine.presets import find_protocol, find_refinement
from densezero.engine.segmenter import Segmenter
from densezero.errors import InputError, OutputError
from densezero.evaluation.counting import PairCounter, Sample, timed
from densezero.evaluation.differences import explain_differences
from densezero.evaluation.image_counts import ImageCounts, PairState
from densezero.evaluation.image_sums import refuse_foreign_sums, sums_file
from densezero.evaluation.report import Report, read_report
from densezero.evaluation.running_scores import RunningScores, files_sha256
from densezero.images.read_ahead import picture_bytes, read_ahead, readers, try_together
from densezero.interrupts import Interrupts
from densezero.jobs.evaluate import processes
from densezero.jobs.evaluate.counts import CountJournals
from densezero.jobs.evaluate.settings import EvaluateSettings
from densezero.jobs.heads.labels import head_files, head_segmenter_for
from densezero.jobs.manifest import plain_request
from densezero.metrics import iou_scores
from densezero.output.lock import lock
from densezero.output.paths import refuse_unusable_outputs
from densezero.progress import Listener, Progress
from densezero.vocabulary import load_templates
from densezero.vocabulary.background import check_background


def evaluate_dataset(settings: EvaluateSettings, listener: Listener | None = None) -> Report | None:
    """Evaluate and write the report; go on where an earlier run of the same request stopped.

    Returns:
        The report; None in processes that do not lead a run of several.

    Raises:
        DenseZeroError: if the request cannot be met or a file of the data set cannot be used. The counts so far stay.
    """
    processes.check_environment()
    listener = listener if listener is not None and processes.is_leading() else Listener()
    processes.take_own_threads()
    with ExitStack() as stack:
        with processes.silent_unless_leading():
            if processes.is_leading():
                stack.enter_context(lock(settings.out.with_name(f".{settings.out.name}.lock"), settings.out))
            plan = _plan(settings, listener)
            report = _report_there(settings.out, plan)
        if report is None:
            return _evaluate(settings, plan, listener)
        listener.note(f"{settings.out} is there already, and images and labels are as they were")
        return report if processes.is_leading() else None


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
    read = (*files, *model_files(settings.model), *head_files(settings.head))
    refuse_unusable_outputs(settings.out, [settings.out, sums_file(settings.out)], read, is_folder=False)
    refuse_foreign_sums(settings.out)
    dataset = load_dataset(settings.dataset, settings.root, settings.split)
    pairs = select_pairs(dataset, settings.limit, settings.images)
    refuse_differing_sizes(replace(dataset, pairs=tuple(pairs)))  # before the model is loaded
    segmenter = _build_segmenter(settings, dataset, listener)
    return _Plan(dataset, pairs, segmenter, _request(settings, dataset, pairs, segmenter))


def _evaluate(settings: EvaluateSettings, plan: _Plan, listener: Listener) -> Report | None:
    """Count the images that wait, together with the other processes, and write the report."""
    shard = processes.join_processes()
    if shard.leads:
        remove_leftovers([settings.out, sums_file(settings.out), *CountJournals.files_of(settings.out)])
    journals = CountJournals(settings.out, shard.rank, plan.request)
    running = _add_known(journals, plan, listener)
    processes.wait_for_all(shard)  # everyone has read what is known before anyone writes
    journals.open()
    waiting = [pair for pair in plan.pairs if pair.name not in running.scores]
    fresh = RunningScores(len(plan.dataset.classes))
    counter = PairCounter(plan.dataset, plan.segmenter, settings.boundary)
    share, began = shard.share_of(waiting), time.perf_counter()
    for counts in _count(counter, share):
        journals.add(counts)
        fresh.add(counts)
        Interrupts.check()
        spent = time.perf_counter() - began
        progress = Progress(counts.name, None, len(fresh), 0, len(running), len(running) + len(share), spent)
        listener.image(progress, iou_scores(running.confusion + fresh.confusion).miou)
    report = None
    for part in processes.gather(shard, [fresh]):
        running.merge(part)
    if shard.leads:
        for note in label_notes(plan.dataset, running.confusion.sum(1), running.ignored):
            listener.note(note)
        report = running.to_report(plan.dataset, plan.pairs, plan.segmenter, plan.request)
        write_bytes(sums_file(settings.out), running.to_sums(plan.pairs).to_bytes())
        write_bytes(settings.out, report.to_bytes())
        journals.remove_all()
    processes.leave_processes(shard)
    return report


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


def _count(counter: PairCounter, pairs: list[Pair]) -> Iterator[ImageCounts]:
    """Count pairs; the next ones are read meanwhile. A pair that cannot be read ends this with its error."""
    encoder = counter.segmenter.encoder
    at_once = images_at_once(encoder.device, encoder.batch_pixels)

    def held_bytes(pair: Pair) -> int:
        return picture_bytes(pair.image, counter.held_bytes)

    with readers(at_once) as reader:
        for ahead in read_ahead(pairs, counter.read, held_bytes, reader, at_once):
            yield from _count_together(counter, ahead.readings)
            del ahead  # the next pairs may need all memory


def _count_together(counter: PairCounter, readings: Sequence[Future[Sample]]) -> Iterator[ImageCounts]:
    """Count the pairs before the first that cannot be read, then raise its error."""
    whole = [reading.result() for reading in takewhile(lambda reading: reading.exception() is None, readings)]
    seconds: dict[str, float] = {}
    with timed(seconds, "segment"):
        scored = try_together(counter.segmenter.score, [sample.prepared for sample in whole])
    for index, sample in enumerate(whole):
        yield counter.count(sample, None if scored is None else scored[index], seconds["segment"] / len(whole))
    for failed in readings[len(whole) : len(whole) + 1]:
        failed.result()  # raises


def _build_segmenter(settings: EvaluateSettings, dataset: Dataset, listener: Listener) -> Segmenter:
    if settings.head is not None:
        how = (settings.preset, None, processes.own_device(settings.device), settings.dtype)
        return head_segmenter_for(dataset, settings.head, settings.model, *how)
    classes = words_for_labels(dataset, settings.protocol, settings.vocabulary)
    listener.understood(f"class list: {classes.name}, {len(classes)} classes")
    protocol = find_protocol(settings.protocol, dataset.name)
    refine, background = find_refinement(settings.refine, protocol), protocol.background.changed(settings.background)
    readout = settings.readout or protocol.readout
    protocol = replace(protocol, readout=readout, refine=refine, background=background)
    check_background(classes, background, has_scale=protocol.scale is not None)
    templates = load_templates(settings.templates or protocol.templates)
    encoder = load_encoder(settings.model, processes.own_device(settings.device), settings.dtype)
    if encoder.note:
        listener.note(encoder.note)
    segmenter = Segmenter(encoder, classes, protocol, templates, listener.embedding)
    encoder.release_text()
    if text := background.describe_choice(segmenter.protocol.background):
        listener.understood(text)
    refuse_added_class(dataset, segmenter.classes)
    return segmenter


def _request(settings: EvaluateSettings, dataset: Dataset, pairs: list[Pair], segmenter: Segmenter) -> dict[str, Any]:
    selection = {"limit": settings.limit, "images": settings.images and str(settings.images)}
    names = "\n".join(pair.name for pair in pairs).encode("utf-8", "replace")
    request = {
        "dataset": dataset.name,
        "split": settings.split,
        "root": str(settings.root.resolve()),
        "model": settings.model,
        "selection": {name: given for name, given in selection.items() if given is not None},
        "images": len(pairs),
        "image_names_sha256": hashlib.sha256(names).hexdigest(),
        "boundary": settings.boundary,
        **({} if settings.name is None else {"name": settings.name.strip()}),
        **({} if settings.head is None else {"head": settings.head, "preset": settings.preset}),
        **segmenter.provenance.to_json(),
    }
    return plain_request(request)


def _report_there(out: Path, plan: _Plan) -> Report | None:
    """Read the report of an earlier run, if there is one. Refuse that of another request or of other files."""
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
