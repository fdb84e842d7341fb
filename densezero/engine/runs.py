"""Runs of pixels between whose ends the scores of every window lie, along one axis.

A pixel of the image is blended from two pixels of the map, each of which a window has upsampled from two patches.
Pixels whose map pixels lie between the same patches of every window make a run; a pixel that hangs on both sides of a
patch centre makes one with those that hang on the same two map pixels. So a window's scores at a run's pixels lie
between those at its first and its last map pixel.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor

from densezero.engine.corners import Axis
from densezero.engine.squares import SIDE
from densezero.engine.upsample import Blend, Span, axis_blend


class Ends(NamedTuple):
    """Where R runs begin and end in one window: the map pixels there, blended from two patches each.

    Args:
        patches: that the runs hang on.
        low: (2 R,) int64 the first patch of a run's first and of its last map pixel, run by run, counted from the start
            of ``patches``.
        high: (2 R,) int64 the second patch, likewise.
        share: (2 R,) float32 weight of ``high``.
        reached: whether each run reaches the window; its ends say nothing where it does not.
    """

    patches: slice
    low: Tensor
    high: Tensor
    share: Tensor
    reached: list[bool]

    def part(self, runs: slice) -> Ends:
        """Some of the runs."""
        ends = slice(2 * runs.start, 2 * runs.stop)
        first, last = int(self.low[ends].min()), int(self.high[ends].max())
        start = self.patches.start + first
        low, high = self.low[ends] - first, self.high[ends] - first
        return Ends(slice(start, start + last - first + 1), low, high, self.share[ends], self.reached[runs])

    def blend(self, patches: Tensor, dim: int) -> Tensor:
        """Blend a dimension of patches, one that is not the last, into the 2 R ends."""
        low, high = patches.index_select(dim, self.low), patches.index_select(dim, self.high)
        return low.lerp_(high, self.share.view(-1, *[1] * (patches.ndim - 1 - dim)))


class Runs(NamedTuple):
    """Runs along an axis of the image, in the squares that they fill.

    Args:
        spans: of pixels, one after the other; none reaches beyond a square.
        windows: their ends in each window.
        begins: the first run of each square, and the number of runs at last.
        first: number of the first square.
    """

    spans: list[Span]
    windows: list[Ends]
    begins: list[int]
    first: int

    def part(self, start: int, end: int) -> Runs:
        """The runs of some of the squares, counted from the first."""
        runs = slice(self.begins[start], self.begins[end])
        begins = [begin - runs.start for begin in self.begins[start : end + 1]]
        return Runs(self.spans[runs], [window.part(runs) for window in self.windows], begins, self.first + start)

    def parts(self, squares: int) -> list[Runs]:
        """All runs, so many squares at once."""
        count = len(self.begins) - 1
        return [self.part(start, min(start + squares, count)) for start in range(0, count, squares)]


@lru_cache(maxsize=64)
def runs_along(axes: tuple[Axis, ...], most_px: int = SIDE) -> Runs:
    """Cut an axis of the image into runs; they are kept, since images are of few sizes.

    Args:
        axes: of every window, on the same map and image.
        most_px: pixels of a run at most; a square is a multiple of it.
    """
    image_px = axes[0].image_px
    windows = [_PixelEnds.of(axis) for axis in axes]
    places = torch.stack([place for window in windows for place in window.places()], 1)  # (pixels, 2 windows)
    cut = torch.arange(image_px) % most_px == 0
    cut[1:] |= (places[1:] != places[:-1]).any(1)
    spans = list(itertools.starmap(Span, itertools.pairwise([*cut.nonzero().flatten().tolist(), image_px])))
    begins = [index for index, span in enumerate(spans) if span.start % SIDE == 0]
    return Runs(spans, [window.ends(spans) for window in windows], [*begins, len(spans)], 0)


class _PixelEnds(NamedTuple):
    """For each pixel of the image the two map pixels that it hangs on, counted from a window's start.

    Args:
        first: (pixels,) int64.
        last: (pixels,) int64.
        inside: (pixels,) whether either is in the window.
        upsampling: of the window's patches.
    """

    first: Tensor
    last: Tensor
    inside: Tensor
    upsampling: Blend

    @classmethod
    def of(cls, axis: Axis) -> _PixelEnds:
        resize = axis_blend(Span(0, axis.image_px), axis.map_px, axis.image_px)
        first = resize.low + (resize.span.start - axis.begin)
        last = first if resize.changes_nothing else resize.high + (resize.span.start - axis.begin)
        inside = (last >= 0) & (first < axis.length)
        first, last = (place.clamp(0, axis.length - 1) for place in (first, last))
        return cls(first, last, inside, axis_blend(Span(0, axis.length), axis.patches, axis.length))

    def places(self) -> Sequence[Tensor]:
        """Two (pixels,) patches before the two map pixels; -1 beside the window."""
        low = self.upsampling.low + self.upsampling.span.start
        return [torch.where(self.inside, low[place], -1) for place in (self.first, self.last)]

    def ends(self, spans: Sequence[Span]) -> Ends:
        """Where runs of pixels begin and end."""
        starts, lasts = (torch.tensor(pixels) for pixels in zip(*((s.start, s.end - 1) for s in spans), strict=True))
        places = torch.stack([self.first[starts], self.last[lasts]], 1).flatten()  # (2 R,)
        plan = self.upsampling
        span = slice(plan.span.start, plan.span.end)
        return Ends(span, plan.low[places], plan.high[places], plan.share[places], self.inside[starts].tolist())
