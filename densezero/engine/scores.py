"""Score maps: what a protocol defines before the last resize, given out part by part."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from densezero.engine.corners import Axis
from densezero.engine.denominators import softmax_denominators
from densezero.engine.squares import SomeSquares
from densezero.engine.upsample import Span, axis_blend, blend
from densezero.engine.workers import share_out
from densezero.images.windows import Window

STRIP_BYTES = 64 * 2**20  # of one float32 strip; three or four of them live at a time


class ScoreMap(ABC):
    """Scores of K words or classes over a map of (h, w), of which any part can be had.

    Attributes:
        channels: K.
        hw: rows and columns of the map.
    """

    channels: int
    hw: tuple[int, int]

    @property
    @abstractmethod
    def layers(self) -> list[Layer]:
        """The patch grids that the map is blended from; the score of a pixel rises with each of theirs alone."""

    @property
    @abstractmethod
    def mixture(self) -> Mixture:
        """What it is blended from, all windows together."""

    @abstractmethod
    def part(self, rows: Span, columns: Span) -> Tensor:
        """Scores (K, r, c) of some rows and columns, float32."""

    def axes(self, hw: tuple[int, int]) -> tuple[tuple[Axis, ...], tuple[Axis, ...]]:
        """The rows, and the columns, of every layer on this map, resized to an image of hw."""
        down, across = (tuple(_axis(layer, axis, self.hw, hw) for layer in self.layers) for axis in (0, 1))
        return down, across

    def rows(self, start: int, end: int) -> Tensor:
        """Scores (K, end - start, w) of some rows."""
        return self.part(Span(start, end), Span(0, self.hw[1]))

    def resized(self, rows: Span, columns: Span, hw: tuple[int, int]) -> Tensor:
        """A part of the map as resized bilinearly to hw: (K, R, W)."""
        down, across = axis_blend(rows, self.hw[0], hw[0]), axis_blend(columns, self.hw[1], hw[1])
        return blend(self.part(down.span, across.span), down, across)

    @abstractmethod
    def in_squares(self, some: SomeSquares, channels: Tensor) -> Tensor:
        """Scores of squares of the image, each of channels of its own: as ``resized``, to the last bit.

        Args:
            some: M squares.
            channels: (M, k) of each.

        Returns:
            (M, k, side, side).
        """


class Mixture(NamedTuple):
    """What a map is blended from: at each pixel the sum over its windows of f(score) x weight.

    Args:
        patches: (N, gh, gw, K) scores of every window's grid.
        exponential: whether f is the exponential, and not the score itself.
        weights: (N, h, w) for each pixel of a window; None where all are 1.
    """

    patches: Tensor
    exponential: bool
    weights: Tensor | None


class Layer(NamedTuple):
    """A patch grid, and the window of the map that it is upsampled to.

    Args:
        grid: (K, gh, gw).
        window: in pixels of the map.
    """

    grid: Tensor
    window: Window


class GridScores(ScoreMap):
    """Scores that are held as a whole: one for each patch of the whole image."""

    def __init__(self, grid: Tensor) -> None:
        self._grid = grid  # (K, gh, gw)
        self.channels = grid.shape[0]
        self.hw = (grid.shape[1], grid.shape[2])

    @property
    def layers(self) -> list[Layer]:
        """The one grid, which is the map."""
        return [Layer(self._grid, Window(0, 0, *self.hw))]

    @property
    def mixture(self) -> Mixture:
        """The grid alone."""
        return Mixture(self._grid.permute(1, 2, 0)[None], exponential=False, weights=None)

    def part(self, rows: Span, columns: Span) -> Tensor:
        """Scores (K, r, c)."""
        return self._grid[:, slice(*rows), slice(*columns)]

    def in_squares(self, some: SomeSquares, channels: Tensor) -> Tensor:
        """Scores (M, k, side, side)."""
        return _upsampled(self.layers[0], 0, some, channels)


class BlendedScores(ScoreMap):
    """Windows' patch grids, upsampled to their windows and averaged where these overlap."""

    def __init__(self, grids: Tensor, windows: list[Window], hw: tuple[int, int], softmax: bool) -> None:
        self._grids = grids  # (N, K, gh, gw)
        self._windows = windows
        self.channels = grids.shape[1]
        self.hw = hw
        self._count = _count_windows(windows, hw).to(grids)
        self._shares = self._find_shares() if softmax else None

    @property
    def layers(self) -> list[Layer]:
        """One for each window: the softmax keeps the order of the classes in each."""
        return [Layer(grid, window) for grid, window in zip(self._grids, self._windows, strict=True)]

    @property
    def mixture(self) -> Mixture:
        """All windows' grids: each exponential times its share, or each score over the number of windows there."""
        weights = self._shares
        if weights is None:
            weights = torch.stack([self._count[slice(w.top, w.bottom), slice(w.left, w.right)] for w in self._windows])
            weights = weights.reciprocal_()
        return Mixture(self._grids.permute(0, 2, 3, 1), self._shares is not None, weights)

    def part(self, rows: Span, columns: Span) -> Tensor:
        """Scores (K, r, c): the mean over the windows that reach each pixel."""
        total: Tensor | None = None
        for index, window in enumerate(self._windows):
            top, bottom = max(rows.start, window.top), min(rows.end, window.bottom)
            left, right = max(columns.start, window.left), min(columns.end, window.right)
            if top >= bottom or left >= right:
                continue
            inside = Span(top - window.top, bottom - window.top), Span(left - window.left, right - window.left)
            scores = self._in_window(index, *inside)
            if total is None and (top, bottom, left, right) == (*rows, *columns):
                total = scores
                continue
            if total is None:
                total = scores.new_zeros(len(scores), rows.end - rows.start, columns.end - columns.start)
            total[:, top - rows.start : bottom - rows.start, left - columns.start : right - columns.start] += scores
        assert total is not None, "windows cover the map"
        return total if self._shares is not None else total / self._count[slice(*rows), slice(*columns)]

    def in_squares(self, some: SomeSquares, channels: Tensor) -> Tensor:
        """Scores (M, k, side, side)."""
        pixels = some.map_pixels
        total = torch.zeros(*channels.shape, pixels[0].shape[1], pixels[1].shape[2])
        for index, layer in enumerate(self.layers):
            inside = some.inside(index)  # (M, m, m)
            here = inside.any(2).any(1).nonzero().flatten()
            if len(here):
                upsampled = _upsampled(layer, index, some.part(here), channels[here])
                total.index_add_(0, here, self._weighed(index, upsampled, some.part(here), inside[here]))
        return some.resized(total if self._shares is not None else total / self._count[pixels][:, None])

    def _weighed(self, index: int, scores: Tensor, some: SomeSquares, inside: Tensor) -> Tensor:
        """What a window's scores (M, k, m, m) add to those of the map."""
        if self._shares is not None:
            scores = scores.exp_().mul_(self._shares[index][some.places_in(index)][:, None])
        return scores if bool(inside.all()) else scores.masked_fill_(~inside[:, None], 0)

    def _find_shares(self) -> Tensor:
        """What each window's exponentials are multiplied by: (N, height, width)."""
        shares = self._count.new_empty(len(self._windows), *self._windows[0].hw)

        def find(index: int) -> None:
            shares[index] = self._share_of(self.layers[index])

        share_out(find, range(len(self._windows)), threads=None if self._grids.device.type == "cpu" else 1)
        return shares

    def _share_of(self, layer: Layer) -> Tensor:
        """Of one window (height, width): 1 / the sum of its exponentials, shared with other windows."""
        top, left, bottom, right = layer.window
        sums = softmax_denominators(layer.grid, layer.window.hw)
        return sums.mul_(self._count[top:bottom, left:right]).reciprocal_()

    def _in_window(self, index: int, rows: Span, columns: Span) -> Tensor:
        grid, (height, width) = self._grids[index], self._windows[index].hw
        down, across = axis_blend(rows, grid.shape[1], height), axis_blend(columns, grid.shape[2], width)
        scores = blend(grid[:, slice(*down.span), slice(*across.span)], down, across)
        if self._shares is not None:
            scores = scores.exp().mul_(self._shares[index][slice(*rows), slice(*columns)])
        return scores


def _axis(layer: Layer, axis: int, map_hw: tuple[int, int], hw: tuple[int, int]) -> Axis:
    begin, length = layer.window[axis], layer.window.hw[axis]  # top and height, or left and width
    patches = layer.grid.shape[1 + axis]
    if patches == length == map_hw[axis]:  # the map is the grid itself, and the image hangs on it in one step
        return Axis(patches, 0, hw[axis], hw[axis], hw[axis])
    return Axis(patches, begin, length, map_hw[axis], hw[axis])


def _upsampled(layer: Layer, index: int, some: SomeSquares, channels: Tensor) -> Tensor:
    """Channels (M, k) of some squares, upsampled from the patches of a layer, by its index: (M, k, m, m)."""
    patches = layer.grid.permute(1, 2, 0)  # (gh, gw, K)
    sources = [(axis.windows[index].patches, chosen) for axis, chosen in some.along]
    rows, columns = (
        held.held(chosen, length - 1) for (held, chosen), length in zip(sources, patches.shape, strict=False)
    )
    found = patches[rows[:, :, None, None], columns[:, None, :, None], channels[:, None, None]].permute(0, 3, 1, 2)
    for dim, (held, chosen) in ((-1, sources[1]), (-2, sources[0])):
        found = held.blend(found, chosen, dim)
    return found


def _count_windows(windows: list[Window], hw: tuple[int, int]) -> Tensor:
    """How many windows reach each pixel: (h, w) float32."""
    count = torch.zeros(hw)
    for top, left, bottom, right in windows:
        count[top:bottom, left:right] += 1
    return count


def highest(scores: Tensor, dim: int = 0) -> Tensor:
    """The first channel that is highest: as ``argmax``, in passes over whole maps, which takes a tenth of its time.

    Args:
        scores: (K, h, w), or of any shape.
        dim: the one of the channels.

    Returns:
        (h, w) int64; the last channel where a score is no number.
    """
    channels = scores.shape[dim]
    places = torch.arange(channels, 0, -1, dtype=scores.dtype, device=scores.device)  # the first channel has the most
    is_best = torch.eq(scores, scores.amax(dim, keepdim=True), out=torch.empty_like(scores))  # 1 or 0, as numbers
    best = is_best.mul_(places.view(-1, *[1] * (scores.ndim - 1 - dim))).amax(dim)
    return channels - best.clamp_(min=1).long()


def strips(rows: int, row_bytes: int) -> Iterator[tuple[int, int]]:
    """Cut rows into strips whose scores stay within the memory set aside for them: (start, end) pairs."""
    height = max(1, STRIP_BYTES // max(row_bytes, 1))
    for start in range(0, rows, height):
        yield start, min(start + height, rows)
