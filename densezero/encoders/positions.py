"""Position embeddings for other grid sizes than the trained one."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor


def resize_positions(positions: Tensor, from_hw: tuple[int, int], to_hw: tuple[int, int], mode: str) -> Tensor:
    """Resize position embeddings with antialias, in float32.

    The CPU does it for every device: the others round differently, and some have no antialiased resize.

    Args:
        positions: (rows * columns, D) as trained, on any device, of any numeric type.
        from_hw: rows and columns of the trained grid.
        to_hw: rows and columns of the new grid.
        mode: ``bilinear`` or ``bicubic``.

    Returns:
        (rows * columns of the new grid, D), on the device and in the numeric type of ``positions``.
    """
    square = positions.to("cpu", torch.float32).reshape(1, *from_hw, -1).permute(0, 3, 1, 2)  # (1, D, rows, columns)
    resized = F.interpolate(square, size=to_hw, mode=mode, antialias=True, align_corners=False)
    return resized[0].flatten(1).T.contiguous().to(positions)
