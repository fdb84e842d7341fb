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
    x, y = point_xy
    if not (0 <= x <= 1 and 0 <= y <= 1):
        raise FeatureError(f"Expected a point within the image, each share from 0 to 1; got {x:g}, {y:g}.")
    rows, columns = grid.shape[:2]
    units = F.normalize(grid.float(), dim=-1)
    own = units[min(int(y * rows), rows - 1), min(int(x * columns), columns - 1)]
    return to_numpy((units @ own).clamp(-1, 1))
