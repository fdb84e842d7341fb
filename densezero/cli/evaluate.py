"""``densezero evaluate``: benchmark numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from densezero.cli import options
from densezero.cli.datasets import complete_dataset
from densezero.cli.protocol_options import Protocol, Refine, Templates
from densezero.cli.show import Shower
from densezero.encoders.readouts import READOUTS
from densezero.jobs.evaluate.settings import EvaluateSettings


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
    protocol: Protocol = EvaluateSettings.protocol,
    split: Annotated[str, typer.Option(help="Split of the data set.")] = EvaluateSettings.split,
    vocabulary: Annotated[
        str | None,
        typer.Option(help="Another class list for the same labels. [the protocol's: see `densezero protocols show`]"),
    ] = EvaluateSettings.vocabulary,
    templates: Templates = EvaluateSettings.templates,
    background: options.Background = EvaluateSettings.background,
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
    readout: Annotated[
        str | None,
        typer.Option(
            autocompletion=options.starting_with(READOUTS),
            rich_help_panel=options.MODEL,
            help="Read-out of the last block (see `densezero pca --help`). [the protocol's]",
        ),
    ] = EvaluateSettings.readout,
    refine: Refine = EvaluateSettings.refine,
    name: Annotated[
        str | None, typer.Option(help="Name of the data set in tables and figures. [the benchmark's, or the folder's]")
    ] = EvaluateSettings.name,
    like: options.Like = None,  # noqa: ARG001 - its callback has set the defaults
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Evaluate a model on a benchmark and write one report; goes on after a stop.

    Example: densezero evaluate ade20k --root ADEChallengeData2016 --model tipsv2-l14 --out ade20k.json
    """
    settings = EvaluateSettings(
        dataset, root, out, model, protocol, split, vocabulary, templates, device, dtype, limit, images, boundary,
        readout, refine, background, name,
    )  # fmt: skip
    from densezero.jobs.evaluate.run import evaluate_dataset

    shower = Shower(quiet=quiet, verbose=verbose)
    report = evaluate_dataset(settings, shower)
    if report is not None:
        shower.end_line()
        miou = report.scores["miou"]
        score = "no pixel counts" if miou is None else f"mIoU {miou:.2f}"
        typer.echo(f"{score} over {report.images} images of {report.title}: {out}")
