"""Similarity of all patches of an image to one of them."""

from __future__ import annotations

import numpy as np
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from densezero.encoders.device import plain_torch, to_numpy
from densezero.errors import FeatureError


@plain_torch()
def point_similarity(grid: Tensor, point_xy: tuple[float, float]) -> NDArray[np.float32]:
    """Compute the cosine of every patch with the patch at a point.

    Args:
        grid: (gh, gw, D) features, on any device.
        point_xy: distance from the left and from the top, as shares of the image's width and height, 0 to 1.

    Returns:
        (gh, gw) float32 in [-1, 1]; 1 at the patch of the point.

    Raises:
        FeatureError: if the point lies outside the image.
    """
    return vector_similarity(grid, patch_at(grid, point_xy)[None])[0]


@plain_torch()
def patch_at(grid: Tensor, point_xy: tuple[float, float]) -> Tensor:
    """Give the feature of the patch at a point, to unit length.

    Args:
        grid: (gh, gw, D) features, on any device.
        point_xy: distance from the left and from the top, as shares of the image's width and height, 0 to 1.

    Returns:
        (D,) float32 unit vector on the device of the features.

    Raises:
        FeatureError: if the point lies outside the image.
    """
    x, y = point_xy
    if not (0 <= x <= 1 and 0 <= y <= 1):
        raise FeatureError(f"Expected a point within the image, each share from 0 to 1; got {x:g}, {y:g}.")
    rows, columns = grid.shape[:2]
    own = grid[min(int(y * rows), rows - 1), min(int(x * columns), columns - 1)]
    return F.normalize(own.float(), dim=-1)


@plain_torch()
def vector_similarity(grid: Tensor, vectors: Tensor) -> list[NDArray[np.float32]]:
    """Compute the cosine of every patch with each of some vectors.

    Args:
        grid: (gh, gw, D) features, on any device.
        vectors: (N, D) unit vectors, of texts or of patches; none are allowed.

    Returns:
        N planes (gh, gw) float32 in [-1, 1].
    """
    if not len(vectors):
        return []
    planes = (F.normalize(grid.float(), dim=-1) @ vectors.to(grid.device).T).clamp(-1, 1)  # (gh, gw, N)
    return list(np.ascontiguousarray(to_numpy(planes.permute(2, 0, 1))))


def share_of(point_px: tuple[float, float], hw: tuple[int, int]) -> tuple[float, float]:
    """Turn a point in pixels into shares of the width and height of an image of (H, W); a pixel's middle is its point.

    Raises:
        FeatureError: if the point lies outside the image.
    """
    (x, y), (height, width) = point_px, hw
    if not (0 <= x < width and 0 <= y < height):
        raise FeatureError(f"Expected a point within the first image, {width} x {height} pixels; got {x:g},{y:g}.")
    return (x + 0.5) / width, (y + 0.5) / height
