"""``densezero models``: list, download and describe the encoders."""

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
        typer.echo(f"{family.form:<19} {family.summary:<57} for example {family.example}")


@models.command()
def download(
    model: Annotated[str, typer.Argument(help="A model's name.")],
    revision: Annotated[
        str | None,
        typer.Option(help="Branch, tag or commit of the model's hub repository.", show_default="the main branch"),
    ] = None,
) -> None:
    """Download a model into the hub's cache, and print its folder; a download that broke off is resumed."""
    from densezero.encoders.download import download_by_name

    typer.echo(download_by_name(model, revision))


@models.command()
def info(
    model: Annotated[
        str, typer.Argument(help="A model's name, open_clip:MODEL/TAG, timm:MODEL, a folder, or a *_vision.npz.")
    ],
) -> None:
    """Describe a model: where it comes from, and its sizes if its files are on this machine."""
    from densezero.encoders.download import describe_model

    for name, value in describe_model(model).items():
        typer.echo(f"{name:<12} {value}")
