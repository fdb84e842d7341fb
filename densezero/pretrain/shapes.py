"""Shapes as fields over a small square of pixels: positive inside the shape, in units of half the square's side."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Field = NDArray[np.float32]
Point = tuple[float, float]


@dataclass(frozen=True)
class Grid:
    """Coordinates of the pixel centres in the square of a shape.

    Args:
        u: (n, n) from -1 at the left edge of the square to 1 at the right edge.
        v: (n, n) from -1 at the top edge to 1 at the bottom edge.
        pixel: side of one pixel in the same units.
    """

    u: Field
    v: Field
    pixel: float

    def cover(self, field: Field) -> Field:
        """Compute the share of each pixel that a shape covers, 0 to 1, from its field."""
        return np.asarray(np.clip(field / self.pixel + 0.5, 0, 1), np.float32)


def square_grid(side_px: int, flip: bool, rotation_rad: float) -> Grid:
    """Make the grid of a side x side square of pixels, mirrored and rotated about its centre."""
    line = ((np.arange(side_px, dtype=np.float32) + 0.5) * (2 / side_px) - 1).astype(np.float32)
    u, v = np.meshgrid(-line if flip else line, line)
    cos, sin = np.float32(np.cos(rotation_rad)), np.float32(np.sin(rotation_rad))
    return Grid(u * cos + v * sin, v * cos - u * sin, 2 / side_px)


def ellipse(grid: Grid, centre: Point, radii: Point) -> Field:
    """Axis-parallel ellipse. Near the edge, its field is the distance to the edge."""
    x, y = (grid.u - centre[0]) / radii[0], (grid.v - centre[1]) / radii[1]
    return np.asarray((1 - np.sqrt(x * x + y * y)) * min(radii), np.float32)


def box(grid: Grid, low: Point, high: Point) -> Field:
    """Axis-parallel rectangle from its upper left to its lower right corner."""
    across = np.minimum(grid.u - low[0], high[0] - grid.u)
    down = np.minimum(grid.v - low[1], high[1] - grid.v)
    return np.asarray(np.minimum(across, down), np.float32)


def convex(grid: Grid, points: list[Point]) -> Field:
    """Convex polygon; its corners are in clockwise order in the picture."""
    field = np.full_like(grid.u, np.inf)
    for (x0, y0), (x1, y1) in zip(points, points[1:] + points[:1], strict=True):
        dx, dy = x1 - x0, y1 - y0
        side = (dx * (grid.v - y0) - dy * (grid.u - x0)) / np.hypot(dx, dy)
        field = np.minimum(field, side)
    return field.astype(np.float32)


def union(*fields: Field) -> Field:
    """Union of shapes."""
    return np.asarray(np.maximum.reduce(fields), np.float32)


def without(field: Field, hole: Field) -> Field:
    """The first shape without the second."""
    return np.asarray(np.minimum(field, -hole), np.float32)
