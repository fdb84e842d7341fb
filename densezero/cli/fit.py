"""``densezero fit``: from images and masks to a classifier that takes the place of words."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from densezero.classifiers.settings import FitSettings
from densezero.cli import options
from densezero.cli.protocol_options import ShortSide
from densezero.cli.show import Shower
from densezero.engine.presets import PROTOCOLS


def fit(
    folder: Annotated[
        Path,
        typer.Argument(
            metavar="FOLDER",
            parser=options.path,
            help="Holds images/, masks/ with a label PNG of the same name for each image, and classes.json.",
        ),
    ],
    out: Annotated[
        Path, typer.Option("--out", "-o", metavar="FILE", parser=options.path, help="The classifier: FILE.safetensors.")
    ],
    model: options.Model = FitSettings.model,
    protocol: Annotated[
        str, options.choice(PROTOCOLS, help="How images are encoded.", panel=options.MODEL)
    ] = FitSettings.protocol,
    short_side: ShortSide = FitSettings.short_side_px,
    device: options.Device = FitSettings.device,
    dtype: options.Dtype = FitSettings.dtype,
    overwrite: options.Replace = FitSettings.overwrite,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Fit a classifier of patch features to images with masks. `densezero segment --classifier FILE` uses it.

    Example: densezero fit labelled --out mugs.safetensors
    """
    settings = FitSettings(folder, out, model, protocol, short_side, device, dtype, overwrite)
    from densezero.jobs.fit import fit as run

    shower = Shower(quiet=quiet, verbose=verbose)
    shower.summarise(run(settings, shower))
