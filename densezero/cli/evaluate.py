"""``densezero evaluate``: benchmark numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from densezero.cli import options
from densezero.cli.datasets import complete_dataset
from densezero.cli.head_options import Head, Preset
from densezero.cli.like import is_given
from densezero.cli.protocol_options import Protocol, Refine, Templates
from densezero.cli.show import Shower
from densezero.datasets.nyu_depth import NAME
from densezero.encoders.readouts import READOUTS
from densezero.errors import InputError
from densezero.jobs.evaluate.settings import DepthSettings, EvaluateSettings

_OF_LABELS = (
    "protocol", "split", "vocabulary", "templates", "background", "images", "boundary", "readout", "refine", "name",
)  # fmt: skip
"""Options that an evaluation of depth does not have."""


def _complete(incomplete: str) -> list[str]:
    """Names of data sets that begin so."""
    return [*complete_dataset(incomplete), *([NAME] if NAME.startswith(incomplete) else [])]


def evaluate(
    context: typer.Context,
    dataset: Annotated[
        str,
        typer.Argument(autocompletion=_complete, help="A data set (see `densezero datasets list`)."),
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
    head: Head = EvaluateSettings.head,
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
    preset: Preset = EvaluateSettings.preset,
    eigen_crop: Annotated[
        bool,
        typer.Option("--eigen-crop", help=f"Of {NAME}: count rows 45 to 470 and columns 41 to 600 alone."),
    ] = DepthSettings.eigen_crop,
    name: Annotated[
        str | None, typer.Option(help="Name of the data set in tables and figures. [the benchmark's, or the folder's]")
    ] = EvaluateSettings.name,
    like: options.Like = None,  # noqa: ARG001 - its callback has set the defaults
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Evaluate a model on a benchmark and write one report; goes on after a stop.

    Example: densezero evaluate ade20k --root ADEChallengeData2016 --model tipsv2-l14 --out ade20k.json

    For depth: densezero evaluate nyu-depth --root NYU --model tipsv2-l14 --eigen-crop --out nyu.json
    """
    shower = Shower(quiet=quiet, verbose=verbose)
    if dataset == NAME:
        _refuse_given(context, _OF_LABELS, "with")
        heads = () if head is None else (options.path(head),)
        _evaluate_depth(DepthSettings(root, out, model, heads, device, dtype, preset, limit, eigen_crop), shower)
        return
    _refuse_given(context, ("eigen_crop",), "for other data sets than")
    settings = EvaluateSettings(
        dataset, root, out, model, protocol, split, vocabulary, templates, device, dtype, limit, images, boundary,
        readout, refine, background, name, head, preset,
    )  # fmt: skip
    from densezero.jobs.evaluate.run import evaluate_dataset

    report = evaluate_dataset(settings, shower)
    if report is not None:
        shower.end_line()
        miou = report.scores["miou"]
        score = "no pixel counts" if miou is None else f"mIoU {miou:.2f}"
        typer.echo(f"{score} over {report.images} images of {report.title}: {out}")


def _evaluate_depth(settings: DepthSettings, shower: Shower) -> None:
    from densezero.jobs.evaluate.depth import evaluate_depth

    report = evaluate_depth(settings, shower)
    shower.end_line()
    scores = report.scores
    if scores["rmse_m"] is None:
        typer.echo(f"no pixel counts over {report.images} images of {NAME}: {settings.out}")
        return
    said = f"RMSE {scores['rmse_m']:.4f} m, AbsRel {scores['abs_rel']:.4f}, delta1 {scores['delta1']:.2f} %"
    typer.echo(f"{said}, mean over {report.images} images of {NAME}: {settings.out}")


def _refuse_given(context: typer.Context, names: tuple[str, ...], why: str) -> None:
    """Refuse options that another kind of evaluation has."""
    given = [f"--{name.replace('_', '-')}" for name in names if is_given(context, name)]
    if given:
        raise InputError(f"{', '.join(given)} cannot be used {why} {NAME}. Leave it out.")
