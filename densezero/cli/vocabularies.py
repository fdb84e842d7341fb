"""``densezero vocabularies``: the packaged class lists."""

from __future__ import annotations

from typing import Annotated

import typer

from densezero.cli import options
from densezero.cli.show import show_json
from densezero.vocabulary.catalog import CATALOG

vocabularies = typer.Typer(no_args_is_help=True, help="List or show the class lists.", rich_markup_mode=None)


@vocabularies.command("list")
def list_vocabularies(as_json: options.AsJson = False) -> None:
    """List every packaged class list."""
    from densezero.vocabulary import load_packaged

    if as_json:
        lists = CATALOG.items()
        show_json([{"name": name, "classes": len(load_packaged(name)), "what": what} for name, what in lists])
        return
    for name, what in CATALOG.items():
        typer.echo(f"{name:<22} {len(load_packaged(name)):>3} classes  {what}")


@vocabularies.command()
def show(
    name: Annotated[
        str, typer.Argument(autocompletion=options.starting_with(CATALOG), help="A packaged class list, or a file.")
    ],
    as_json: options.AsJson = False,
) -> None:
    """Show the classes of a list: index, name, and the words that are prompted for it."""
    from densezero.vocabulary import load_class_list

    classes = load_class_list(name)
    if as_json:
        typer.echo(classes.to_json(), nl=False)
        return
    for index, (label, words) in enumerate(zip(classes.names, classes.words, strict=True)):
        prompted = "" if words == (label,) else f"  <- {', '.join(words)}"
        typer.echo(f"{index:>5}  {label}{prompted}")
