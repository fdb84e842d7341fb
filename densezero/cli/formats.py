"""``densezero formats``: what ``segment --save`` can write."""

from __future__ import annotations

from dataclasses import asdict

import typer

from densezero.cli import options
from densezero.cli.show import show_json
from densezero.output.describe_formats import TEXTS

formats = typer.Typer(no_args_is_help=True, help="List the formats of `segment --save`.", rich_markup_mode=None)


@formats.callback()
def _formats() -> None:
    """List the formats of `segment --save`."""


@formats.command("list")
def list_formats(as_json: options.AsJson = False) -> None:
    """List every format: its files, what they hold, and what to do with them."""
    if as_json:
        show_json([{"name": name, **asdict(text)} for name, text in TEXTS.items()])
        return
    for name, text in TEXTS.items():
        typer.echo(f"{name:<15} {text.files}\n{'':<15} {text.what}\n{'':<15} {text.use}")
