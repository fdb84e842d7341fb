"""Position embeddings for a grid of another size than the one that was trained."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def resize_positions(positions: Tensor, from_hw: tuple[int, int], to_hw: tuple[int, int], mode: str) -> Tensor:
    """Resize position embeddings with antialias, in float32 on the CPU: other devices differ, or lack antialias.

    Args:
        positions: (rows * columns, D) as trained, on any device, of any numeric type.
        from_hw: rows and columns of the trained grid.
        to_hw: rows and columns of the grid at hand.
        mode: ``bilinear`` or ``bicubic``.

    Returns:
        (rows * columns of the grid at hand, D), on the device and in the type of ``positions``.
    """
    square = positions.to("cpu", torch.float32).reshape(1, *from_hw, -1).permute(0, 3, 1, 2)  # (1, D, rows, columns)
    resized = F.interpolate(square, size=to_hw, mode=mode, antialias=True, align_corners=False)
    return resized[0].flatten(1).T.contiguous().to(positions)
