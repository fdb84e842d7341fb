"""``densezero gallery``: a page for the browser about a result folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from densezero.cli import options
from densezero.cli.show import Shower


def gallery(
    folder: Annotated[
        Path,
        typer.Argument(metavar="DIR", parser=options.path, help="The --out folder of segment, depth, normals or pca."),
    ],
    overwrite: options.Replace = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Look at a result folder in a browser: thumbnails, overlays, filters by class and share, failures.

    Writes DIR/gallery.html and thumbnails in DIR/gallery. Run it again after DIR has changed.

    Example: densezero gallery masks
    """
    from densezero.jobs.result_page import make_gallery

    shower = Shower(quiet=quiet, verbose=verbose)
    shower.summarise(make_gallery(folder, shower, overwrite=overwrite))
