"""Options of commands with trained heads."""

from __future__ import annotations

from typing import Annotated

import typer

from densezero.cli import options
from densezero.heads.names import OFFICIAL, PRESETS, RATIO

Head = Annotated[
    str | None,
    typer.Option(
        "--head", metavar="ade20k|FILE", rich_help_panel=options.WORDS,
        help="A trained decoder with ADE20K's 150 classes in place of words: ade20k for the one of --model, or a file "
        "or folder of a head.",
    ),
]  # fmt: skip
Preset = Annotated[
    str,
    options.choice(
        PRESETS,
        panel=options.MODEL,
        help=f"Input of a trained head: {RATIO} keeps the ratio of the image; {OFFICIAL} squeezes it to 448 x 448, as "
        "the official notebook does.",
    ),
]
