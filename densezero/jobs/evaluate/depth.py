"""Evaluates the depth of a model on NYU Depth v2 and writes a report; a stopped evaluation can be continued."""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from densezero.atomic import remove_leftovers, write_bytes
from densezero.datasets.nyu_depth import DEPTHS, NAME, RANGE_M, NyuDepth, ignored_pixels, open_nyu_depth
from densezero.encoders.file_hash import file_sha256
from densezero.errors import InputError, OutputError
from densezero.evaluation.counting import timed
from densezero.evaluation.depth_report import DepthReport, read_depth_report
from densezero.evaluation.differences import explain_differences
from densezero.evaluation.running_scores import machine_facts
from densezero.heads.names import DEFAULT_SIDE_PX, DEPTH, OFFICIAL
from densezero.heads.open import open_encoder, open_heads
from densezero.heads.predictor import DensePredictor
from densezero.interrupts import Interrupts
from densezero.jobs.evaluate.settings import DepthSettings
from densezero.jobs.journal import Journal
from densezero.jobs.manifest import plain_request
from densezero.metrics import DepthSums, sum_depth_errors
from densezero.output.lock import lock
from densezero.output.paths import refuse_unusable_outputs
from densezero.progress import Listener, Progress


def evaluate_depth(settings: DepthSettings, listener: Listener | None = None) -> DepthReport:
    """Evaluate and write the report; go on where an earlier run of the same request stopped.

    Raises:
        DenseZeroError: if the request cannot be met, or an image cannot be read. The sums so far stay.
    """
    listener = listener or Listener()
    with ExitStack() as stack:
        stack.enter_context(lock(settings.out.with_name(f".{settings.out.name}.lock"), settings.out))
        refuse_unusable_outputs(settings.out, [settings.out], settings.heads, is_folder=False)
        dataset = stack.enter_context(open_nyu_depth(settings.root))
        heads = open_heads(settings.model, (DEPTH,), settings.heads)
        encoder = open_encoder(settings.model, not settings.heads, settings.device, settings.dtype)
        if encoder.note:
            listener.note(encoder.note)
        predictor = DensePredictor(encoder, heads, DEFAULT_SIDE_PX, settings.preset == OFFICIAL)
        numbers = dataset.numbers[: settings.limit]
        run = _DepthRun(settings, dataset, predictor, numbers, _request(settings, dataset, predictor, numbers))
        report = run.finished()
        if report is not None:
            listener.note(f"{settings.out} is there already, of the same files")
            return report
        return run.evaluate(listener)


@dataclass(frozen=True)
class _DepthRun:
    """What is measured, with what, and the request as the report keeps it."""

    settings: DepthSettings
    dataset: NyuDepth
    predictor: DensePredictor
    numbers: tuple[int, ...]
    request: dict[str, Any]

    def finished(self) -> DepthReport | None:
        """Read the report of an earlier run, if there is one. Refuse that of another request."""
        out = self.settings.out
        if not out.exists():
            return None
        try:
            report = read_depth_report(out)
        except InputError as error:
            raise OutputError(
                f"{out} is there already and would be written over. {error} Choose another --out."
            ) from None
        if report.request != self.request:
            raise OutputError(
                f"{out} is the report of another request; {explain_differences(report.request, self.request)}. Choose "
                "another --out, or remove that file."
            )
        return report

    def evaluate(self, listener: Listener) -> DepthReport:
        """Sum the errors of the images that wait, and write the report."""
        out = self.settings.out
        remove_leftovers([out])
        journal = Journal(out.with_name(f".{out.name}.sums"), "Choose another --out, or delete the file to begin anew.")
        known, seconds = self._read_known(journal)
        found, began = dict(known), time.perf_counter()
        waiting = [number for number in self.numbers if _name(number) not in known]
        for done, number in enumerate(waiting, 1):
            found[_name(number)], spent = self._measure(number)
            journal.append(
                {"name": _name(number), "sums": asdict(found[_name(number)]), "seconds": spent}, durable=True
            )
            _add_seconds(seconds, spent)
            Interrupts.check()
            passed = time.perf_counter() - began
            listener.image(Progress(_name(number), None, done, 0, len(known), len(self.numbers), passed))
        in_order = {_name(number): found[_name(number)] for number in self.numbers}
        report = DepthReport.of(in_order, self.request, machine_facts(self.predictor.encoder), seconds)
        write_bytes(out, report.to_bytes())
        journal.remove()
        return report

    def _measure(self, number: int) -> tuple[DepthSums, dict[str, float]]:
        """Predict the depth of one image, and sum its errors."""
        seconds: dict[str, float] = {}
        with timed(seconds, "read"):
            sample = self.dataset.read(number)
        with timed(seconds, "predict"):
            depth = self.predictor.predict(sample.rgb).depth  # (H, W)
        with timed(seconds, "count"):
            ignored = ignored_pixels(sample.depth_m, eigen_crop=self.settings.eigen_crop)
            sums = sum_depth_errors(np.clip(depth, *RANGE_M), sample.depth_m, ignored)
        return sums, seconds

    def _read_known(self, journal: Journal) -> tuple[dict[str, DepthSums], dict[str, float]]:
        """Read the sums and times of earlier runs, and open the journal to go on."""
        known: dict[str, DepthSums] = {}
        seconds: dict[str, float] = {}
        header = journal.header()
        if header is None:
            journal.start({"request": self.request})
            return known, seconds
        there = header.get("request")
        if there != self.request:
            reason = explain_differences(there, self.request) if isinstance(there, dict) else "it says not of which"
            raise OutputError(
                f"{journal.file} holds sums of another request that was not finished; {reason}. {journal.way_out}"
            )
        journal.go_on()
        for _, values in journal.lines():
            try:
                known[str(values["name"])] = DepthSums(**values["sums"])
                _add_seconds(seconds, values["seconds"])
            except (KeyError, TypeError, AttributeError) as error:
                raise OutputError(f"{journal.file} is damaged ({error}). {journal.way_out}") from None
        return known, seconds


def _request(
    settings: DepthSettings, dataset: NyuDepth, predictor: DensePredictor, numbers: tuple[int, ...]
) -> dict[str, Any]:
    """Everything that decides the numbers."""
    (head,), encoder = predictor.heads, predictor.encoder
    request = {
        "dataset": NAME,
        "split": "test",
        "root": str(settings.root.resolve()),
        "files_sha256": {file.name: file_sha256(file) for file in dataset.files},
        "truth": DEPTHS,
        "range_m": RANGE_M,
        "eigen_crop": settings.eigen_crop,
        "images": len(numbers),
        "selection": {} if settings.limit is None else {"limit": settings.limit},
        "model": settings.model,
        "weights_sha256": encoder.weights_hash,
        "head": head.name,
        **({"head_file": str(settings.heads[0])} if settings.heads else {}),
        "head_sha256": head.weights_hash,
        "preset": settings.preset,
        "side_px": predictor.side_px,
        "dtype": str(encoder.dtype).removeprefix("torch."),
    }
    return plain_request(request)


def _add_seconds(total: dict[str, float], spent: dict[str, float]) -> None:
    for stage, time_s in spent.items():
        total[stage] = total.get(stage, 0.0) + float(time_s)


def _name(number: int) -> str:
    """Name of an image: its number in the file, from 1."""
    return f"{number:04d}"
