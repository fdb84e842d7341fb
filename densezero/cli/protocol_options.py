"""Options of the commands that segment. They stand apart because they load NumPy, which other commands do not need."""

from __future__ import annotations

from typing import Annotated

import typer

from densezero.cli import options
from densezero.engine.presets import PROTOCOLS, REFINEMENTS
from densezero.vocabulary.templates import TEMPLATES

Protocol = Annotated[str, options.choice(PROTOCOLS, help="How scores become labels.", panel=options.MODEL)]
Templates = Annotated[
    str | None,
    typer.Option(
        rich_help_panel=options.WORDS,
        autocompletion=options.starting_with(TEMPLATES),
        help=f"Prompt templates: {', '.join(TEMPLATES)}, or a file. [the protocol's]",
    ),
]
ShortSide = Annotated[
    int | None,
    typer.Option(
        "--short-side",
        rich_help_panel=options.MODEL,
        help="Short side of the model input, pixels. [the protocol's]",
    ),
]

Refine = Annotated[
    str | None,
    options.choice(
        REFINEMENTS,
        help="Make masks follow the edges of the image: a quick solve on a coarse grid, or PAMR. [the protocol's]",
        panel=options.MODEL,
    ),
]
