"""``densezero vocabularies``: the packaged class lists, and the check of a list."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from densezero.cli import options
from densezero.cli.grouped import GroupedCommand
from densezero.cli.show import SOME_FAILED, Shower, show_json
from densezero.evaluation.check_settings import CheckSettings
from densezero.vocabulary.catalog import CATALOG
from densezero.vocabulary.templates import TEMPLATES

vocabularies = typer.Typer(no_args_is_help=True, help="List, show or check class lists.", rich_markup_mode=None)


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


@vocabularies.command(cls=GroupedCommand, epilog=options.EXIT_STATUS)
def check(
    vocabulary: Annotated[
        str | None,
        typer.Argument(
            metavar="LIST", autocompletion=options.starting_with(CATALOG), help="A packaged class list, or a file."
        ),
    ] = CheckSettings.vocabulary,
    classes: Annotated[
        str | None,
        typer.Option("--classes", "-c", help='In place of LIST: "sky, grass, boat=sailing ship|yacht".'),
    ] = CheckSettings.classes,
    images: Annotated[
        list[Path] | None,
        typer.Option(
            "--images",
            metavar="FOLDER",
            parser=options.path,
            help="Try the words on the images of a folder, or on an image; may be repeated.",
        ),
    ] = None,
    limit: Annotated[
        int, typer.Option(min=1, help="Read N images at most, spread evenly over all.")
    ] = CheckSettings.limit,
    templates: Annotated[
        str | None,
        typer.Option(
            autocompletion=options.starting_with(TEMPLATES),
            help=f"Prompt templates: {', '.join(TEMPLATES)}, or a file. [the default protocol's]",
        ),
    ] = CheckSettings.templates,
    model: options.Model = CheckSettings.model,
    device: options.Device = CheckSettings.device,
    dtype: options.Dtype = CheckSettings.dtype,
    as_json: options.AsJson = False,
    quiet: options.Quiet = False,
) -> None:
    """Check a class list: classes that are hard to tell apart, cut descriptions, typing errors, words that never win.

    Each finding has a suggestion. Findings are advice, so they do not change the exit status.

    Example: densezero vocabularies check words.txt --model tipsv2-l14 --images photos
    """
    from densezero.evaluation.check_vocabulary import check_vocabulary

    settings = CheckSettings(vocabulary, classes, model, templates, tuple(images or ()), limit, device, dtype)
    shower = Shower(quiet=quiet)
    checked = check_vocabulary(settings, shower)
    shower.end_line()
    if as_json:
        show_json(checked.to_json())
    else:
        typer.echo("\n".join(checked.to_lines()))
    if checked.failed:
        raise typer.Exit(SOME_FAILED)
