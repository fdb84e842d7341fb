"""``densezero datasets``: which benchmarks there are, and whether one on disk is whole."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from densezero.cli.show import Shower
from densezero.datasets.splits import DEFAULT_SPLIT

PROBLEMS_FOUND = 1

datasets = typer.Typer(no_args_is_help=True, help="List the data sets, or check one on disk.", rich_markup_mode=None)


@datasets.command("list")
def list_datasets() -> None:
    """List every data set by name, with what is expected where."""
    from densezero.datasets import DATASETS

    for name, entry in DATASETS.items():
        typer.echo(f"{name:<17} {entry.summary}\n{'':<17} {entry.expected}")


@datasets.command()
def check(
    name: Annotated[str, typer.Argument(help="A data set (see `densezero datasets list`).")],
    root: Annotated[Path, typer.Option(help="Its folder, or one that holds it under its usual name.")],
    split: Annotated[str, typer.Option(help="Which part: val, train, ...")] = DEFAULT_SPLIT,
    limit: Annotated[int | None, typer.Option(min=1, help="Read only so many labels. [all]")] = None,
) -> None:
    """Check a data set on disk: what is expected where, what is found, and the first problems by name."""
    from densezero.datasets import check_dataset, describe_check

    shower = Shower()
    found = check_dataset(name, root, split, limit=limit, listen=shower.checking)
    shower.end_line()
    for line in describe_check(found, root):
        typer.echo(line)
    for problem in found.problems:
        typer.echo(f"problem: {problem}", err=True)
    if found.problems:
        raise typer.Exit(PROBLEMS_FOUND)
