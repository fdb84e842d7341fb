"""Writes labels as GeoTIFF with class colours, in the coordinate system of the image."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from densezero.images.pillow_settings import strict_and_quiet  # also hides a warning of rasterio
from densezero.images.rasters import Place, load_rasterio, read_place
from densezero.output.labels import MAX_PALETTE_CLASSES, check_labels, ignore_value
from densezero.vocabulary.classes import ClassList

TILE_PX: Final = 512
"""Rows and columns of a tile in the file."""


def encode_geotiff(labels: NDArray[np.integer], classes: ClassList, source: Path | None) -> bytes:
    """Encode a label map as GeoTIFF: one band, value = class index, deflate, with the class colours.

    8 bits with 255 for no label up to 254 classes; above, 16 bits with 65535. The file says that this is no data.

    Args:
        labels: (H, W) class indices, or the ignore value.
        classes: the C classes.
        source: the image, whose coordinate system and position are taken over; the file has none if the image has none.

    Returns:
        The bytes of the file.

    Raises:
        InputError: if rasterio is not installed.
        OutputError: if the labels do not belong to the classes.
    """
    check_labels(labels, len(classes))
    rasterio = load_rasterio("--save geotiff")
    place = None if source is None else read_place(source)
    hw = (labels.shape[0], labels.shape[1])
    with rasterio.MemoryFile() as memory:
        write_geotiff(memory.name, [labels], hw, classes, place)
        return bytes(memory.read())


def write_geotiff(
    target: str, strips: Iterable[NDArray[np.integer]], hw: tuple[int, int], classes: ClassList, place: Place | None
) -> None:
    """Write a GeoTIFF as ``encode_geotiff`` describes it, with one strip of labels in memory at a time.

    Args:
        target: path of the file.
        strips: (rows, W) labels from top to bottom, best of ``TILE_PX`` rows.
        hw: height and width, pixels.
        classes: the C classes.
        place: coordinate system and position; None for none.
    """
    rasterio = load_rasterio("--save geotiff")
    n_classes = len(classes)
    colours = {index: (*map(int, colour), 255) for index, colour in enumerate(classes.colours)}
    about: dict[str, Any] = {} if place is None else {"crs": place.crs, "transform": place.transform}
    with (
        rasterio.Env(GDAL_PAM_ENABLED=False),
        strict_and_quiet(),
        rasterio.open(
            target, "w", driver="GTiff", height=hw[0], width=hw[1], count=1,
            dtype="uint8" if n_classes <= MAX_PALETTE_CLASSES else "uint16", nodata=ignore_value(n_classes),
            compress="deflate", tiled=True, blockxsize=TILE_PX, blockysize=TILE_PX, bigtiff="if_safer", **about,
        ) as file,
    ):  # fmt: skip
        file.write_colormap(1, colours)
        file.set_band_description(1, "class index")
        top = 0
        for strip in strips:
            window = ((top, top + strip.shape[0]), (0, hw[1]))
            file.write(strip.astype(file.dtypes[0], copy=False), 1, window=window)
            top += strip.shape[0]
