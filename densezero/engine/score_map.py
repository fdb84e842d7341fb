"""Score maps: the patch scores of an image's windows, computed tile by tile at the image's own size."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from densezero.encoders.cpu_threads import parallel_for
from densezero.encoders.device import to_device
from densezero.engine.bilinear import Neighbours, bilinear, find_neighbours
from densezero.images.region_maps import RegionMap
from densezero.images.windows import Window

# Columns of a tile, and values in it: 1 MB of float32 on a CPU, 128 MB on a GPU.
CPU_TILE = (64, 2**18)
GPU_TILE = (1024, 2**25)
MIN_TILE_ROWS = 8  # with fewer, most map rows would be computed twice, for two tiles


class WindowOverlap(NamedTuple):
    """How a window overlaps a tile along one axis.

    Args:
        within_tile: where the overlap lies among the map positions of the tile.
        neighbours: the patches of the window that each of these positions is interpolated from.
    """

    within_tile: slice
    neighbours: Neighbours


class AxisTile(NamedTuple):
    """The rows (or columns) of a tile.

    Args:
        pixels: rows of the image.
        map_length: number of map rows that they are interpolated from.
        neighbours: of each row of the image, among these map rows.
        windows: for each window that overlaps the tile, by the window's first row.
    """

    pixels: slice
    map_length: int
    neighbours: Neighbours
    windows: dict[int, WindowOverlap]


class Tile(NamedTuple):
    """The plan of a rectangle of the image, th x tw pixels."""

    rows: AxisTile
    columns: AxisTile


@dataclass(frozen=True)
class ScoreMap:
    """Scores of K channels over a map of (h, w). A channel is a word or a class.

    Args:
        grids: (N, gh, gw, K) float32 cosines of the patches of each window.
        windows: N windows of one size that cover the map.
        hw: rows and columns of the map: the model input, or the patch grid itself where one window is all of it.
        softmax: whether each window's scores become probabilities (softmax over K) before windows are averaged.
    """

    grids: Tensor
    windows: list[Window]
    hw: tuple[int, int]
    softmax: bool

    def plan_tiles(self, image_hw: tuple[int, int]) -> list[Tile]:
        """Cut an image of (H, W) into tiles that cover it once."""
        tw, values = CPU_TILE if self.grids.device.type == "cpu" else GPU_TILE
        th = max(values // (tw * self.grids.shape[3]), MIN_TILE_ROWS)
        rows, columns = self._plan_axis(0, image_hw[0], th), self._plan_axis(1, image_hw[1], tw)
        return [Tile(*pair) for pair in product(rows, columns)]

    def compute(self, tile: Tile) -> Tensor:
        """Compute the scores of one tile of the image.

        Returns:
            (th, tw, K) float32: windows upsampled to the map, softmax where the protocol has it, the mean over the
            windows, resized to the image.
        """
        overlaps = [
            (grid, tile.rows.windows[window.top], tile.columns.windows[window.left])
            for grid, window in zip(self.grids, self.windows, strict=True)
            if window.top in tile.rows.windows and window.left in tile.columns.windows
        ]
        if len(overlaps) == 1:  # the windows cover the map, so this one covers the tile
            mean = self._upsample(*overlaps[0])
        else:
            mean = self.grids.new_zeros(tile.rows.map_length, tile.columns.map_length, self.grids.shape[3])
            count = mean.new_zeros(*mean.shape[:2], 1)
            for grid, rows, columns in overlaps:
                mean[rows.within_tile, columns.within_tile] += self._upsample(grid, rows, columns)
                count[rows.within_tile, columns.within_tile] += 1
            mean /= count
        return bilinear(mean, tile.rows.neighbours, tile.columns.neighbours)

    def for_each_tile(self, work: Callable[[Tile], None], image_hw: tuple[int, int]) -> None:
        """Call ``work`` on every tile of an image of (H, W), on a CPU in several threads."""
        on_cpu = self.grids.device.type == "cpu"
        parallel_for(work, self.plan_tiles(image_hw), threads=torch.get_num_threads() if on_cpu else 1)

    def compute_all(self, image_hw: tuple[int, int] | None = None) -> Tensor:
        """Compute the scores of a whole image of (H, W), or without it of the map itself: (H, W, K) float32."""
        image_hw = image_hw or self.hw
        scores = self.grids.new_empty(*image_hw, self.grids.shape[3])

        def fill(tile: Tile) -> None:
            scores[tile.rows.pixels, tile.columns.pixels] = self.compute(tile)

        self.for_each_tile(fill, image_hw)
        return scores

    def pool(self, step: tuple[int, int]) -> Tensor:
        """Average the cosines of the map over blocks of ``step`` pixels; what remains at the end is dropped.

        All steps on the way are linear along each axis. So two small matrices for each window take the place of a map.

        Returns:
            (h // step, w // step, K) float32.
        """
        assert not self.softmax, "probabilities are not linear in the cosines of the patches"
        pooled = []
        for grid, window in zip(self.grids, self.windows, strict=True):
            rows, columns = (self._block_weights(axis, window[axis], step[axis]) for axis in (0, 1))
            pooled.append(torch.einsum("rg,ghk,ch->rck", rows, grid, columns))
        return torch.stack(pooled).sum(0)

    def _upsample(self, grid: Tensor, rows: WindowOverlap, columns: WindowOverlap) -> Tensor:
        scores = bilinear(grid, rows.neighbours, columns.neighbours)  # map rows, map columns, K
        return scores.softmax(-1) if self.softmax else scores

    def _block_weights(self, axis: int, start: int, step: int) -> Tensor:
        """Weigh the patches of a window, which begins at ``start``, in each block of map pixels: (blocks, patches)."""
        patches, length = self.grids.shape[1 + axis], self.windows[0].hw[axis]
        windows = torch.zeros(self.hw[axis], 1, device=self.grids.device)  # that cover a pixel
        for first in {window[axis] for window in self.windows}:
            windows[first : first + length] += 1
        weights = windows.new_zeros(self.hw[axis], patches)
        one_hot = torch.eye(patches, device=self.grids.device)
        weights[start : start + length] = F.interpolate(one_hot[None], length, mode="linear")[0].T
        blocks = self.hw[axis] // step
        return (weights / windows)[: blocks * step].view(blocks, step, patches).mean(1)

    def _plan_axis(self, axis: int, image_length: int, step: int) -> tuple[AxisTile, ...]:
        starts = tuple(sorted({window[axis] for window in self.windows}))  # top edges, or left edges
        lengths = (self.grids.shape[1 + axis], self.windows[0].hw[axis], self.hw[axis], image_length)
        return plan_axis(*lengths, starts, step, self.grids.device)


@dataclass(frozen=True)
class VotedScoreMap(ScoreMap):
    """A map for an image of (H, W), after the region vote: the pixels of a region share the mean of their scores.

    Args:
        regions: (H, W) int32, k in region k, 0 in no region. There a pixel keeps its own scores.
        means: (R + 1, K) float32 scores of each region.
    """

    regions: Tensor
    means: Tensor

    def compute(self, tile: Tile) -> Tensor:
        """Compute the scores of one tile of the image: (th, tw, K) float32."""
        region = self.regions[tile.rows.pixels, tile.columns.pixels]  # (th, tw)
        means, inside = self.means[region], region[..., None] > 0
        return means if bool(inside.all()) else torch.where(inside, means, super().compute(tile))


def vote(scores: ScoreMap, regions: RegionMap | None) -> ScoreMap:
    """Average the scores of each region of an image; None returns the map itself."""
    if regions is None:
        return scores
    placed = to_device(regions, scores.grids.device)  # (H, W)
    home = torch.device("cpu") if placed.device.type == "mps" else placed.device  # Apple GPUs have no float64
    parts: dict[tuple[int, int], tuple[Tensor, Tensor]] = {}

    def add_up(tile: Tile) -> None:
        rows, columns = tile.rows.pixels, tile.columns.pixels
        found, row = torch.unique(placed[rows, columns].flatten().to(home), return_inverse=True)
        values = scores.compute(tile).flatten(0, 1).to(home).double()  # (th * tw, K)
        sums = values.new_zeros(len(found), values.shape[1]).index_add_(0, row, values)
        parts[rows.start, columns.start] = (found, sums)

    scores.for_each_tile(add_up, (regions.shape[0], regions.shape[1]))
    pixels = placed.flatten().to(home).bincount()  # (R + 1,)
    totals = torch.zeros(len(pixels), scores.grids.shape[3], dtype=torch.float64, device=home)
    for _, (found, sums) in sorted(parts.items()):  # in one order, whichever thread was first
        totals[found] += sums
    means = (totals / pixels[:, None]).float().to(placed.device)
    return VotedScoreMap(**vars(scores), regions=placed, means=means)


@lru_cache(maxsize=128)  # many images have the same size
def plan_axis(
    patches: int,
    window_length: int,
    map_length: int,
    image_length: int,
    window_starts: tuple[int, ...],
    step: int,
    device: torch.device,
) -> tuple[AxisTile, ...]:
    """Plan the tiles along one axis.

    Args:
        patches: patches along a window.
        window_length: map pixels along a window.
        map_length: map pixels.
        image_length: image pixels.
        window_starts: first map pixel of the windows.
        step: image pixels along a tile.
        device: where the neighbours go.
    """
    tiles = []
    for start in range(0, image_length, step):
        pixels = torch.arange(start, min(start + step, image_length), device="cpu")
        source, weight = find_neighbours(pixels, map_length, image_length)
        needed, source_in_needed = torch.unique(source, return_inverse=True)  # an image smaller than its map skips rows
        windows = {}
        for window_start in window_starts:
            edges = torch.tensor([window_start, window_start + window_length], device="cpu")
            first, end = torch.searchsorted(needed, edges).tolist()
            if first < end:
                neighbours = find_neighbours(needed[first:end] - window_start, patches, window_length)
                windows[window_start] = WindowOverlap(slice(first, end), neighbours.to(device))
        rows = slice(start, start + len(pixels))
        tiles.append(AxisTile(rows, len(needed), Neighbours(source_in_needed, weight).to(device), windows))
    return tuple(tiles)
