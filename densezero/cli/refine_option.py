"""``--refine``. It stands alone because the protocols load NumPy, which other commands do not need."""

from __future__ import annotations

from typing import Annotated

from densezero.cli import options
from densezero.engine.presets import REFINEMENTS

Refine = Annotated[
    str | None,
    options.choice(
        REFINEMENTS,
        help="Make masks follow the edges of the image: a quick solve on a coarse grid, or PAMR. [the protocol's]",
        panel=options.MODEL,
    ),
]
