"""Options of ``segment`` for maps: GeoTIFF files, and scenes that are larger than memory."""

from __future__ import annotations

from typing import Annotated, Final

import typer

from densezero.cli import options
from densezero.output.formats import CRS_NAMES

MAPS: Final = "Maps"
NATIVE_SAVE: Final = ("geotiff", "overlay")
"""What ``--native`` writes where nothing else is asked for."""

Native = Annotated[
    bool,
    typer.Option(
        "--native", rich_help_panel=MAPS,
        help="Segment at the image's own resolution, without a resize, in overlapping windows, so that a scene may be "
        f"larger than memory. Writes {','.join(NATIVE_SAVE)} unless --save says otherwise.",
    ),
]  # fmt: skip
Bands = Annotated[
    str | None,
    typer.Option(
        metavar="R,G,B", rich_help_panel=MAPS,
        help="Bands of a TIFF that are read as red, green and blue, or one as grey, counted from 1: 3,2,1. [those that "
        "the file names, else the first]",
    ),
]  # fmt: skip
ValueRange = Annotated[
    str | None,
    typer.Option(
        "--range", metavar="LOW,HIGH", rich_help_panel=MAPS,
        help="Values of a TIFF that become black and white: 0,3000. [8-bit values as they are; others by percentiles 2 "
        "and 98 of each band]",
    ),
]  # fmt: skip
Crs = Annotated[
    str,
    options.choice(
        CRS_NAMES, "--crs", panel=MAPS,
        help="Coordinates of geojson: longitude and latitude, or those of the image.",
    ),
]  # fmt: skip
