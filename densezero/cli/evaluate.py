"""``densezero evaluate`` and ``densezero table``: benchmark numbers, and tables of them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from densezero.cli import options
from densezero.cli.datasets import complete_dataset
from densezero.cli.show import Shower
from densezero.engine.presets import PROTOCOLS
from densezero.jobs.evaluate.settings import EvaluateSettings
from densezero.vocabulary.templates import TEMPLATES

FORMS = ("markdown", "latex", "csv")


def evaluate(
    dataset: Annotated[
        str,
        typer.Argument(autocompletion=complete_dataset, help="A data set (see `densezero datasets list`)."),
    ],
    root: Annotated[Path, typer.Option(metavar="FOLDER", parser=options.path, help="Folder that holds the data set.")],
    out: Annotated[
        Path, typer.Option("--out", "-o", metavar="FILE.json", parser=options.path, help="The report's file.")
    ],
    model: options.Model = EvaluateSettings.model,
    protocol: Annotated[
        str, options.choice(PROTOCOLS, help="How scores become labels.", panel=options.MODEL)
    ] = EvaluateSettings.protocol,
    split: Annotated[str, typer.Option(help="Split of the data set.")] = EvaluateSettings.split,
    vocabulary: Annotated[
        str | None, typer.Option(help="Another class list for the same labels. [the data set's own]")
    ] = EvaluateSettings.vocabulary,
    templates: Annotated[
        str | None, typer.Option(help=f"Prompt templates: {', '.join(TEMPLATES)}, or a file. [the protocol's]")
    ] = EvaluateSettings.templates,
    device: options.Device = EvaluateSettings.device,
    dtype: options.Dtype = EvaluateSettings.dtype,
    limit: Annotated[int | None, typer.Option(help="Evaluate only the first N images.")] = EvaluateSettings.limit,
    images: Annotated[
        Path | None,
        typer.Option(metavar="FILE", parser=options.path, help="A file that names the images to take, one a line."),
    ] = EvaluateSettings.images,
    boundary: Annotated[
        bool, typer.Option("--boundary", help="Measure boundary IoU as well.")
    ] = EvaluateSettings.boundary,
    like: options.Like = None,  # noqa: ARG001 - its callback has set the defaults
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Evaluate a model on a benchmark and write one report; goes on after a stop.

    Example: densezero evaluate ade20k --root ADEChallengeData2016 --model tipsv2-l14 --out ade20k.json
    """
    settings = EvaluateSettings(
        dataset, root, out, model, protocol, split, vocabulary, templates, device, dtype, limit, images, boundary
    )
    from densezero.jobs.evaluate.run import evaluate_dataset

    shower = Shower(quiet=quiet, verbose=verbose)
    report = evaluate_dataset(settings, shower)
    if report is not None:
        shower.end_line()
        miou = report.scores["miou"]
        score = "no pixel counts" if miou is None else f"mIoU {miou:.2f}"
        typer.echo(f"{score} over {report.images} images of {report.dataset}: {out}")


def table(
    reports: Annotated[
        list[Path] | None, typer.Argument(metavar="FILE.json...", parser=options.path, help="Reports.")
    ] = None,
    form: Annotated[str, options.choice(FORMS, "--format", help="Of the table.")] = "markdown",
    published: Annotated[bool, typer.Option("--published", help="List every published number as well.")] = False,
) -> None:
    """Set reports beside the published numbers, on standard output."""
    from densezero.errors import InputError
    from densezero.evaluation.report import read_report
    from densezero.evaluation.table import make_cells, published_cells, set_table

    if not reports and not published:
        raise InputError("Expected reports of `densezero evaluate`, or --published; got neither.")
    cells = make_cells([read_report(file) for file in reports or []])
    typer.echo(set_table([*cells, *(published_cells() if published else [])], form), nl=False)
