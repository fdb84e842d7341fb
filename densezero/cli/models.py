"""``densezero models``: which encoders there are, and getting one."""

from __future__ import annotations

from typing import Annotated

import typer

from densezero.encoders.catalog import FAMILIES, MODELS

models = typer.Typer(no_args_is_help=True, help="List, download or describe the encoders.", rich_markup_mode=None)


@models.command("list")
def list_models() -> None:
    """List every model by name, and how models of other libraries are named."""
    for entry in MODELS.values():
        where = "in the package" if entry.name == "nano" else entry.repository or f"{entry.pair}_*.npz"
        typer.echo(f"{entry.name:<19} {entry.summary:<57} {where}")
    for family in FAMILIES.values():
        typer.echo(f"{family.form:<19} {family.summary:<57} pip install 'densezero[{family.extra}]'")


@models.command()
def download(model: Annotated[str, typer.Argument(help="A model's name.")]) -> None:
    """Download a model into the hub's cache; goes on where an earlier download stopped."""
    from densezero.encoders.obtain import obtain_by_name

    typer.echo(obtain_by_name(model))


@models.command()
def info(
    model: Annotated[
        str, typer.Argument(help="A model's name, open_clip:MODEL/TAG, timm:MODEL, a folder, or a *_vision.npz.")
    ],
) -> None:
    """Describe a model: where it comes from, and its sizes if its files are here."""
    from densezero.encoders.obtain import describe_model

    for name, value in describe_model(model).items():
        typer.echo(f"{name:<12} {value}")
