"""Random crops of images, resized to a square."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from densezero.images import Box

LEAST_RATIO, GREATEST_RATIO = 3 / 4, 4 / 3  # of the width of a crop to its height
_TRIES = 10


def random_box(rng: np.random.Generator, hw: tuple[int, int], area: tuple[float, float]) -> Box:
    """Choose a random rectangle of an image with a given share of its area, as in torchvision's RandomResizedCrop.

    Args:
        rng: chooses area, ratio of the sides, and place.
        hw: height and width of the image, pixels.
        area: least and greatest share of the area of the image, 0 to 1.

    Returns:
        The box. Its width is 3/4 to 4/3 of its height, up to rounding. If no box of ten fits into a long and narrow
        image, it is the largest centre crop with an allowed ratio.
    """
    h, w = hw
    for _ in range(_TRIES):
        share, log_ratio, top_share, left_share = rng.random(4)
        px = h * w * (area[0] + share * (area[1] - area[0]))
        ratio = LEAST_RATIO * (GREATEST_RATIO / LEAST_RATIO) ** log_ratio
        height, width = max(round((px / ratio) ** 0.5), 1), max(round((px * ratio) ** 0.5), 1)
        if height <= h and width <= w:
            top, left = int(top_share * (h - height + 1)), int(left_share * (w - width + 1))
            return Box(top, left, top + height, left + width)
    height, width = min(h, max(int(w / LEAST_RATIO), 1)), min(w, max(int(h * GREATEST_RATIO), 1))
    top, left = (h - height) // 2, (w - width) // 2
    return Box(top, left, top + height, left + width)


def resized_crop(rgb: NDArray[np.uint8], box: Box, side_px: int, flip: bool) -> Tensor:
    """Cut a box out of an image, resize it to a square, and mirror it if wanted.

    Args:
        rgb: (H, W, 3).
        box: inside the image.
        side_px: side of the result, pixels.
        flip: whether to mirror left and right.

    Returns:
        (3, side, side) uint8.
    """
    window = np.array(rgb[box.top : box.bottom, box.left : box.right])  # a copy, which is contiguous and writable
    pixels = torch.from_numpy(window).permute(2, 0, 1)[None]  # (1, 3, h, w)
    resized = F.interpolate(pixels, (side_px, side_px), mode="bilinear", antialias=True, align_corners=False)[0]
    return resized.flip(-1) if flip else resized


def resized_labels(labels: NDArray[np.uint8], box: Box, side_px: int, flip: bool) -> Tensor:
    """Do the same with a label map (H, W), by the nearest label: (side, side) uint8."""
    window = torch.from_numpy(np.array(labels[box.top : box.bottom, box.left : box.right]))
    resized = F.interpolate(window[None, None], (side_px, side_px), mode="nearest-exact")[0, 0]
    return resized.flip(-1) if flip else resized
