"""``densezero datasets``: lists the benchmarks, and checks one on disk."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from densezero.cli import options
from densezero.cli.show import Shower, show_json
from densezero.datasets.splits import DEFAULT_SPLIT

PROBLEMS_FOUND = 1

datasets = typer.Typer(no_args_is_help=True, help="List the data sets, or check one on disk.", rich_markup_mode=None)


def complete_dataset(incomplete: str) -> list[str]:
    """Names of data sets that begin so."""
    from densezero.datasets import DATASETS

    return [name for name in DATASETS if name.startswith(incomplete)]


@datasets.command("list")
def list_datasets(as_json: options.AsJson = False) -> None:
    """List every data set by name, with what is expected where."""
    from densezero.datasets import DATASETS
    from densezero.datasets.nyu_depth import EXPECTED, NAME

    if as_json:
        show_json([{"name": name, "summary": at.summary, "expected": at.expected} for name, at in DATASETS.items()])
        return
    for name, entry in DATASETS.items():
        typer.echo(f"{name:<17} {entry.summary}\n{'':<17} {entry.expected}")
    typer.echo(f"{NAME:<17} NYU Depth v2, depth; for `densezero evaluate` alone\n{'':<17} {EXPECTED}")


@datasets.command()
def check(
    name: Annotated[
        str, typer.Argument(autocompletion=complete_dataset, help="A data set (see `densezero datasets list`).")
    ],
    root: Annotated[
        Path,
        typer.Option(
            metavar="FOLDER", parser=options.path, help="Its folder, or one that holds it under its usual name."
        ),
    ],
    split: Annotated[str, typer.Option(help="Which part: val, train, ...")] = DEFAULT_SPLIT,
    limit: Annotated[int | None, typer.Option(min=1, help="Read only the first N labels. [all]")] = None,
    as_json: options.AsJson = False,
) -> None:
    """Check a data set on disk: what is expected where, what is found, and the first problems by name."""
    from densezero.datasets import check_dataset, describe_check

    shower = Shower()
    found = check_dataset(name, root, split, limit=limit, listen=shower.checking)
    shower.end_line()
    if as_json:
        show_json(asdict(found))
        raise typer.Exit(PROBLEMS_FOUND if found.problems else 0)
    for line in describe_check(found, root):
        typer.echo(line)
    for problem in found.problems:
        typer.echo(f"problem: {problem}", err=True)
    if found.problems:
        raise typer.Exit(PROBLEMS_FOUND)
