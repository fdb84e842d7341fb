"""The image in squares of pixels: which pixels of the map, and which patches of a window, each hangs on.

Squares are of one size, so that many are blended at once, each of few channels of its own.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor

from densezero.engine.corners import Axis
from densezero.engine.upsample import Blend, Span, axis_blend

SIDE = 16  # pixels


class Sources(NamedTuple):
    """What T squares are blended from along an axis.

    Args:
        first: (T,) int64 the first source of each.
        most: sources that a square needs at most.
        low: (T, n) int64 the first of two sources of each of a square's n places, counted from ``first``.
        high: (T, n) int64 the second, likewise.
        share: (T, n) float32 weight of the second.
    """

    first: Tensor
    most: int
    low: Tensor
    high: Tensor
    share: Tensor

    def held(self, squares: Tensor, last: int) -> Tensor:
        """(M, most) sources of some squares; the last there is where a square has fewer."""
        return (self.first[squares, None] + torch.arange(self.most)).clamp(max=last)

    def blend(self, scores: Tensor, squares: Tensor, dim: int) -> Tensor:
        """Blend scores (M, k, r, c) of some squares along their columns (-1) or rows (-2)."""
        low, high, share = self.low[squares], self.high[squares], self.share[squares]  # (M, n)
        if dim == -1:
            shape = (*scores.shape[:3], low.shape[1])
            ends = (scores.gather(-1, some[:, None, None].expand(shape)) for some in (low, high))
            return next(ends).lerp_(next(ends), share[:, None, None])
        count, channels, rows, columns = scores.shape
        begins = torch.arange(count * channels).view(count, channels, 1) * rows
        lines = scores.reshape(-1, columns)
        found = (lines.index_select(0, (begins + some[:, None]).flatten()) for some in (low, high))
        ends = (line.view(count, channels, -1, columns) for line in found)
        return next(ends).lerp_(next(ends), share[:, None, :, None])


class InWindow(NamedTuple):
    """A window's pixels along an axis, for every square.

    Args:
        places: (T, m) int64 the window's pixel for each of a square's pixels of the map; the nearest beside the window.
        inside: (T, m) whether it is in the window.
        patches: that those pixels are blended from.
    """

    places: Tensor
    inside: Tensor
    patches: Sources

    def anywhere(self, marks: Tensor, dim: int) -> Tensor:
        """Whether each square hangs on a patch that is marked, along a dimension (gh or gw) of marks; there T comes."""
        taps = self.patches.held(torch.arange(len(self.places)), marks.shape[dim] - 1).unbind(1)
        found = marks.index_select(dim, taps[0])
        for tap in taps[1:]:
            found |= marks.index_select(dim, tap)
        return found.index_fill_(dim, (~self.inside.any(1)).nonzero().flatten(), False)


class Squares(NamedTuple):
    """The squares along an axis.

    Args:
        pixels: (T, side) int64 of the image; the last one again where a square is cut off.
        map_pixels: (T, m) int64 that those hang on.
        resize: of these to the image's; None where they are the same.
        windows: each window's.
    """

    pixels: Tensor
    map_pixels: Tensor
    resize: Sources | None
    windows: list[InWindow]


class SomeSquares(NamedTuple):
    """M squares.

    Args:
        axes: along the rows, and along the columns.
        rows: (M,) int64 which of those along the rows each is.
        columns: (M,) likewise.
    """

    axes: tuple[Squares, Squares]
    rows: Tensor
    columns: Tensor

    @property
    def along(self) -> tuple[tuple[Squares, Tensor], tuple[Squares, Tensor]]:
        """Each axis with the squares' numbers along it."""
        return (self.axes[0], self.rows), (self.axes[1], self.columns)

    def part(self, chosen: Tensor) -> SomeSquares:
        """Some of them."""
        return SomeSquares(self.axes, self.rows[chosen], self.columns[chosen])

    @property
    def map_pixels(self) -> tuple[Tensor, Tensor]:
        """Rows (M, m, 1) and columns (M, 1, m) of the map."""
        return _crossed(*(axis.map_pixels[chosen] for axis, chosen in self.along))

    def places_in(self, window: int) -> tuple[Tensor, Tensor]:
        """Rows (M, m, 1) and columns (M, 1, m) of a window."""
        return _crossed(*(axis.windows[window].places[chosen] for axis, chosen in self.along))

    def inside(self, window: int) -> Tensor:
        """(M, m, m) which pixels of the map are in a window."""
        rows, columns = _crossed(*(axis.windows[window].inside[chosen] for axis, chosen in self.along))
        return rows & columns

    def resized(self, scores: Tensor) -> Tensor:
        """From the map's scores (M, k, m, m) to the image's (M, k, side, side)."""
        for (axis, chosen), dim in zip(reversed(self.along), (-1, -2), strict=True):
            scores = scores if axis.resize is None else axis.resize.blend(scores, chosen, dim)
        return scores


def _crossed(rows: Tensor, columns: Tensor) -> tuple[Tensor, Tensor]:
    return rows[:, :, None], columns[:, None]


@lru_cache(maxsize=64)
def squares_along(axes: tuple[Axis, ...], side: int = SIDE) -> Squares:
    """Plan the squares along an axis; plans are kept, since images are of few sizes.

    Args:
        axes: of every window, on the same map and image.
        side: of a square, in pixels.
    """
    image_px, map_px = axes[0].image_px, axes[0].map_px
    pixels = (torch.arange(0, image_px, side)[:, None] + torch.arange(side)).clamp(max=image_px - 1)
    plan = axis_blend(Span(0, image_px), map_px, image_px)
    resize = None if plan.changes_nothing else _sources(plan, pixels)
    squares = torch.arange(len(pixels))
    places = pixels if resize is None else resize.held(squares, map_px - 1)
    return Squares(pixels, places, resize, [_in_window(axis, places - axis.begin) for axis in axes])


def _in_window(axis: Axis, places: Tensor) -> InWindow:
    held = places.clamp(0, axis.length - 1)
    patches = _sources(axis_blend(Span(0, axis.length), axis.patches, axis.length), held)
    return InWindow(held, held == places, patches)


def _sources(plan: Blend, targets: Tensor) -> Sources:
    """The sources of targets (T, n)."""
    low, high = plan.low[targets] + plan.span.start, plan.high[targets] + plan.span.start
    first = low.amin(1)
    most = int((high - first[:, None]).max()) + 1
    return Sources(first, most, low - first[:, None], high - first[:, None], plan.share[targets])
