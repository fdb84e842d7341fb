"""Runs the cells of a published table and prints them beside the paper's numbers. One file for each table uses this."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from densezero.datasets import load_dataset
from densezero.errors import DenseZeroError
from densezero.evaluation.bootstrap import Measured
from densezero.evaluation.published import COLUMNS
from densezero.evaluation.report import Report, read_report
from densezero.evaluation.table import Table, make_table
from densezero.evaluation.table_text import FORMS, write_table
from densezero.jobs.evaluate.run import evaluate_dataset
from densezero.jobs.evaluate.settings import EvaluateSettings
from densezero.progress import Listener, Progress


@dataclass(frozen=True)
class Entry:
    """One row of the table: a model, a protocol, and a read-out if it is not the protocol's."""

    model: str
    protocol: str
    readout: str | None = None


class Line(Listener):
    """A line for every tenth part of a cell."""

    def image(self, progress: Progress, miou: float | None = None) -> None:
        """Tell how far a cell is."""
        if progress.worked % max(1, progress.total // 10) == 0:
            print(f"  {progress.skipped + progress.worked}/{progress.total}  mIoU {miou:.2f}", file=sys.stderr)


def main(about: str, entries: Sequence[Entry]) -> int:
    """Run a table from the command line.

    Args:
        about: the docstring of the file, for the help.
        entries: its rows.

    Returns:
        The exit status: 2 if the request cannot be met, which standard error explains.
    """
    try:
        return run_table(read_options(about), entries)
    except DenseZeroError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def read_options(about: str) -> argparse.Namespace:
    """Read the command line; a form or a root that cannot be is refused before the first cell."""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", action="append", default=[], metavar="DATASET=PATH")
    parser.add_argument("--model", action="append", metavar="MODEL", help="take this model in place of the paper's")
    parser.add_argument("--limit", type=int, help="evaluate only the first N images; the table says so")
    parser.add_argument("--out", type=Path, required=True, help="folder for the reports")
    parser.add_argument("--format", default="markdown", choices=FORMS)
    options = parser.parse_args()
    if odd := [root for root in options.root if "=" not in root]:
        parser.error(f"expected --root DATASET=PATH; got {odd[0]}")
    return options


def run_table(options: argparse.Namespace, entries: Sequence[Entry]) -> int:
    """Run every cell that is not there yet, then print the table with all published rows of its protocols."""
    roots = {name: Path(path) for name, _, path in (root.partition("=") for root in options.root)}
    options.out.mkdir(parents=True, exist_ok=True)
    if options.model:
        entries = [replace(entry, model=model) for model in options.model for entry in entries]
    cells = list(dict.fromkeys(cell_of(entry, name, roots[name], options) for entry in entries for name in roots))
    for name in {cell.dataset for cell in cells if not cell.out.exists()}:
        load_dataset(name, roots[name])  # what is missing is said before the first cell
    reports = [report for cell in cells if (report := run_cell(cell)) is not None]
    print(write_table(of_protocols(reports, {entry.protocol for entry in entries}), options.format), end="")
    missing = [name for name in COLUMNS if name not in roots]
    if missing:
        print(f"without a --root, so not run: {', '.join(missing)}", file=sys.stderr)
    return 0


def cell_of(entry: Entry, dataset: str, root: Path, options: argparse.Namespace) -> EvaluateSettings:
    """Give the request of one cell; its report has the names of model, protocol, read-out and data set."""
    parts = (entry.model.replace("/", "_").replace(":", "_"), entry.protocol, entry.readout, dataset)
    out = options.out / ("-".join(part for part in parts if part) + ".json")
    return EvaluateSettings(dataset, root, out, entry.model, entry.protocol, readout=entry.readout, limit=options.limit)


def run_cell(settings: EvaluateSettings) -> Report | None:
    """Give a cell's report, from its file if it is there."""
    if settings.out.exists():
        return read_report(settings.out)
    print(f"{settings.model} {settings.protocol} {settings.dataset}", file=sys.stderr)
    return evaluate_dataset(settings, Line())


def of_protocols(reports: Sequence[Report], protocols: set[str]) -> Table:
    """Make the table of the reports and of every published row of some protocols."""
    table = make_table([Measured(report) for report in reports], published=True, difference=True)
    return Table(table.columns, {name: rows for name, rows in table.blocks.items() if name in protocols})
