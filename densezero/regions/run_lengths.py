"""Masks of COCO's JSON as runs of pixels: compressed and uncompressed run lengths, and polygons.

Run lengths are decoded and checked here. pycocotools would fill a mask whose counts are too few with random memory.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from densezero.datasets.coco import draw_mask
from densezero.errors import InputError
from densezero.images.region_maps import RegionMap, check_filled, check_size, large_first
from densezero.output.run_lengths import decode_counts

Runs = NDArray[np.int64]
"""(N, 2) starts and ends (exclusive) of the runs inside a mask, down the columns as COCO counts pixels."""


def read_masks(segmentations: Iterable[Any], hw: tuple[int, int]) -> RegionMap:
    """Turn the masks of an image into a region map: small masks are put on top of large ones.

    Args:
        segmentations: run lengths or polygons of each mask, as COCO has them.
        hw: (H, W) of the image.

    Raises:
        InputError: for a mask that is malformed, empty or of another size; the message gives its number.
    """
    items = list(segmentations)
    masks = [_read_mask(item, f"mask {number} of {len(items)}", hw) for number, item in enumerate(items, 1)]
    areas = [int((runs[:, 1] - runs[:, 0]).sum()) for runs in masks]
    columns = np.zeros(hw[0] * hw[1], np.int32)  # the map, column by column
    for number, index in enumerate(large_first(areas), 1):
        for start, end in masks[index].tolist():
            columns[start:end] = number
    return np.ascontiguousarray(columns.reshape(hw[1], hw[0]).T)


def _read_mask(segmentation: Any, what: str, hw: tuple[int, int]) -> Runs:
    try:
        is_polygons = isinstance(segmentation, list)
        runs = _polygon_runs(segmentation, hw) if is_polygons else _runs_of(segmentation, what, hw)
    except (TypeError, ValueError, KeyError, IndexError, UnicodeEncodeError, OverflowError) as error:
        raise InputError(
            f"Expected {what} as COCO has it, run lengths with size and counts, or a list of polygons; it cannot be "
            f"read ({error}). Make the file again."
        ) from None
    check_filled(what, len(runs))
    return runs


def _runs_of(segmentation: dict[str, Any], what: str, hw: tuple[int, int]) -> Runs:
    height, width = segmentation["size"]
    check_size(what, (height, width), hw)
    given = segmentation["counts"]
    if isinstance(given, list):
        if not all(type(count) is int for count in given):
            raise ValueError("counts are whole numbers")
        counts = np.array(given, np.int64)
    else:
        counts = decode_counts(given)
    ends = counts.cumsum()
    if not counts.size or counts.min() < 0 or ends[-1] != height * width:
        raise ValueError(f"counts add up to {ends[-1] if counts.size else 0} of {height * width} pixels")
    pairs = ends[: len(ends) // 2 * 2].reshape(-1, 2)  # a run begins where the one outside before it ends
    return pairs[pairs[:, 0] < pairs[:, 1]]


def _polygon_runs(polygons: list[Any], hw: tuple[int, int]) -> Runs:
    """Draw polygons, as pycocotools does."""
    corners = [np.asarray(polygon, np.float64) for polygon in polygons]
    if not corners or any(each.ndim != 1 or each.size < 6 or each.size % 2 for each in corners):
        raise ValueError("a polygon has three points or more, x and y of each in turn")
    if not all((np.abs(each) <= 2 * max(hw)).all() for each in corners):  # pycocotools needs memory for each pixel
        raise ValueError("a polygon has a point far outside the image")
    mask = draw_mask([each.tolist() for each in corners], *hw).T.ravel()
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]])))
    return edges.reshape(-1, 2).astype(np.int64)
