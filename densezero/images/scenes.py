"""Opens images of any size by rows: rasters by rasterio, all others whole."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from densezero.images.rasters import BandChoice, Pixels, is_raster, opened_raster
from densezero.images.read import read_rgb
from densezero.images.resize import resize_rgb


class Scene(Protocol):
    """An open image that is read by rows.

    Attributes:
        hw: height and width, pixels.
    """

    hw: tuple[int, int]

    def read(self, top: int, bottom: int) -> Pixels:
        """Read rows ``top`` to ``bottom``, the end excluded: (rows, W, 3)."""

    def overview(self, hw: tuple[int, int]) -> NDArray[np.uint8]:
        """Read the whole image at a smaller size: (h, w, 3)."""


class _InMemory:
    """An image that was read whole, (H, W, 3)."""

    def __init__(self, rgb: NDArray[np.uint8]) -> None:
        self._rgb = rgb
        self.hw = (rgb.shape[0], rgb.shape[1])

    def read(self, top: int, bottom: int) -> Pixels:
        return Pixels(self._rgb[top:bottom], None)

    def overview(self, hw: tuple[int, int]) -> NDArray[np.uint8]:
        return resize_rgb(self._rgb, hw)


@contextmanager
def opened_scene(path: str | Path, choice: BandChoice | None = None) -> Iterator[Scene]:
    """Open an image of any size; use it in the same thread.

    A TIFF is read by rows, by rasterio, if it has a georeference or more than ``MAX_PIXELS`` pixels, or if bands are
    chosen. Other images are read whole, as ``read_rgb`` reads them.

    Args:
        path: the image file.
        choice: bands and range of a TIFF.

    Raises:
        InputError: if the image cannot be read.
    """
    if is_raster(path, choice, or_large=True):
        with opened_raster(path, choice) as raster:
            yield raster
    else:
        yield _InMemory(read_rgb(path))
