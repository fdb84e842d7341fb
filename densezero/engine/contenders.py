"""Which classes can win where: an image in tiles, each with the few channels that may be highest somewhere in it.

The score of a pixel is a blend, with the same weights for all channels, of convex functions of one patch grid's
bilinear score each; and that lies between its corners. So a channel is out wherever another one, or a mixture of
others, is above it at every corner: no blend can lift it above the best of them. Corners are compared by how far a
channel lags behind the highest there, which leaves out what all channels have in common.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import TYPE_CHECKING, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from densezero.engine.corners import Axis, Reach, reach_of
from densezero.engine.upsample import Span

if TYPE_CHECKING:
    from densezero.engine.scores import Layer, ScoreMap

BAND_SCORES = 300_000  # blocks times channels that are compared at once
TILE_BLOCKS = (4, 2)  # blocks on a side of a tile, and of a smaller one where that saves more than it costs
TILE_COST = 150_000  # scores that could be blended in the time that one more tile takes
LEAST_BLOCK_PX = 8
ROUNDING = 4e-6  # of scores that reach 1: more than float32 is wrong by in a blend of blends


class Tile(NamedTuple):
    """A part of the image, and the channels that may be highest in it, rising."""

    rows: Span
    columns: Span
    contenders: Tensor


def tiles(scores: ScoreMap, hw: tuple[int, int], allowed: Tensor | None = None) -> Iterator[Tile]:
    """Cut an image into tiles with their contenders.

    Args:
        scores: the map that is resized to the image.
        hw: rows and columns of the image.
        allowed: (K,) False for channels that are left out; all are allowed where this is None.
    """
    lags = [_lag(layer.grid, allowed) for layer in scores.layers]
    leading = [some.argmin(-1) for some in lags]
    down, across = ([_axis(layer, axis, scores.hw, hw) for layer in scores.layers] for axis in (0, 1))
    rows, columns = down[0].blocks(LEAST_BLOCK_PX), across[0].blocks(LEAST_BLOCK_PX)
    column_reach = [reach_of(columns, axis) for axis in across]
    tile_rows = BAND_SCORES // (TILE_BLOCKS[0] * len(columns) * scores.channels)
    height = TILE_BLOCKS[0] * max(1, tile_rows)
    for band in (rows[first : first + height] for first in range(0, len(rows), height)):
        row_reach = [reach_of(band, axis) for axis in down]
        corners = map(_corners_of, lags, leading, row_reach, column_reach)
        channels, winners = _contend([some for some in corners if bool(some.reached.any())])
        for tile in _tile(winners, band, columns):
            yield tile._replace(contenders=channels[tile.contenders])


def _axis(layer: Layer, axis: int, map_hw: tuple[int, int], hw: tuple[int, int]) -> Axis:
    begin, length = layer.window[axis], layer.window.hw[axis]  # top and height, or left and width
    patches = layer.grid.shape[1 + axis]
    if patches == length == map_hw[axis]:  # the map is the grid itself, and the image hangs on it in one step
        return Axis(patches, 0, hw[axis], hw[axis], hw[axis])
    return Axis(patches, begin, length, map_hw[axis], hw[axis])


def _lag(grid: Tensor, allowed: Tensor | None) -> Tensor:
    """How far each channel is behind the highest at every patch: (K, gh, gw) to (gh, gw, K)."""
    patches = grid.permute(1, 2, 0)
    if allowed is not None:
        patches = patches.masked_fill(~allowed, float("-inf"))
    return (patches.amax(-1, keepdim=True) - patches).contiguous()


class Corners(NamedTuple):
    """One layer's lags (r, gw, K) in a band, which channel leads (r, gw), and the blocks that hang on them."""

    lags: Tensor
    leading: Tensor
    rows: Reach
    columns: Reach

    @property
    def reached(self) -> Tensor:
        """(R, C) whether a block reaches the layer."""
        return self.rows.reached[:, None] & self.columns.reached

    @property
    def taps(self) -> list[tuple[Tensor, Tensor]]:
        """Row (R,) and column (C,) of each corner."""
        return list(product(self.rows.taps, self.columns.taps))

    def leaders(self) -> list[Tensor]:
        """(R, C) the channel that leads, at each of the four outermost corners."""
        outermost = product((self.rows.taps[0], self.rows.taps[-1]), (self.columns.taps[0], self.columns.taps[-1]))
        return [self.leading[row[:, None], column] for row, column in outermost]

    def lags_of(self, channels: Tensor) -> Tensor:
        """Lags (taps, R, C, W) of some channels (R, C, W) at every corner; nought where the layer is not reached."""
        found = [self.lags[row[:, None, None], column[:, None], channels] for row, column in self.taps]
        return torch.stack(found).masked_fill_(~self.reached[:, :, None], 0)


def _corners_of(lags: Tensor, leading: Tensor, rows: Reach, columns: Reach) -> Corners:
    """Take the rows of patches that a band hangs on."""
    band = slice(int(rows.taps.min()), int(rows.taps.max()) + 1)
    return Corners(lags[band], leading[band], Reach(rows.taps - band.start, rows.reached), columns)


def _contend(layers: list[Corners]) -> tuple[Tensor, Tensor]:
    """The channels (K',) that may be highest anywhere, and (R, C, K') True where one may be highest in a block."""
    witnesses = _witnesses(layers)
    behind = [corners.lags_of(witnesses) for corners in layers]  # (taps, R, C, W)
    mixed = torch.cat([lags.mean(-1) for lags in behind])  # (all taps, R, C)
    alone = torch.cat(behind).amax(0).argmin(-1, keepdim=True)  # (R, C, 1) the witness that lags least at its worst
    single = torch.cat([lags.gather(-1, alone.expand(len(lags), *alone.shape))[..., 0] for lags in behind])
    bar = torch.where(single.amax(0) < mixed.amax(0), single, mixed) + ROUNDING
    some = _ever_below(float(bar.max()), layers)  # most channels are far behind in all of the band
    winners = torch.zeros(*witnesses.shape[:2], len(some), dtype=torch.bool)
    at_tap = iter(bar)
    for corners in layers:
        lags = corners.lags.index_select(-1, some)
        for row, column in corners.taps:
            here = next(at_tap).masked_fill(~corners.reached, -1)[:, :, None]
            # What is no number is not above the bar, so that it stays in.
            winners |= ~(lags.index_select(0, row).index_select(1, column) > here)
    return some, winners


def _ever_below(bar: float, layers: list[Corners]) -> Tensor:
    """The channels that lag by no more than this at any patch that the band hangs on, rising."""
    least = torch.stack([corners.lags.amin((0, 1)) for corners in layers]).amin(0)
    return (~(least > bar)).nonzero().flatten()


def _witnesses(layers: list[Corners]) -> Tensor:
    """(R, C, W) the channels that lead at the outermost corners of each layer that a block reaches."""
    leaders = [corners.leaders() for corners in layers]
    anyone = leaders[0][0]
    for corners, leading in zip(layers[1:], leaders[1:], strict=True):
        anyone = torch.where(corners.reached & ~layers[0].reached, leading[0], anyone)
    chosen = [
        torch.where(corners.reached, leader, anyone)
        for corners, leading in zip(layers, leaders, strict=True)
        for leader in leading
    ]
    return torch.stack(chosen, -1)


def _tile(winners: Tensor, rows: list[Span], columns: list[Span]) -> Iterator[Tile]:
    """Cut (R, C, K) blocks into tiles, each into smaller ones where that saves more than it costs."""
    coarse, fine = ((_grouped(winners, side), _joined(rows, side), _joined(columns, side)) for side in TILE_BLOCKS)
    costs, finer_costs = _costs(*coarse), _costs(*fine)
    pieces = TILE_BLOCKS[0] // TILE_BLOCKS[1]
    for row, column in product(range(len(coarse[1])), range(len(coarse[2]))):
        inner = product(
            range(row * pieces, min((row + 1) * pieces, len(fine[1]))),
            range(column * pieces, min((column + 1) * pieces, len(fine[2]))),
        )
        smaller = list(inner)
        if sum(finer_costs[i][j] for i, j in smaller) < costs[row][column]:
            yield from (_tile_at(*fine, i, j) for i, j in smaller)
        else:
            yield _tile_at(*coarse, row, column)


def _tile_at(winners: Tensor, rows: list[Span], columns: list[Span], row: int, column: int) -> Tile:
    return Tile(rows[row], columns[column], winners[row, column].nonzero().flatten())


def _grouped(winners: Tensor, side: int) -> Tensor:
    """Join blocks (R, C, K) into squares of a side: True where a channel may be highest in any of them."""
    down, across = (-length % side for length in winners.shape[:2])
    padded = F.pad(winners, (0, 0, 0, across, 0, down))
    rows, columns, channels = padded.shape
    return padded.view(rows // side, side, columns // side, side, channels).any(3).any(1)


def _joined(spans: list[Span], side: int) -> list[Span]:
    return [
        Span(spans[first].start, spans[min(first + side, len(spans)) - 1].end) for first in range(0, len(spans), side)
    ]


def _costs(winners: Tensor, rows: list[Span], columns: list[Span]) -> list[list[int]]:
    """What each tile costs, in scores blended: nothing but itself where one channel wins it all."""
    heights, widths = (torch.tensor([span.end - span.start for span in spans]) for spans in (rows, columns))
    channels = winners.sum(-1)
    return (TILE_COST + channels.masked_fill(channels == 1, 0) * heights[:, None] * widths).tolist()
