"""``densezero pretrain``: train an encoder on images and captions by the TIPSv2 recipe."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from densezero.cli import options
from densezero.cli.show import Shower


def pretrain(
    config: Annotated[
        Path, typer.Option("--config", metavar="FILE.toml", parser=options.path, help="Settings of the run.")
    ],
    out: Annotated[
        Path,
        typer.Option(
            "--out",
            "-o",
            metavar="DIR",
            parser=options.path,
            help="Work folder: checkpoint, log, pictures, and the model. The same command goes on with a stopped run.",
        ),
    ],
    device: options.Device = "auto",
    quiet: options.Quiet = False,
) -> None:
    """Train an encoder on images and captions; the folder DIR/model is what --model takes.

    Example: densezero pretrain --config recipe.toml --out run && densezero segment photos --model run/model ...
    """
    from densezero.jobs.pretrain import pretrain as train

    shower = Shower(quiet=quiet)
    model = train(config, out, device, shower)
    shower.end_line()
    typer.echo(f"trained: {model}")
