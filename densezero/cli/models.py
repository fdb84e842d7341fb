"""``densezero models``: which encoders there are, and getting one."""

from __future__ import annotations

from typing import Annotated

import typer

from densezero.encoders.catalog import MODELS, find_model

models = typer.Typer(no_args_is_help=True, help="List, download or describe the encoders.", rich_markup_mode=None)


@models.command("list")
def list_models() -> None:
    """List every model by name."""
    for entry in MODELS.values():
        where = "in the package" if entry.name == "nano" else entry.repository or f"{entry.pair}_*.npz"
        typer.echo(f"{entry.name:<17} {entry.summary:<55} {where}")


@models.command()
def download(model: Annotated[str, typer.Argument(help="A model's name.")]) -> None:
    """Download a model into the hub's cache; goes on where an earlier download stopped."""
    from densezero.encoders.obtain import obtain_model

    typer.echo(obtain_model(find_model(model)))


@models.command()
def info(
    model: Annotated[str, typer.Argument(help="A model's name, a folder, or a *_vision.npz.")],
) -> None:
    """Describe a model: where it comes from, and its sizes if its files are here."""
    from densezero.encoders.obtain import describe_model

    for name, value in describe_model(model).items():
        typer.echo(f"{name:<12} {value}")
