"""From PCA coordinates to colours."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from densezero.encoders.device import plain_torch, to_numpy
from densezero.errors import FeatureError, did_you_mean
from densezero.features.basis import PcaBasis
from densezero.features.choices import COLOR_MAPPINGS

BACKGROUND_LEVEL = 1.0  # white, as paper


@plain_torch()
def to_rgb(basis: PcaBasis, grid: Tensor, color_mapping: str = "sigmoid") -> NDArray[np.float32]:
    """Colour a grid of features by its first three coordinates.

    Args:
        basis: a basis of at least 3 components.
        grid: (gh, gw, D) features of the basis's encoder, on any device.
        color_mapping: one of ``COLOR_MAPPINGS``.

    Returns:
        (gh, gw, 3) float32 in [0, 1]. If the basis separates foreground and background, the background is white.

    Raises:
        FeatureError: for an unknown color mapping, fewer than 3 components, or features of another width.
    """
    colours = _map_colours(basis, basis.coordinates(grid), color_mapping)
    if colours.shape[-1] < 3:
        raise FeatureError(f"Expected a basis of at least 3 components; got {colours.shape[-1]}. Fit it with 3.")
    mask = basis.foreground(grid)
    rgb = colours[..., :3] if mask is None else torch.where(mask[..., None], colours[..., :3], BACKGROUND_LEVEL)
    return np.ascontiguousarray(to_numpy(rgb))


@plain_torch()
def first_component(basis: PcaBasis, grid: Tensor, color_mapping: str = "sigmoid") -> NDArray[np.float32]:
    """Map the first coordinate alone to [0, 1].

    Args:
        basis: a basis of at least 1 component.
        grid: (gh, gw, D) features of the basis's encoder, on any device.
        color_mapping: one of ``COLOR_MAPPINGS``.

    Returns:
        (gh, gw) float32 in [0, 1]. If the basis separates foreground and background, the background is 0.

    Raises:
        FeatureError: for an unknown color mapping, or features of another width.
    """
    levels = _map_colours(basis, basis.coordinates(grid), color_mapping)[..., 0]
    mask = basis.foreground(grid)
    return np.ascontiguousarray(to_numpy(levels if mask is None else levels * mask))


def _map_colours(basis: PcaBasis, coordinates: Tensor, color_mapping: str) -> Tensor:
    if color_mapping not in COLOR_MAPPINGS:
        raise FeatureError(
            f"Expected the name of a color mapping; got {color_mapping!r}. "
            f"{did_you_mean(color_mapping, list(COLOR_MAPPINGS))}"
        )
    if color_mapping == "sigmoid":
        return torch.sigmoid(2 * coordinates)
    low, high = basis.low.to(coordinates.device), basis.high.to(coordinates.device)
    return ((coordinates - low) / (high - low).clamp_min(1e-12)).clamp(0, 1)
