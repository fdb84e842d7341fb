"""``densezero protocols``: what the protocols do, and their constants."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from densezero.cli import options
from densezero.cli.show import show_json
from densezero.datasets.papers import BENCHMARKS
from densezero.evaluation.describe import TEXTS, describe_protocol, protocol_facts

protocols = typer.Typer(no_args_is_help=True, help="List the protocols, or show one.", rich_markup_mode=None)


@protocols.command("list")
def list_protocols(as_json: options.AsJson = False) -> None:
    """List every protocol: what it does, when to use it, and where it comes from."""
    if as_json:
        show_json([{"name": name, **asdict(text)} for name, text in TEXTS.items()])
        return
    for name, text in TEXTS.items():
        typer.echo(f"{name:<15} {text.what}\n{'':<15} {text.use}\n{'':<15} Source: {text.source}.")


@protocols.command()
def show(
    name: Annotated[str, typer.Argument(autocompletion=options.starting_with(TEXTS), help="A protocol.")],
    dataset: Annotated[
        str | None, options.choice(BENCHMARKS, "--dataset", help="Its constants for this benchmark.")
    ] = None,
    as_json: options.AsJson = False,
) -> None:
    """Show a protocol: its constants, where they come from, and the class list that it expects.

    Example: densezero protocols show ovss --dataset voc21
    """
    if as_json:
        show_json(protocol_facts(name, dataset))
        return
    for line in describe_protocol(name, dataset):
        typer.echo(line)
