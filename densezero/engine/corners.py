"""The corners of blocks: which patches the scores in a block of the image hang on. Integers and places, no scores."""

from __future__ import annotations

import itertools
import math
from typing import NamedTuple

import torch
from torch import Tensor

from densezero.engine.upsample import Span

NEAR = 1e-3  # of a source: more than float32 is wrong by in a place


class Axis(NamedTuple):
    """One axis of a window's patch grid, on a map that is resized to an image.

    Args:
        patches: of the grid.
        begin: first pixel of the window on the map.
        length: pixels of the window.
        map_px: pixels of the map.
        image_px: pixels of the image.
    """

    patches: int
    begin: int
    length: int
    map_px: int
    image_px: int

    def blocks(self, least_px: int) -> list[Span]:
        """Cut the image into blocks of about a patch, but of at least so many pixels.

        Where the image hangs on the grid in one step they begin where it comes to the next patch, so that each has two
        corners along the axis; through a window there is no such place for all windows, and they are of one length.
        """
        px = self.length / self.patches * self.image_px / self.map_px  # for each patch
        if self.length == self.map_px == self.image_px:
            begin, step = px / 2 - 0.5, px * math.ceil(least_px / px)
        else:
            begin, step = 0.0, float(max(least_px, round(px)))
        places = (math.ceil(begin + step * block) for block in itertools.count())
        starts = sorted({0, *itertools.takewhile(lambda place: place < self.image_px, places)})
        return [Span(start, end) for start, end in itertools.pairwise([*starts, self.image_px])]

    def corners(self, block: Span) -> Span:
        """The patches that a block of the image hangs on; none where it does not reach the window."""
        on_map = _sources(block, self.map_px, self.image_px)
        inside = Span(max(on_map.start - self.begin, 0), min(on_map.end - self.begin, self.length))
        return Span(0, 0) if inside.start >= inside.end else _sources(inside, self.patches, self.length)


class Reach(NamedTuple):
    """The corners of many blocks along an axis.

    Args:
        taps: (T, blocks) int64 patches; the last one again where a block has fewer than T.
        reached: (blocks,) whether a block reaches the window at all.
    """

    taps: Tensor
    reached: Tensor

    def part(self, blocks: slice) -> Reach:
        """Some of the blocks."""
        return Reach(self.taps[:, blocks], self.reached[blocks])


def reach_of(blocks: list[Span], axis: Axis) -> Reach:
    """Find the corners of blocks along an axis."""
    spans = [axis.corners(block) for block in blocks]
    most = max(1, *(span.end - span.start for span in spans))
    taps = [[min(span.start + tap, max(span.end - 1, 0)) for span in spans] for tap in range(most)]
    return Reach(torch.tensor(taps), torch.tensor([span.end > span.start for span in spans]))


def _sources(targets: Span, sources: int, length: int) -> Span:
    """The sources that bilinear targets may hang on; one more at an end where rounding could reach it."""
    if sources == length:
        return targets
    scale = sources / length
    first = math.floor((targets.start + 0.5) * scale - 0.5 - NEAR)
    last = math.floor((targets.end - 0.5) * scale - 0.5 + NEAR) + 1
    return Span(min(max(first, 0), sources - 1), min(max(last, 0), sources - 1) + 1)
