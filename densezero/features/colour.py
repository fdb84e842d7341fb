"""Coordinates to colours."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from densezero.errors import FeatureError, did_you_mean
from densezero.features.basis import PcaBasis
from densezero.features.choices import LOOKS

BACKDROP = 1.0  # white paper, where the basis takes the foreground alone


def to_rgb(basis: PcaBasis, grid: Tensor, look: str = "sigmoid") -> NDArray[np.float32]:
    """Colour a grid of features by its first three coordinates.

    Args:
        basis: of at least 3 components.
        grid: (gh, gw, D) features of the basis's encoder.
        look: one of ``LOOKS``.

    Returns:
        (gh, gw, 3) float32 in [0, 1]; white where the basis takes the foreground alone and a patch is none of it.

    Raises:
        FeatureError: for an unknown look, or a basis of fewer components or another width.
    """
    shown = _shown(basis, basis.coordinates(grid), look)
    if shown.shape[-1] < 3:
        raise FeatureError(f"Expected a basis of at least 3 components; got {shown.shape[-1]}. Fit it with 3.")
    mask = basis.foreground(grid)
    rgb = shown[..., :3] if mask is None else torch.where(mask[..., None], shown[..., :3], BACKDROP)
    return np.ascontiguousarray(rgb.numpy())


def first_component(basis: PcaBasis, grid: Tensor, look: str = "sigmoid") -> NDArray[np.float32]:
    """Show the first coordinate alone.

    Args:
        basis: of at least 1 component.
        grid: (gh, gw, D) features of the basis's encoder.
        look: one of ``LOOKS``.

    Returns:
        (gh, gw) float32 in [0, 1], 0 where the basis takes the foreground alone and a patch is none of it.

    Raises:
        FeatureError: as ``to_rgb``.
    """
    shown = _shown(basis, basis.coordinates(grid), look)[..., 0]
    mask = basis.foreground(grid)
    return np.ascontiguousarray((shown if mask is None else shown * mask).numpy())


def _shown(basis: PcaBasis, coordinates: Tensor, look: str) -> Tensor:
    if look not in LOOKS:
        raise FeatureError(f"Expected the name of a look; got {look!r}. {did_you_mean(look, list(LOOKS))}")
    if look == "sigmoid":
        return torch.sigmoid(2 * coordinates)
    return ((coordinates - basis.low) / (basis.high - basis.low).clamp_min(1e-12)).clamp(0, 1)
