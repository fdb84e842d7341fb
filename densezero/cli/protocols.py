"""``densezero protocols``: what the protocols do, and their constants."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from densezero.cli import options
from densezero.cli.show import show_json
from densezero.engine.papers import BENCHMARKS, PAPERS

protocols = typer.Typer(no_args_is_help=True, help="List the protocols, or show one.", rich_markup_mode=None)


@protocols.command("list")
def list_protocols(as_json: options.AsJson = False) -> None:
    """List every protocol: what it does, and when to use it."""
    if as_json:
        show_json([{"name": name, "what": paper.what, "use": paper.use} for name, paper in PAPERS.items()])
        return
    for name, paper in PAPERS.items():
        typer.echo(f"{name:<15} {paper.what}\n{'':<15} {paper.use}")


@protocols.command()
def show(
    name: Annotated[str, typer.Argument(autocompletion=options.starting_with(PAPERS), help="A protocol.")],
    dataset: Annotated[
        str | None, options.choice(BENCHMARKS, "--dataset", help="Its constants for this benchmark.")
    ] = None,
    as_json: options.AsJson = False,
) -> None:
    """Show a protocol: its constants, where they come from, and the class list that it expects.

    Example: densezero protocols show ovss --dataset voc21
    """
    from densezero.engine.describe import describe_protocol, protocol_facts

    if as_json:
        facts = protocol_facts(name, dataset)
        show_json({**facts, "background": asdict(facts["background"])})
        return
    for line in describe_protocol(name, dataset):
        typer.echo(line)
