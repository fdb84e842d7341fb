"""Which classes can win where: an image in tiles, each with the few channels that may be highest somewhere in it.

The score of a pixel is a blend, with the same weights for all channels, of convex functions of one patch grid's
bilinear score each; and that lies between its corners. So a channel is out wherever a mixture of others, the witnesses,
is above it at every corner: no blend can lift it above the best of them. Corners are compared by how far a channel lags
behind the highest there, which leaves out what all channels have in common.

This is done twice. First patches are the corners, of blocks of the image: each patch gets a bar, the most that the
mixture of any block lags there, and one comparison finds the channels near it. Those that are near any patch of a tile
are compared once more, at the ends of short runs of its pixels.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable
from itertools import product
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from densezero.engine.corners import Axis, Reach, reach_of
from densezero.engine.runs import Ends, Runs, runs_between
from densezero.engine.upsample import Span

if TYPE_CHECKING:
    from densezero.engine.scores import Layer, ScoreMap

TILE_BLOCKS = 8  # on a side
LEAST_BLOCK_PX = 8
MOST_RUN_PX = 8
BAND_LAGS = 500_000  # of witnesses at corners, computed at once
FEW = 8  # so many channels are blended sooner than compared once more
MANY, MANY_RUNS = 100, 20  # channels that are found for each quarter by itself, of a tile of so many runs on a side
TILE_COST = 80_000  # scores that could be blended in the time that one more tile takes
ROUNDING = 4e-6  # of scores that reach 1: more than float32 is wrong by in a blend of blends


class Tile(NamedTuple):
    """A part of the image, and the channels that may be highest in it, rising."""

    rows: Span
    columns: Span
    contenders: Tensor


class Contest:
    """The channels of an image against each other.

    Args:
        scores: the map that is resized to the image.
        hw: rows and columns of the image.
        allowed: (K,) False for channels that are left out; all are allowed where this is None.

    Attributes:
        places: row and column of each tile; threads may ask ``tiles_at`` for one each.
    """

    def __init__(self, scores: ScoreMap, hw: tuple[int, int], allowed: Tensor | None = None) -> None:
        down, across = (tuple(_axis(layer, axis, scores.hw, hw) for layer in scores.layers) for axis in (0, 1))
        rows, columns = down[0].blocks(LEAST_BLOCK_PX), across[0].blocks(LEAST_BLOCK_PX)
        patches = [_patches(layer.grid, allowed) for layer in scores.layers]
        near = _near(patches, [reach_of(rows, axis) for axis in down], [reach_of(columns, axis) for axis in across])
        self._down, self._across = _runs(rows, down), _runs(columns, across)
        self._layers = list(zip(patches, near, strict=True))
        self.places = list(product(range(len(self._down)), range(len(self._across))))

    def tiles_at(self, place: tuple[int, int]) -> list[Tile]:
        """Give the tile at a place, or smaller ones where these cost less together."""
        return self._tiles_of(self._down[place[0]], self._across[place[1]])

    def _tiles_of(self, rows: Runs, columns: Runs) -> list[Tile]:
        reaching = [
            (patches[down.patches, across.patches], near[down.patches, across.patches], down, across)
            for (patches, near), down, across in zip(self._layers, rows.windows, columns.windows, strict=True)
            if any(down.reached) and any(across.reached)
        ]
        anywhere = [near.any(0).any(0) for _, near, _, _ in reaching]  # (K,)
        channels = torch.stack(anywhere).any(0).nonzero().flatten()
        if len(channels) <= FEW:
            return [Tile(_joined(rows.spans), _joined(columns.spans), channels)]
        if len(channels) > MANY and min(len(rows.spans), len(columns.spans)) >= MANY_RUNS:
            return [tile for part in product(rows.halves(), columns.halves()) for tile in self._tiles_of(*part)]
        lead = _lead([_ends(patches, channels, down, across) for patches, _, down, across in reaching])
        return _cut(lead, channels, rows.spans, columns.spans)


def _axis(layer: Layer, axis: int, map_hw: tuple[int, int], hw: tuple[int, int]) -> Axis:
    begin, length = layer.window[axis], layer.window.hw[axis]  # top and height, or left and width
    patches = layer.grid.shape[1 + axis]
    if patches == length == map_hw[axis]:  # the map is the grid itself, and the image hangs on it in one step
        return Axis(patches, 0, hw[axis], hw[axis], hw[axis])
    return Axis(patches, begin, length, map_hw[axis], hw[axis])


def _runs(blocks: list[Span], axes: tuple[Axis, ...]) -> list[Runs]:
    edges = (*(block.start for block in blocks[::TILE_BLOCKS]), blocks[-1].end)
    return runs_between(axes, edges, MOST_RUN_PX)


def _patches(grid: Tensor, allowed: Tensor | None) -> Tensor:
    """(K, gh, gw) to (gh, gw, K), in memory as well."""
    patches = grid.permute(1, 2, 0)
    return (patches if allowed is None else patches.masked_fill(~allowed, float("-inf"))).contiguous()


def _near(patches: list[Tensor], rows: list[Reach], columns: list[Reach]) -> list[Tensor]:
    """Find the channels (gh, gw, K) that may be highest somewhere about each patch of each layer."""
    highest = [some.max(-1) for some in patches]  # and which channel that is
    bars = [torch.full_like(top, -1) for top, _ in highest]  # below every lag, for patches that nothing hangs on
    taps = sum(len(down.taps) * len(across.taps) for down, across in zip(rows, columns, strict=True))
    height = max(1, BAND_LAGS // (4 * len(patches) * taps * len(columns[0].reached)))
    for start in range(0, len(rows[0].reached), height):
        band = [down.part(slice(start, start + height)) for down in rows]
        blocks = map(_Blocks.of, patches, highest, band, columns)
        _raise_bars([(some, bar) for some, bar in zip(blocks, bars, strict=True) if bool(some.reached.any())])
    return [~(some < (top - bar)[..., None]) for some, (top, _), bar in zip(patches, highest, bars, strict=True)]


class _Blocks(NamedTuple):
    """Blocks of the image with patches of one layer for corners.

    Args:
        patches: (gh * gw, K) scores.
        top: (gh * gw,) the highest of each.
        leading: (gh * gw,) which channel that is.
        corners: (T, T', R, C) patches.
        reached: (R, C) whether a block reaches the layer.
    """

    patches: Tensor
    top: Tensor
    leading: Tensor
    corners: Tensor
    reached: Tensor

    @classmethod
    def of(cls, patches: Tensor, highest: tuple[Tensor, Tensor], rows: Reach, columns: Reach) -> _Blocks:
        corners = rows.taps[:, None, :, None] * patches.shape[1] + columns.taps[:, None]
        reached = rows.reached[:, None] & columns.reached
        return cls(patches.flatten(0, 1), highest[0].flatten(), highest[1].flatten(), corners, reached)

    def leaders(self) -> list[Tensor]:
        """(R, C) the channel that leads, at each of the four outermost corners."""
        return [self.leading[self.corners[row, column]] for row, column in product((0, -1), (0, -1))]

    def lags(self, witnesses: Tensor) -> Tensor:
        """How far the mixture of witnesses (R, C, W) lags at every corner: (T, T', R, C)."""
        lags = self.top[self.corners][..., None] - self.patches[self.corners[..., None], witnesses]
        return lags.mean(-1).add_(ROUNDING).masked_fill_(~self.reached, -1)


def _raise_bars(layers: list[tuple[_Blocks, Tensor]]) -> None:
    """Raise each patch's bar (gh, gw) to how far the mixture of any block that hangs on it lags there."""
    witnesses = _witnesses([blocks.leaders() for blocks, _ in layers], [blocks.reached for blocks, _ in layers])
    for blocks, bar in layers:
        bar.view(-1).scatter_reduce_(0, blocks.corners.flatten(), blocks.lags(witnesses).flatten(), "amax")


def _witnesses(leaders: list[list[Tensor]], reached: list[Tensor]) -> Tensor:
    """(R, C, W) the channels that lead at the outermost corners of each layer that a block reaches."""
    anyone = leaders[0][0]
    for leading, here in zip(leaders[1:], reached[1:], strict=True):
        anyone = torch.where(here & ~reached[0], leading[0], anyone)
    chosen = [
        torch.where(here, leader, anyone) for leading, here in zip(leaders, reached, strict=True) for leader in leading
    ]
    return torch.stack(chosen, -1)


class _Ends(NamedTuple):
    """Runs of pixels with their ends in one window for corners.

    Args:
        scores: four (R, C, k), of some channels.
        unreached: (R, C, 1) True where a run of rows and columns does not reach the window; None where all do.
    """

    scores: list[Tensor]
    unreached: Tensor | None

    def masked(self, scores: Tensor, value: float) -> Tensor:
        """Scores (R, C, k) with a value in the place of those that say nothing."""
        return scores if self.unreached is None else scores.masked_fill_(self.unreached, value)


def _ends(patches: Tensor, channels: Tensor, rows: Ends, columns: Ends) -> _Ends:
    """Upsample some channels of patches (p, q, K) to the ends of runs."""
    scores = columns.blend(rows.blend(patches.index_select(-1, channels), 0), 1)  # (2 R, 2 C, k)
    corners = [scores[row::2, column::2] for row, column in product((0, 1), (0, 1))]
    if all(rows.reached) and all(columns.reached):
        return _Ends(corners, None)
    return _Ends(corners, ~torch.tensor(rows.reached)[:, None, None] | ~torch.tensor(columns.reached)[:, None])


def _lead(layers: list[_Ends]) -> Tensor:
    """By how much each channel (R, C, k) is above the witness, at most, at any corner of a run of rows and columns.

    One witness will do for runs: the channel that is highest between two opposite corners.
    """
    middle = [ends.masked(ends.scores[0] + ends.scores[-1], 0) for ends in layers]
    witness = _each(torch.add, middle).argmax(-1, keepdim=True)
    leads = [[scores - scores.gather(-1, witness) for scores in ends.scores] for ends in layers]
    most = [ends.masked(_each(torch.maximum, some), float("-inf")) for ends, some in zip(layers, leads, strict=True)]
    return _each(torch.maximum, most)


def _each(join: Callable[[Tensor, Tensor], Tensor], parts: list[Tensor]) -> Tensor:
    """Join tensors of one shape, number by number."""
    return functools.reduce(join, parts)


def _cut(lead: Tensor, channels: Tensor, rows: list[Span], columns: list[Span]) -> list[Tile]:
    """Make one tile of all runs, of the channels whose lead (R, C, k) lets them in, or quarters that cost less."""
    let_in = ~(lead.amax(0).amax(0) < -ROUNDING)  # what is no number is let in
    whole = Tile(_joined(rows), _joined(columns), channels[let_in])
    if len(rows) == 1 or len(columns) == 1 or _cost(whole) <= 4 * TILE_COST:
        return [whole]
    halves = ((slice(0, len(spans) // 2), slice(len(spans) // 2, None)) for spans in (rows, columns))
    quarters = [_cut(lead[row, column], channels, rows[row], columns[column]) for row, column in product(*halves)]
    tiles = list(itertools.chain(*quarters))
    return tiles if sum(map(_cost, tiles)) < _cost(whole) else [whole]


def _joined(spans: list[Span]) -> Span:
    return Span(spans[0].start, spans[-1].end)


def _cost(tile: Tile) -> int:
    """Of a tile, in scores blended; one that a channel wins alone is free but for itself."""
    pixels = (tile.rows.end - tile.rows.start) * (tile.columns.end - tile.columns.start)
    return TILE_COST + (pixels * len(tile.contenders) if len(tile.contenders) > 1 else 0)
