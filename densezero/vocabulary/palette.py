"""Colours for classes that have none of their own: forty chosen ones, then evenly spread ones without end."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

# Each colour has the largest CIELAB distance to all colours before it, among those that are not pale, dark or grey.
FIRST_COLOURS: tuple[tuple[int, int, int], ...] = (
    (60, 130, 200), (130, 210, 40), (210, 20, 20), (250, 60, 190), (240, 170, 20),
    (20, 240, 190), (80, 50, 190), (40, 100, 20), (140, 30, 70), (250, 150, 130),
    (250, 180, 250), (40, 220, 250), (200, 210, 130), (120, 80, 20), (250, 30, 110),
    (140, 80, 160), (20, 150, 130), (50, 250, 130), (210, 110, 250), (220, 220, 20),
    (200, 100, 20), (20, 120, 250), (100, 190, 100), (250, 120, 170), (150, 140, 20),
    (160, 230, 200), (140, 30, 20), (160, 200, 250), (120, 140, 90), (170, 110, 140),
    (250, 190, 120), (70, 70, 120), (150, 20, 160), (170, 150, 250), (20, 140, 170),
    (170, 20, 120), (240, 90, 90), (30, 90, 60), (140, 80, 70), (250, 180, 200),
)  # fmt: skip

DARKEST, BRIGHTEST = 28, 228
"""Bounds of each channel after the first forty colours: clearly different from black and from white."""

PLASTIC_RATIO = 1.22074408460575947536
"""The root of x^4 = x + 1. Its powers give points that fill a cube evenly (Roberts 2018, the R3 sequence)."""


def spread_colours(count: int, taken: Iterable[tuple[int, int, int]] = ()) -> NDArray[np.uint8]:
    """Choose colours that differ from each other and from those in use. Every call chooses the same ones.

    Args:
        count: number of colours, 0 or more.
        taken: RGB colours in 0..255 that are already in use.

    Returns:
        (count, 3) uint8 RGB, without black and white.
    """
    used = set(taken)
    candidates = [*FIRST_COLOURS, *_cube_points(count + len(used) + len(FIRST_COLOURS))]
    free = [colour for colour in dict.fromkeys(candidates) if colour not in used]
    return np.array(free[:count], dtype=np.uint8).reshape(count, 3)


def _cube_points(count: int) -> list[tuple[int, int, int]]:
    """Choose ``count`` colours that fill the cube between the darkest and the brightest levels evenly."""
    steps = np.arange(1, count + 1)[:, None] / PLASTIC_RATIO ** np.arange(1, 4)
    levels = DARKEST + np.floor(np.mod(steps, 1.0) * (BRIGHTEST - DARKEST + 1)).astype(int)
    return [(red, green, blue) for red, green, blue in levels.tolist()]
