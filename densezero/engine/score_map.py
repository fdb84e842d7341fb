"""Score maps: the patch scores of an image's windows, computed tile by tile at the image's own size."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from typing import NamedTuple

import torch
from torch import Tensor

from densezero.engine.bilinear import Neighbours, bilinear, find_neighbours
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

    def compute_all(self) -> Tensor:
        """Compute the scores of the whole map: (h, w, K) float32."""
        scores = self.grids.new_empty(*self.hw, self.grids.shape[3])
        for tile in self.plan_tiles(self.hw):
            scores[tile.rows.pixels, tile.columns.pixels] = self.compute(tile)
        return scores

    def _upsample(self, grid: Tensor, rows: WindowOverlap, columns: WindowOverlap) -> Tensor:
        scores = bilinear(grid, rows.neighbours, columns.neighbours)  # map rows, map columns, K
        return scores.softmax(-1) if self.softmax else scores

    def _plan_axis(self, axis: int, image_length: int, step: int) -> tuple[AxisTile, ...]:
        starts = tuple(sorted({window[axis] for window in self.windows}))  # top edges, or left edges
        lengths = (self.grids.shape[1 + axis], self.windows[0].hw[axis], self.hw[axis], image_length)
        return plan_axis(*lengths, starts, step, self.grids.device)


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
