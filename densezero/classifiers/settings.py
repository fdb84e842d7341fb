"""The settings of ``fit``. Importing this does not load torch."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from densezero.encoders.catalog import DEFAULT_MODEL
from densezero.engine.presets import DEFAULT_PROTOCOL
from densezero.errors import OutputError


@dataclass(frozen=True)
class FitSettings:
    """One request to fit a classifier.

    Args:
        folder: holds ``images/``, ``masks/`` and ``classes.json``.
        out: the file to write.
        model: a model's name, or a path.
        protocol: a preset's name. Its sizes, windows and read-out decide the features.
        short_side_px: short side of the model input; None takes the protocol's.
        device: where to compute.
        dtype: numeric type of the vision tower.
        overwrite: replace a file that is there.

    Raises:
        OutputError: if the file has another ending than ``.safetensors``, or is there.
    """

    folder: Path
    out: Path
    model: str = DEFAULT_MODEL
    protocol: str = DEFAULT_PROTOCOL
    short_side_px: int | None = None
    device: str = "auto"
    dtype: str = "auto"
    overwrite: bool = False

    def __post_init__(self) -> None:
        if self.out.suffix != ".safetensors":
            raise OutputError(f"Expected --out as a file ending in .safetensors; got {self.out}.")
        if os.path.lexists(self.out) and not self.overwrite:
            raise OutputError(f"{self.out} is there already. Choose another --out, or replace it with --overwrite.")
