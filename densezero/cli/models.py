"""``densezero models``: list, download and describe the encoders."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from densezero.cli import options
from densezero.cli.show import show_json
from densezero.encoders.catalog import FAMILIES, HEAD_MODELS, MODELS

models = typer.Typer(no_args_is_help=True, help="List, download or describe the encoders.", rich_markup_mode=None)


@models.command("list")
def list_models(as_json: options.AsJson = False) -> None:
    """List every model by name, and how models of other libraries are named."""
    if as_json:
        named = [asdict(entry) for entry in (MODELS | HEAD_MODELS).values()]
        others = [{"name": at.form, "summary": at.summary, "example": at.example} for at in FAMILIES.values()]
        show_json([*named, *others])
        return
    for entry in (MODELS | HEAD_MODELS).values():
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
        str,
        typer.Argument(
            autocompletion=options.starting_with(options.MODEL_NAMES),
            help="A model's name, open_clip:MODEL/TAG, timm:MODEL, a folder, or a *_vision.npz.",
        ),
    ],
    as_json: options.AsJson = False,
) -> None:
    """Describe a model: where it comes from, and its sizes if its files are on this machine."""
    from densezero.encoders.download import describe_model

    described = describe_model(model)
    if as_json:
        show_json(described)
        return
    for name, value in described.items():
        typer.echo(f"{name:<12} {value}")
