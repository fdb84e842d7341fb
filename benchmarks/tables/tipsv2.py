"""Runs every cell of the TIPSv2 zero-shot segmentation table and prints it beside the published numbers.

    python benchmarks/tables/tipsv2.py --root ade20k=PATH --root voc21=PATH --model tipsv2-l14 --out DIR

Cells whose data set has no root are left out and said so. Finished cells are read from their reports, so a stopped run
goes on. What needs neither weights nor data sets, `nano` on drawn scenes, is run by

    python benchmarks/write_scenes.py SCENES
    python benchmarks/tables/tipsv2.py --root scenes=SCENES --model nano --out DIR
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from densezero.datasets import load_dataset
from densezero.errors import DenseZeroError
from densezero.evaluation.published import COLUMNS
from densezero.evaluation.report import Report, read_report
from densezero.evaluation.table import FORMS, make_cells, set_table
from densezero.jobs.evaluate.run import evaluate_dataset
from densezero.jobs.evaluate.settings import EvaluateSettings
from densezero.jobs.progress import Listener, Progress

PROTOCOLS = ("tips-simple", "tips-slide")


class Line(Listener):
    """A line for every tenth part of a cell."""

    def image(self, progress: Progress, miou: float | None = None) -> None:
        """Tell how far a cell is."""
        if progress.worked % max(1, progress.total // 10) == 0:
            print(f"  {progress.skipped + progress.worked}/{progress.total}  mIoU {miou:.2f}", file=sys.stderr)


def run_cell(settings: EvaluateSettings) -> Report | None:
    """Give a cell's report, from its file if it is there."""
    if settings.out.exists():
        return read_report(settings.out)
    print(f"{settings.model} {settings.protocol} {settings.dataset}", file=sys.stderr)
    return evaluate_dataset(settings, Line())


def main() -> int:
    """Run the cells and print the table; 2 if a request cannot be met."""
    try:
        return run_table(read_options())
    except DenseZeroError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def read_options() -> argparse.Namespace:
    """Read the command line; a form or a root that cannot be is refused before the first cell."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", action="append", default=[], metavar="DATASET=PATH")
    parser.add_argument("--model", action="append", metavar="MODEL")
    parser.add_argument("--out", type=Path, required=True, help="folder for the reports")
    parser.add_argument("--format", default="markdown", choices=FORMS)
    options = parser.parse_args()
    if odd := [root for root in options.root if "=" not in root]:
        parser.error(f"expected --root DATASET=PATH; got {odd[0]}")
    return options


def run_table(options: argparse.Namespace) -> int:
    """Run every cell, then print the table."""
    roots = {name: Path(path) for name, _, path in (root.partition("=") for root in options.root)}
    models = options.model or ["tipsv2-l14"]
    options.out.mkdir(parents=True, exist_ok=True)
    settings = [
        EvaluateSettings(
            dataset, root, options.out / f"{model.replace('/', '_')}-{protocol}-{dataset}.json", model, protocol
        )
        for model in models
        for protocol in PROTOCOLS
        for dataset, root in roots.items()
    ]
    for name in {cell.dataset for cell in settings if not cell.out.exists()}:
        load_dataset(name, roots[name])  # what is missing is said before the first cell
    reports = [report for cell in settings if (report := run_cell(cell)) is not None]
    print(set_table(make_cells(reports), options.format), end="")
    missing = [name for name in COLUMNS if name not in roots]
    if missing:
        print(f"without a --root, so not run: {', '.join(missing)}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
