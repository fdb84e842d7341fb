"""``densezero try``: word lists, protocols and refinements side by side on one image."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from densezero.cli import options
from densezero.cli.protocol_options import ShortSide, Templates
from densezero.cli.show import Shower
from densezero.engine.presets import PROTOCOLS, REFINEMENTS
from densezero.evaluation.try_settings import TrySettings
from densezero.vocabulary.catalog import CATALOG

_WAYS = "What to compare"


def try_words(
    image: Annotated[Path, typer.Argument(metavar="IMAGE", parser=options.path, help="An image file.")],
    out: Annotated[
        Path,
        typer.Option("--out", "-o", metavar="FILE", parser=options.path, help="The picture: FILE.png, .pdf or .svg."),
    ],
    classes: Annotated[
        list[str] | None,
        typer.Option("--classes", "-c", rich_help_panel=_WAYS, help='A word list, "sky, grass"; may be repeated.'),
    ] = None,
    vocabulary: Annotated[
        list[str] | None,
        typer.Option(
            rich_help_panel=_WAYS,
            autocompletion=options.starting_with(CATALOG),
            help="A packaged class list, or a file; may be repeated.",
        ),
    ] = None,
    protocol: Annotated[
        list[str] | None,
        typer.Option(
            rich_help_panel=_WAYS,
            autocompletion=options.starting_with(PROTOCOLS),
            help=f"How scores become labels; may be repeated. [default: {TrySettings.protocols[0]}]",
        ),
    ] = None,
    refine: Annotated[
        list[str] | None,
        typer.Option(
            rich_help_panel=_WAYS,
            autocompletion=options.starting_with(REFINEMENTS),
            help=f"{', '.join(REFINEMENTS)}; may be repeated. [the protocol's]",
        ),
    ] = None,
    model: options.Model = TrySettings.model,
    templates: Templates = TrySettings.templates,
    short_side: ShortSide = TrySettings.short_side_px,
    device: options.Device = TrySettings.device,
    dtype: options.Dtype = TrySettings.dtype,
    dpi: Annotated[
        int, typer.Option(rich_help_panel=options.FIGURE, help="Pixels per inch; a picture is 100 mm wide.")
    ] = TrySettings.dpi,
    overwrite: options.Replace = TrySettings.overwrite,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Try words on one image: the masks of several word lists, protocols or refinements side by side in one picture.

    It prints the share of each class, and the share of pixels that have the same class as in the first mask.

    Example: densezero try photo.jpg --classes "cat, sofa" --classes "kitten, couch" --out words.png
    """
    settings = TrySettings(
        image, out, tuple(classes or ()), tuple(vocabulary or ()), options.split_names(protocol, TrySettings.protocols),
        options.split_names(refine), model, templates, short_side, device, dtype, dpi, overwrite,
    )  # fmt: skip
    from densezero.jobs.try_words import try_words as run

    shower = Shower(quiet=quiet, verbose=verbose)
    shower.summarise(run(settings, shower))
