"""Dense feature maps of images at any resolution, whole or in blended windows."""

from __future__ import annotations

from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from densezero.encoders.base import DenseEncoder
from densezero.errors import FeatureError
from densezero.features.choices import DEFAULT_GRID_SIDE
from densezero.images import ResizePlan, Window, to_pixels, window_boxes

WHOLE_PATCHES: Final = 20_000
"""Images of more patches are encoded in windows: attention grows with the square of the patches."""
WINDOW_SIDE: Final = 98
"""Patches along a window's side; windows overlap by half."""


def plan_grid(image_hw: tuple[int, int], patch_px: int, grid_side: int = DEFAULT_GRID_SIDE) -> ResizePlan:
    """Plan the model input whose patch grid is ``grid_side`` long, at the ratio of the image.

    The grid depends on the image alone, so encoders of different patches give grids of one size.

    Args:
        image_hw: (H, W) of the image, pixels.
        patch_px: side of a patch, pixels.
        grid_side: patches along the long side, at least 1.

    Returns:
        The plan; its input sides are multiples of the patch.

    Raises:
        FeatureError: if ``grid_side`` is below 1.

    Example:
        >>> plan_grid((480, 640), patch_px=14).input_hw  # 74 x 98 patches
        (1036, 1372)
    """
    if grid_side < 1:
        raise FeatureError(f"Expected a grid of at least 1 patch along the long side; got {grid_side}. Try 98.")
    long = max(image_hw)
    rows, columns = (max(1, (2 * side * grid_side + long) // (2 * long)) for side in image_hw)  # rounded to nearest
    return ResizePlan(image_hw, (rows * patch_px, columns * patch_px))


@torch.inference_mode()
def encode_grid(
    encoder: DenseEncoder,
    rgb: NDArray[np.uint8],
    readout: str = "value",
    grid_side: int = DEFAULT_GRID_SIDE,
    window_side: int | None = None,
) -> Tensor:
    """Encode an image into a grid of features.

    Args:
        encoder: gives the features.
        rgb: (H, W, 3) uint8, upright.
        readout: one of ``encoder.readouts``.
        grid_side: patches along the long side.
        window_side: patches along the side of a window, half of which is the stride; None takes the whole image
            up to 20,000 patches and windows of 98 beyond, or where the device's memory does not suffice.

    Returns:
        (gh, gw, D) float32 on the processor, not normalised.

    Raises:
        FeatureError: for a grid or a window below 1 patch.
        ModelError: for a read-out that the encoder does not have.
    """
    if window_side is not None and window_side < 1:
        raise FeatureError(f"Expected windows of at least 1 patch; got {window_side}.")
    plan = plan_grid((int(rgb.shape[0]), int(rgb.shape[1])), encoder.patch_px, grid_side)
    pixels = torch.from_numpy(to_pixels(rgb, plan)).to(encoder.device)  # (1, 3, h, w)
    rows, columns = (side // encoder.patch_px for side in plan.input_hw)
    if window_side is None and rows * columns <= WHOLE_PATCHES:
        try:
            return encoder.encode_dense(pixels, readout)[0].cpu()
        except torch.OutOfMemoryError:
            if max(rows, columns) <= WINDOW_SIDE:
                raise
    side = window_side or WINDOW_SIDE
    return _blend(encoder, pixels, readout, window_boxes(rows, columns, side, (side + 1) // 2))


def _blend(encoder: DenseEncoder, pixels: Tensor, readout: str, windows: list[Window]) -> Tensor:
    """Mean over the windows of each patch, each weighing less towards its border, so that no seam shows."""
    total, patch = torch.zeros(0), encoder.patch_px
    rows, columns = windows[-1].bottom, windows[-1].right
    weights = torch.zeros(rows, columns, 1)
    tent = _tent(windows[0].hw)  # (wh, ww, 1)
    for window in windows:
        top, left, bottom, right = (edge * patch for edge in window)
        part = encoder.encode_dense(pixels[:, :, top:bottom, left:right], readout)[0].cpu()  # (wh, ww, D)
        if not total.numel():
            total = torch.zeros(rows, columns, part.shape[-1])
        place = (slice(window.top, window.bottom), slice(window.left, window.right))
        total[place] += part * tent
        weights[place] += tent
    return total / weights


def _tent(hw: tuple[int, int]) -> Tensor:
    """(h, w, 1): highest in the middle, falling linearly to the border, nowhere 0."""
    sides = [torch.minimum(torch.arange(1.0, n + 1), torch.arange(float(n), 0, -1)) for n in hw]
    return (sides[0][:, None] * sides[1])[..., None]
