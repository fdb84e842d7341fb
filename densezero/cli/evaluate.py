"""``densezero evaluate`` and ``densezero table``: benchmark numbers, and tables of them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from densezero.cli.show import Shower
from densezero.jobs.evaluate.settings import EvaluateSettings


def evaluate(
    dataset: Annotated[str, typer.Argument(help="A data set (see `densezero datasets list`).")],
    root: Annotated[Path, typer.Option(help="Folder that holds the data set.")],
    out: Annotated[Path, typer.Option("--out", "-o", help="The report's file, FILE.json.")],
    model: Annotated[
        str, typer.Option("--model", "-m", help="A model (see `densezero models list`), a folder, or a *_vision.npz.")
    ] = EvaluateSettings.model,
    protocol: Annotated[
        str, typer.Option(help="tips-slide, tips-simple, ovss, ovss-naclip, ovss-clearclip or ovss-proxyclip.")
    ] = EvaluateSettings.protocol,
    split: Annotated[str, typer.Option(help="Split of the data set.")] = EvaluateSettings.split,
    vocabulary: Annotated[
        str | None, typer.Option(help="Another class list for the same labels. [the data set's own]")
    ] = EvaluateSettings.vocabulary,
    templates: Annotated[
        str | None, typer.Option(help="Prompt templates: a name or a file. [the protocol's]")
    ] = EvaluateSettings.templates,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:N or mps.")] = EvaluateSettings.device,
    dtype: Annotated[str, typer.Option(help="float32 reproduces; auto is quicker.")] = EvaluateSettings.dtype,
    limit: Annotated[int | None, typer.Option(help="Only the first so many images.")] = EvaluateSettings.limit,
    images: Annotated[
        Path | None, typer.Option(help="A file that names the images to take, one a line.")
    ] = EvaluateSettings.images,
    boundary: Annotated[
        bool, typer.Option("--boundary", help="Measure boundary IoU as well.")
    ] = EvaluateSettings.boundary,
) -> None:
    """Evaluate a model on a benchmark and write one report; goes on after a stop.

    Example: densezero evaluate ade20k --root ADEChallengeData2016 --model tipsv2-l14 --out ade20k.json
    """
    settings = EvaluateSettings(
        dataset, root, out, model, protocol, split, vocabulary, templates, device, dtype, limit, images, boundary
    )
    from densezero.jobs.evaluate.run import evaluate_dataset

    shower = Shower()
    report = evaluate_dataset(settings, shower)
    if report is not None:
        shower.end_line()
        miou = report.scores["miou"]
        score = "no pixel counts" if miou is None else f"mIoU {miou:.2f}"
        typer.echo(f"{score} over {report.images} images of {report.dataset}: {out}")


def table(
    reports: Annotated[list[Path] | None, typer.Argument(metavar="FILE.json...", help="Reports.")] = None,
    form: Annotated[str, typer.Option("--format", help="markdown, latex or csv.")] = "markdown",
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
