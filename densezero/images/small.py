"""Reads an image file small, for thumbnails. A JPEG is not decoded at its full size."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile

from densezero.images.colours import read_orientation, rotate_upright, to_rgb
from densezero.images.opening import opened_image
from densezero.images.rasters import BandChoice, is_raster, opened_raster


def read_small(
    path: str | Path, hw: tuple[int, int], part_hw: tuple[int, int] | None = None, choice: BandChoice | None = None
) -> NDArray[np.uint8]:
    """Read an image file as ``read_rgb`` does, and resize it.

    A JPEG that is much larger is decoded at 1/2, 1/4 or 1/8 of its size, which takes a fraction of the time and differs
    by a few levels from resizing the whole. A raster of any size is read by rasterio.

    Args:
        path: the image file.
        hw: height and width of the result, each at least 1 pixel.
        part_hw: height and width of the upper left part that is read; None reads all.
        choice: bands and range of a TIFF, where all of it is read.

    Returns:
        (h, w, 3) levels in [0, 255].

    Raises:
        InputError: as ``read_rgb``.
    """
    if part_hw is None and is_raster(path, choice, or_large=True):
        with opened_raster(path, choice) as raster:
            return raster.overview(hw)
    with opened_image(path) as image:
        stored_hw = (image.height, image.width)
        part_h, part_w = part_hw or stored_hw
        if isinstance(image, JpegImageFile):
            _decode_smaller(image, max(hw) / max(part_h, part_w))
        image.load()
        rgb = to_rgb(image)
        if part_hw is None:
            rgb = rotate_upright(rgb, read_orientation(image))
    box = None
    if part_hw is not None:  # in pixels of what was decoded
        down, across = rgb.shape[0] / stored_hw[0], rgb.shape[1] / stored_hw[1]
        box = (0.0, 0.0, min(part_w * across, rgb.shape[1]), min(part_h * down, rgb.shape[0]))
    return np.asarray(Image.fromarray(rgb).resize(hw[::-1], Image.Resampling.BICUBIC, box, reducing_gap=3.0))


def _decode_smaller(image: JpegImageFile, scale: float) -> None:
    """Ask the decoder for a smaller image whose sides are still at least twice those of the result."""
    image.draft(None, tuple(max(1, round(2 * scale * side)) for side in image.size))  # type: ignore[arg-type]
