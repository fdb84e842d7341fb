"""Region maps: which region of an image each pixel lies in. They are made from a label map, or from masks."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from densezero.errors import InputError

RegionMap = NDArray[np.int32]
"""(H, W): 0 in no region, k in region k."""
MAP_BYTES: Final = 4  # a pixel
Regions = NDArray[Any] | Sequence[NDArray[np.bool_]]

_WHAT: Final = "Expected regions as whole numbers (H, W), 0 in no region, or as a list of boolean masks (H, W)"


def region_map(regions: Regions, hw: tuple[int, int]) -> RegionMap:
    """Make a region map of what a user gives.

    Args:
        regions: (H, W) whole numbers, one for each region, and 0 for pixels in none; or boolean masks (H, W), which may
            overlap: small masks are put on top of large ones.
        hw: (H, W) of the image.

    Returns:
        The regions numbered from 1, without gaps for numbers that do not occur.

    Raises:
        InputError: for another type or size, a number below 0, or a mask without a pixel.
    """
    try:
        if isinstance(regions, str | os.PathLike):
            raise TypeError("the path of a file")
        whole = np.asarray(regions) if hasattr(regions, "ndim") else None  # a tensor has it too
        masks = [np.asarray(mask) for mask in regions] if whole is None or whole.ndim == 3 else [np.asarray(regions)]
    except (TypeError, ValueError, RuntimeError):  # not iterable, or on a GPU
        raise InputError(f"{_WHAT}; got {type(regions).__name__}.") from None
    if whole is not None and whole.dtype != bool:
        return _renumber(whole, hw)
    for number, mask in enumerate(masks, 1):
        if mask.dtype != bool or mask.ndim != 2:
            raise InputError(f"{_WHAT}; item {number} of {len(masks)} is {mask.dtype}, of shape {mask.shape}.")
        check_size(f"mask {number} of {len(masks)}", (mask.shape[0], mask.shape[1]), hw)
        check_filled(f"mask {number} of {len(masks)}", int(mask.sum()))
    areas = [int(mask.sum()) for mask in masks]
    return paint((masks[index] for index in large_first(areas)), hw)


def large_first(areas: Sequence[int]) -> list[int]:
    """Order masks from the largest to the smallest; masks of one area keep their order.

    Example:
        >>> large_first([2, 9, 2])
        [1, 0, 2]
    """
    return sorted(range(len(areas)), key=lambda index: -areas[index])


def paint(masks: Iterable[NDArray[np.bool_]], hw: tuple[int, int]) -> RegionMap:
    """Paint masks (H, W) over each other; the first one is region 1."""
    painted = np.zeros(hw, np.int32)
    for number, mask in enumerate(masks, 1):
        painted[mask] = number
    return painted


def check_size(what: str, came: tuple[int, int], hw: tuple[int, int]) -> None:
    """Raise InputError if a mask does not have the size of its image."""
    if came != hw:
        raise InputError(
            f"Expected {what} to have the size of the image, {hw[0]} × {hw[1]} (height × width); got {came[0]} × "
            f"{came[1]}. Make the masks from this image, or resize them with nearest neighbours."
        )


def check_filled(what: str, pixels: int) -> None:
    """Raise InputError if a mask has no pixel."""
    if pixels == 0:
        raise InputError(f"Expected masks with at least one pixel; {what} is empty. Leave it out.")


def _renumber(regions: NDArray[Any], hw: tuple[int, int]) -> RegionMap:
    """Number the regions of a label map from 1, in the order of their own numbers."""
    if regions.dtype.kind not in "iu" or regions.ndim != 2:
        raise InputError(f"{_WHAT}; got {regions.dtype}, of shape {regions.shape}.")
    check_size("the regions", (regions.shape[0], regions.shape[1]), hw)
    if regions.min() < 0:
        raise InputError(f"{_WHAT}; got the number {regions.min()}. Set pixels in no region to 0.")
    if regions.max() > regions.size:
        present, index = np.unique(regions, return_inverse=True)
        regions = index.reshape(hw) + int(present[0] != 0)
    occurs = np.bincount(regions.ravel().astype(np.int64)) > 0  # much faster than np.unique
    occurs[0] = False
    number = np.where(occurs, occurs.cumsum(), 0).astype(np.int32)
    renumbered: RegionMap = number[regions]
    return renumbered
