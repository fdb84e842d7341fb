"""``densezero compare``: two reports side by side, and whether their difference is real."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from densezero.cli import options
from densezero.cli.show import show_json


def compare(
    first: Annotated[Path, typer.Argument(metavar="A.json", parser=options.path, help="A report.")],
    second: Annotated[
        Path, typer.Argument(metavar="B.json", parser=options.path, help="Another report on the same images.")
    ],
    count: Annotated[int, typer.Option(min=0, help="List N classes and N images that differ most.")] = 5,
    draws: Annotated[int | None, typer.Option(help="Draws of the bootstrap. [1000]")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of the bootstrap. [0]")] = None,
    as_json: options.AsJson = False,
) -> None:
    """Compare two reports: mIoU, classes, images, and whether the difference is real (paired bootstrap over images).

    Example: densezero compare base.json large.json
    """
    from densezero.evaluation.bootstrap import DRAWS, SEED
    from densezero.evaluation.comparison import compare_files, describe_comparison

    compared = compare_files(first, second, DRAWS if draws is None else draws, SEED if seed is None else seed)
    if as_json:
        show_json(compared.to_json())
        return
    for line in describe_comparison(compared, count):
        typer.echo(line)
