"""Dense feature maps of images at any resolution, encoded whole or in overlapping windows."""

from __future__ import annotations

from typing import Final

import torch
from torch import Tensor

from densezero.encoders.base import DenseEncoder
from densezero.encoders.blocks import find_blocks
from densezero.encoders.device import is_out_of_memory, plain_torch, upload_pixels
from densezero.encoders.readouts import find_readout
from densezero.errors import FeatureError, ModelError
from densezero.features.choices import DEFAULT_GRID_SIDE, check_layer
from densezero.images import ResizePlan, Window, resize_rgb, window_boxes
from densezero.images.any_image import AnyImage, as_rgb

WHOLE_PATCHES: Final = 20_000
"""The most patches that are encoded as a whole: the cost of attention grows with the square of their number."""
WINDOW_SIDE: Final = 98
"""Patches along a window's side; windows overlap by half."""


def plan_grid(image_hw: tuple[int, int], patch_px: int, grid_side: int = DEFAULT_GRID_SIDE) -> ResizePlan:
    """Plan the model input that gives a grid with ``grid_side`` patches along its long side, at the image's ratio.

    The size of the grid depends on the image alone, so encoders with different patches give grids of the same size.

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


@plain_torch()
def encode_grid(
    encoder: DenseEncoder,
    image: AnyImage,
    readout: str = "value",
    grid_side: int = DEFAULT_GRID_SIDE,
    window_side: int | None = None,
    layer: int | None = None,
) -> Tensor:
    """Encode an image into a grid of features.

    Args:
        encoder: gives the features.
        image: the path of a file, a Pillow image, a uint8 array (H, W, 3) in RGB, or a tensor (3, H, W).
        readout: one of ``encoder.readouts``.
        grid_side: patches along the long side.
        window_side: patches along the side of a window; the stride is half of it. None encodes the whole image at once,
            or windows of 98 if there are more than 20,000 patches or the device's memory is too small.
        layer: the block whose tokens are taken, after the final norm; from 0, or negative from the end. None takes the
            last one with the read-out. Needs the read-out ``patch``.

    Returns:
        (gh, gw, D) float32 on the processor, not normalised.

    Raises:
        FeatureError: for a grid or a window below 1 patch, or a layer with another read-out than ``patch``.
        InputError: if the image cannot be used.
        ModelError: for a read-out or a layer that the encoder lacks.
    """
    if window_side is not None and window_side < 1:
        raise FeatureError(f"Expected windows of at least 1 patch; got {window_side}.")
    if layer is not None:
        check_source(encoder, readout, layer)
    rgb = as_rgb(image)  # (H, W, 3)
    plan = plan_grid((int(rgb.shape[0]), int(rgb.shape[1])), encoder.patch_px, grid_side)
    pixels = upload_pixels(resize_rgb(rgb, plan.input_hw), encoder.device)  # (1, 3, h, w)
    rows, columns = (side // encoder.patch_px for side in plan.input_hw)
    if window_side is None and rows * columns <= WHOLE_PATCHES:
        try:
            return _encode(encoder, pixels, readout, layer).cpu()
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error) or max(rows, columns) <= WINDOW_SIDE:
                raise
    side = window_side or WINDOW_SIDE
    return _blend(encoder, pixels, readout, layer, window_boxes(rows, columns, side, (side + 1) // 2)).cpu()


def check_source(encoder: DenseEncoder, readout: str, layer: int | None) -> None:
    """Refuse a read-out or a layer that an encoder lacks.

    Raises:
        FeatureError: for a layer with another read-out than ``patch``.
        ModelError: if the encoder lacks it.
    """
    find_readout(readout, encoder.readouts, encoder.name)
    check_layer(readout, layer)
    if layer is None:
        return
    if not encoder.depth:
        raise ModelError(
            f"{encoder.name} does not give the features of single layers. Leave --layer away, or take a TIPS model, or "
            "a ViT of open_clip or timm."
        )
    try:
        find_blocks([layer], encoder.depth)
    except ModelError as error:
        raise ModelError(f"{encoder.name} has no --layer {layer}. {error}") from None


def _encode(encoder: DenseEncoder, pixels: Tensor, readout: str, layer: int | None) -> Tensor:
    """Encode one image (1, 3, h, w) into (gh, gw, D)."""
    if layer is None:
        return encoder.encode_dense(pixels, readout)[0]
    return encoder.encode_blocks(pixels, [layer])[0].grid[0]


def _blend(encoder: DenseEncoder, pixels: Tensor, readout: str, layer: int | None, windows: list[Window]) -> Tensor:
    """Average the windows at each patch, with weights that fall towards the border of a window, so no seam appears."""
    patch, device = encoder.patch_px, pixels.device
    rows, columns = windows[-1].bottom, windows[-1].right
    total = torch.zeros(0, dtype=torch.float32, device=device)
    weights = torch.zeros(rows, columns, 1, dtype=torch.float32, device=device)
    tent = _tent(windows[0].hw, device)  # (wh, ww, 1)
    for window in windows:
        top, left, bottom, right = (edge * patch for edge in window)
        part = _encode(encoder, pixels[:, :, top:bottom, left:right], readout, layer)  # (wh, ww, D)
        if not total.numel():
            total = torch.zeros(rows, columns, part.shape[-1], dtype=torch.float32, device=device)
        inside = (slice(window.top, window.bottom), slice(window.left, window.right))
        total[inside] += part * tent
        weights[inside] += tent
    return total.div_(weights)


def _tent(hw: tuple[int, int], device: torch.device) -> Tensor:
    """(h, w, 1) weights that are largest in the middle, fall linearly to the border, and are above 0."""
    rising = [torch.arange(1, n + 1, dtype=torch.float32, device=device) for n in hw]
    rows, columns = (torch.minimum(side, side.flip(0)) for side in rising)
    return (rows[:, None] * columns)[..., None]
