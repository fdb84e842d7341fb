"""Which classes can win where: an image in squares, each with the few channels that may be highest somewhere in it.

The score of a pixel is a blend, with the same weights for all channels, of convex functions of one patch grid's
bilinear score each; and that lies between its corners. So a channel is out wherever a mixture of others, the witnesses,
is above it at every corner: no blend can lift it above the best of them. Corners are compared by how far a channel lags
behind the highest there, which leaves out what all channels have in common.

This is done twice. First patches are the corners, of blocks of the image: each patch gets a bar, the most that the
mixture of any block lags there, and one comparison finds the channels near it. A square's channels are those that are
near any of its patches. Where these are many, those of a whole tile of squares are compared once more, at the ends of
short runs of its pixels.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from functools import lru_cache
from itertools import pairwise, product
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from densezero.engine.corners import Axis, Reach, reach_of
from densezero.engine.runs import Ends, Runs, runs_along
from densezero.engine.squares import SomeSquares, Squares, squares_along
from densezero.engine.workers import alone, share_out

if TYPE_CHECKING:
    from densezero.engine.scores import ScoreMap

TILE = 8  # squares on a side, an even number
LEAST_BLOCK_PX = 8
BAND_LAGS = 500_000  # of witnesses at corners, computed at once
FEW = 16  # channels near the patches of a square: where no square of a tile has more, it is blended of these at once
MANY = 200  # channels that are found for each quarter of a tile by itself
GROUP_SCORES = 500_000  # of squares on the map, blended at once
ROUNDING = 4e-6  # of scores that reach 1: more than float32 is wrong by in a blend of blends


class Contest:
    """The channels of an image against each other.

    Args:
        scores: the map that is resized to the image.
        hw: rows and columns of the image.
        allowed: (K,) False for channels that are left out; all are allowed where this is None.
    """

    def __init__(self, scores: ScoreMap, hw: tuple[int, int], allowed: Tensor | None = None) -> None:
        down, across = scores.axes(hw)
        grids = [layer.grid for layer in scores.layers]
        self._patches, self._near = alone(lambda: _compare(grids, allowed, down, across))
        self._axes = squares_along(down), squares_along(across)
        self._tiles = {side: [_tiled(axes, side) for axes in (down, across)] for side in (TILE, TILE // 2)}

    def outcome(self) -> tuple[Tensor, list[Group]]:
        """Find the channels that may be highest somewhere in each square of the image.

        Returns:
            The first of them, (T, T') for all squares; and the squares with several, a few at once.
        """
        near, hard, easy = alone(self._sort_tiles)
        found = [easy]
        share_out(lambda place: found.extend([*self._winners_at(place, TILE, near)]), hard)
        return alone(lambda: _grouped(torch.cat(found, 1), self._axes))

    def _sort_tiles(self) -> tuple[Tensor, list[tuple[int, int]], Tensor]:
        """Find the channels near each square, the tiles with too many, and (3, N) those of squares in other tiles."""
        near = self._near_squares()
        counts, (down, across) = near.sum(-1), (range(len(parts)) for parts in self._tiles[TILE])
        hard = [place for place in product(down, across) if int(_tile(counts, place, TILE).max()) > FEW]
        easy = near.clone()
        for place in hard:
            _tile(easy, place, TILE).fill_(False)
        return near, hard, easy.nonzero().T

    def _near_squares(self) -> Tensor:
        """Find the channels (T, T', K) that are near any patch that a square hangs on."""
        down, across = (axis.windows for axis in self._axes)
        squares = (
            columns.anywhere(rows.anywhere(near, 0), 1)
            for near, rows, columns in zip(self._near, down, across, strict=True)
        )
        return functools.reduce(Tensor.logical_or_, squares)  # of one window at a time, since there may be many

    def _winners_at(self, place: tuple[int, int], side: int, near: Tensor) -> Iterator[Tensor]:
        """Give (3, N) row and column of a square and a channel that may win there; a square's channels rise.

        Args:
            place: of a tile of so many squares on a ``side``.
            side: ``TILE``, or half of it.
            near: (T, T', K) whether a channel is near any patch of a square, of all squares.
        """
        rows, columns = (parts[index] for parts, index in zip(self._tiles[side], place, strict=True))
        channels = _tile(near, place, side).any(0).any(0).nonzero().flatten()
        if len(channels) > MANY and side == TILE:
            upper, left = (_halves(index, parts) for index, parts in zip(place, self._tiles[TILE // 2], strict=True))
            for quarter in product(upper, left):
                yield from self._winners_at(quarter, TILE // 2, near)
            return
        reaching = [
            (patches[down.patches, across.patches], down, across)
            for patches, down, across in zip(self._patches, rows.windows, columns.windows, strict=True)
            if any(down.reached) and any(across.reached)
        ]
        lead = _lead([_ends(patches, channels, down, across) for patches, down, across in reaching])
        lead = _most_of_squares(_most_of_squares(lead, rows.begins, 0), columns.begins, 1)
        row, column, channel = (~(lead < -ROUNDING)).nonzero().unbind(1)  # what is no number stays in
        yield torch.stack([row + rows.first, column + columns.first, channels[channel]])


def _tile(squares: Tensor, place: tuple[int, int], side: int) -> Tensor:
    """The squares (T, T', ...) of a tile of so many on a side."""
    rows, columns = (slice(side * index, side * (index + 1)) for index in place)
    return squares[rows, columns]


class Group(NamedTuple):
    """M squares with k channels each, of which some are the last again where a square has fewer.

    Args:
        squares: of the image.
        channels: (M, k) that may be highest somewhere in a square, rising.
    """

    squares: SomeSquares
    channels: Tensor


def _grouped(winners: Tensor, axes: tuple[Squares, Squares]) -> tuple[Tensor, list[Group]]:
    """Split winners (3, N) into squares, and group these by how many channels they have."""
    begins = torch.ones(winners.shape[1], dtype=torch.bool)
    begins[1:] = (winners[:2, 1:] != winners[:2, :-1]).any(0)
    starts = begins.nonzero().flatten()
    rows, columns, channels = winners[:, starts]
    counts = torch.cat([starts[1:], torch.tensor([winners.shape[1]])]) - starts
    first = torch.zeros([len(axis.pixels) for axis in axes], dtype=torch.int64)
    first[rows, columns] = channels
    side, groups = max(axis.map_pixels.shape[1] for axis in axes), []
    for fewest, most in pairwise(_sizes(int(counts.max()))):
        chosen = ((counts > fewest) & (counts <= most)).nonzero().flatten()
        step = max(1, GROUP_SCORES // (most * side * side))
        for some in (chosen[at : at + step] for at in range(0, len(chosen), step)):
            places = starts[some, None] + torch.arange(most).minimum(counts[some, None] - 1)
            groups.append(Group(SomeSquares(axes, rows[some], columns[some]), winners[2, places]))
    return first, groups


def _sizes(most: int) -> list[int]:
    """Numbers of channels, each at most a half more than the one before, up to the most and from 1 on."""
    sizes = [1]
    while sizes[-1] < most:
        sizes.append(sizes[-1] + (sizes[-1] + 1) // 2)
    return sizes


def _reach_of(axes: tuple[Axis, ...]) -> list[Reach]:
    blocks = axes[0].blocks(LEAST_BLOCK_PX)
    return [reach_of(blocks, axis) for axis in axes]


@lru_cache(maxsize=64)
def _tiled(axes: tuple[Axis, ...], squares: int) -> list[Runs]:
    return runs_along(axes).parts(squares)


def _halves(index: int, parts: list[Runs]) -> list[int]:
    """The parts of half the length that make one."""
    return [half for half in (2 * index, 2 * index + 1) if half < len(parts)]


def _patches(grid: Tensor, allowed: Tensor | None) -> Tensor:
    """(K, gh, gw) to (gh, gw, K), in memory as well."""
    patches = grid.permute(1, 2, 0)
    return (patches if allowed is None else patches.masked_fill(~allowed, float("-inf"))).contiguous()


def _compare(
    grids: list[Tensor], allowed: Tensor | None, down: tuple[Axis, ...], across: tuple[Axis, ...]
) -> tuple[list[Tensor], list[Tensor]]:
    """The patches of each grid, and the channels near each."""
    patches = [_patches(grid, allowed) for grid in grids]
    return patches, _near(patches, _reach_of(down), _reach_of(across))


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


def _most_of_squares(lead: Tensor, begins: list[int], dim: int) -> Tensor:
    """The highest of the runs in each square, along an axis."""
    return torch.stack([lead[(slice(None),) * dim + (slice(*span),)].amax(dim) for span in pairwise(begins)], dim)
