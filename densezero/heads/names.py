"""Names and defaults of the heads. Importing this does not load torch."""

from __future__ import annotations

from typing import Final

DEPTH: Final = "depth"
NORMALS: Final = "normals"
SEGMENTATION: Final = "segmentation"
TASKS: Final = (DEPTH, NORMALS, SEGMENTATION)

RATIO: Final = "ratio"
OFFICIAL: Final = "official"
PRESETS: Final = (RATIO, OFFICIAL)
"""How an image becomes the model input: with its ratio, or squeezed to a square, as in the official notebook."""

DEFAULT_SIDE_PX: Final = 448
"""The side of the square that the published heads were trained at."""
