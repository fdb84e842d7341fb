"""Score maps: the patch scores of an image's windows, read tile by tile at the image's own size."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from typing import NamedTuple

import torch
from torch import Tensor

from densezero.engine.bilinear import Taps, axis_taps, bilinear
from densezero.images.windows import Window

CPU_TILE_NUMBERS, CPU_TILE_COLUMNS = 2**18, 64  # 1 MB of float32: a tile and its steps stay in a core's cache
GPU_TILE_NUMBERS = 2**25  # 128 MB: a GPU works on the whole width at once
MIN_TILE_ROWS = 8


class WindowPart(NamedTuple):
    """Along one axis, the map positions of a tile that a window covers, and the taps from its patches to them."""

    positions: slice
    taps: Taps


class AxisTile(NamedTuple):
    """Rows (or columns) of a tile.

    Args:
        targets: rows of the image.
        length: number of map rows that they need.
        taps: from these map rows to the rows of the image.
        windows: the part of each window that reaches the tile, by the window's first row.
    """

    targets: slice
    length: int
    taps: Taps
    windows: dict[int, WindowPart]


class Tile(NamedTuple):
    """A rectangle of the image."""

    rows: AxisTile
    columns: AxisTile


@dataclass(frozen=True)
class ScoreMap:
    """Scores of K words or classes over a map of (h, w), kept as the patch grids of the windows.

    Args:
        grids: (N, gh, gw, K) float32 cosines, contiguous.
        windows: N windows of one size that cover the map; for a whole image without a scale the map is the patch grid
            itself, and the one window is all of it.
        hw: rows and columns of the map.
        softmax: whether each window's scores become probabilities (softmax over K) before the windows are averaged.
    """

    grids: Tensor
    windows: list[Window]
    hw: tuple[int, int]
    softmax: bool

    def tiles(self, image_hw: tuple[int, int]) -> list[Tile]:
        """Cut an image of (H, W) into tiles that cover it once."""
        rows_columns = tile_hw(image_hw[1], self.grids.shape[3], self.grids.device)
        rows, columns = (self._axis(axis, image_hw[axis], rows_columns[axis]) for axis in (0, 1))
        return [Tile(*pair) for pair in product(rows, columns)]

    def tile(self, tile: Tile) -> Tensor:
        """Compute the scores of one tile of the image.

        Returns:
            (R, C, K) float32: each window upsampled to the map, softmax where the protocol has it, the mean over the
            windows, resized to the image.
        """
        parts = [
            (rows, columns, bilinear(grid, rows.taps, columns.taps))  # (r, c, K) of the map
            for grid, window in zip(self.grids, self.windows, strict=True)
            if (rows := tile.rows.windows.get(window.top)) and (columns := tile.columns.windows.get(window.left))
        ]
        scores = [part.softmax(-1) if self.softmax else part for _, _, part in parts]
        if len(scores) == 1:  # the windows cover the map, so this one covers the tile
            return bilinear(scores[0], tile.rows.taps, tile.columns.taps)
        total = scores[0].new_zeros(tile.rows.length, tile.columns.length, scores[0].shape[2])
        count = total.new_zeros(tile.rows.length, tile.columns.length, 1)
        for (rows, columns, _), score in zip(parts, scores, strict=True):
            total[rows.positions, columns.positions] += score
            count[rows.positions, columns.positions] += 1
        return bilinear(total.div_(count), tile.rows.taps, tile.columns.taps)

    def whole(self) -> Tensor:
        """Compute the scores of the whole map: (h, w, K) float32."""
        scores = self.grids.new_empty(*self.hw, self.grids.shape[3])
        for tile in self.tiles(self.hw):
            scores[tile.rows.targets, tile.columns.targets] = self.tile(tile)
        return scores

    def _axis(self, axis: int, image_length: int, step: int) -> tuple[AxisTile, ...]:
        begins = tuple(sorted({window[axis] for window in self.windows}))  # top edges, or left edges
        lengths = (self.grids.shape[1 + axis], self.windows[0].hw[axis], self.hw[axis], image_length)
        return plan_axis(*lengths, begins, step, self.grids.device)


def tile_hw(image_width: int, channels: int, device: torch.device) -> tuple[int, int]:
    """Choose the rows and columns of a tile by the memory that its K channels take."""
    on_cpu = device.type == "cpu"
    columns = CPU_TILE_COLUMNS if on_cpu else image_width
    rows = (CPU_TILE_NUMBERS if on_cpu else GPU_TILE_NUMBERS) // (columns * channels)
    return max(rows, MIN_TILE_ROWS), columns


@lru_cache(maxsize=128)  # many images have the same size
def plan_axis(
    patches: int,
    window_length: int,
    map_length: int,
    image_length: int,
    begins: tuple[int, ...],
    step: int,
    device: torch.device,
) -> tuple[AxisTile, ...]:
    """Plan the tiles along one axis.

    Args:
        patches: patches along a window.
        window_length: map pixels along a window.
        map_length: map pixels.
        image_length: image pixels.
        begins: map pixels at which windows begin.
        step: image pixels along a tile.
        device: where the taps go.
    """
    tiles = []
    for start in range(0, image_length, step):
        targets = torch.arange(start, min(start + step, image_length), device="cpu")
        taps = axis_taps(targets, map_length, image_length)
        needed, place = torch.unique(taps.source, return_inverse=True)  # an image smaller than its map skips some rows
        windows = {}
        for begin in begins:
            edges = torch.tensor([begin, begin + window_length], device="cpu")
            first, end = torch.searchsorted(needed, edges).tolist()
            if first < end:
                part = axis_taps(needed[first:end] - begin, patches, window_length)
                windows[begin] = WindowPart(slice(first, end), part.to(device))
        rows = slice(start, start + len(targets))
        tiles.append(AxisTile(rows, len(needed), Taps(place, taps.weight).to(device), windows))
    return tuple(tiles)
