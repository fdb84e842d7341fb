"""``densezero report``: the figures of one evaluation."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from densezero.cli import options
from densezero.cli.show import Shower
from densezero.jobs.evaluate.settings import ReportSettings


def report(
    file: Annotated[
        Path, typer.Argument(metavar="FILE.json", parser=options.path, help="A report of `densezero evaluate`.")
    ],
    out: Annotated[
        Path,
        typer.Option(
            "--out",
            "-o",
            metavar="PLACE",
            parser=options.path,
            help="FILE.html for one page, or a folder for PNG files.",
        ),
    ],
    root: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", parser=options.path, help="Where the data set is now. [the report's]"),
    ] = ReportSettings.root,
    model: Annotated[
        str | None, typer.Option("--model", "-m", help="Where the same weights are now. [the report's]")
    ] = ReportSettings.model,
    count: Annotated[
        int, typer.Option(help="Show the N best and N worst images. 0 needs no data set and no model.")
    ] = ReportSettings.count,
    overwrite: options.Replace = ReportSettings.overwrite,
) -> None:
    """Draw a report: IoU of each class, confusion matrix, best and worst images with truth and prediction.

    Example: densezero report ade20k.json --out ade20k.html
    """
    settings = ReportSettings(file, out, root, model, count, overwrite)
    from densezero.jobs.evaluate.report import draw_report

    shower = Shower()
    written = draw_report(settings, shower)
    shower.end_line()
    for path in written:
        typer.echo(path)
