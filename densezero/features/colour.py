"""From PCA coordinates to colours."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from densezero.encoders.device import plain_torch, to_numpy
from densezero.errors import FeatureError, did_you_mean
from densezero.features.basis import PcaBasis
from densezero.features.choices import COLOR_MAPPINGS

BACKGROUND_LEVEL = 1.0  # white, as paper


def turn_matrix(hue_deg: float = 0.0, flip: Sequence[int] = ()) -> Tensor:
    """Make the matrix that turns the hue of three coordinates and mirrors some of them.

    A row of coordinates is multiplied with it from the right: first the mirrored ones change their sign, then all turn
    about the grey axis (Rodrigues' formula). 0 degrees and no mirrored coordinate give the identity, 120 degrees move
    red to green, green to blue, and blue to red.

    Args:
        hue_deg: angle, degrees.
        flip: coordinates to mirror, 1 to 3.

    Returns:
        (3, 3) float32 orthogonal matrix on the processor.

    Example:
        >>> turn_matrix(120, flip=[1]).round().int().tolist()
        [[0, -1, 0], [0, 0, 1], [1, 0, 0]]
    """
    angle, axis = math.radians(hue_deg), 1 / math.sqrt(3)
    cross = axis * torch.tensor([[0.0, -1, 1], [1, 0, -1], [-1, 1, 0]], dtype=torch.float64, device="cpu")
    ones = torch.full((3, 3), 1 / 3, dtype=torch.float64, device="cpu")
    eye = torch.eye(3, dtype=torch.float64, device="cpu")
    rotation = math.cos(angle) * eye + (1 - math.cos(angle)) * ones + math.sin(angle) * cross
    signs = torch.tensor([-1.0 if part in flip else 1.0 for part in (1, 2, 3)], dtype=torch.float64, device="cpu")
    return (signs[:, None] * rotation.T).float()


@plain_torch()
def to_rgb(
    basis: PcaBasis, grid: Tensor, color_mapping: str = "sigmoid", turn: Tensor | None = None
) -> NDArray[np.float32]:
    """Colour a grid of features by its first three coordinates.

    Args:
        basis: a basis of at least 3 components.
        grid: (gh, gw, D) features of the basis's encoder, on any device.
        color_mapping: one of ``COLOR_MAPPINGS``.
        turn: (3, 3) matrix of ``turn_matrix``; None turns nothing.

    Returns:
        (gh, gw, 3) float32 in [0, 1]. If the basis separates foreground and background, the background is white.

    Raises:
        FeatureError: for an unknown color mapping, fewer than 3 components, or features of another width.
    """
    centred = _centre(basis, basis.coordinates(grid), color_mapping)[..., :3]
    if centred.shape[-1] < 3:
        raise FeatureError(f"Expected a basis of at least 3 components; got {centred.shape[-1]}. Fit it with 3.")
    colours = _squash(centred if turn is None else centred @ turn.to(centred.device), color_mapping)
    mask = basis.foreground(grid)
    rgb = colours if mask is None else torch.where(mask[..., None], colours, BACKGROUND_LEVEL)
    return np.ascontiguousarray(to_numpy(rgb))


@plain_torch()
def first_component(
    basis: PcaBasis, grid: Tensor, color_mapping: str = "sigmoid", *, flip: bool = False
) -> NDArray[np.float32]:
    """Map the first coordinate alone to [0, 1].

    Args:
        basis: a basis of at least 1 component.
        grid: (gh, gw, D) features of the basis's encoder, on any device.
        color_mapping: one of ``COLOR_MAPPINGS``.
        flip: mirror the coordinate.

    Returns:
        (gh, gw) float32 in [0, 1]. If the basis separates foreground and background, the background is 0.

    Raises:
        FeatureError: for an unknown color mapping, or features of another width.
    """
    centred = _centre(basis, basis.coordinates(grid), color_mapping)[..., 0]
    levels = _squash(-centred if flip else centred, color_mapping)
    mask = basis.foreground(grid)
    return np.ascontiguousarray(to_numpy(levels if mask is None else levels * mask))


def _centre(basis: PcaBasis, coordinates: Tensor, color_mapping: str) -> Tensor:
    """Shift (..., K) coordinates so that grey is 0, where hues turn and mirrors lie."""
    if color_mapping not in COLOR_MAPPINGS:
        raise FeatureError(
            f"Expected the name of a color mapping; got {color_mapping!r}. "
            f"{did_you_mean(color_mapping, list(COLOR_MAPPINGS))}"
        )
    if color_mapping == "sigmoid":
        return coordinates
    low, high = basis.low.to(coordinates.device), basis.high.to(coordinates.device)
    return (coordinates - low) / (high - low).clamp_min(1e-12) - 0.5


def _squash(centred: Tensor, color_mapping: str) -> Tensor:
    """Map centred coordinates to levels in [0, 1]."""
    return torch.sigmoid(2 * centred) if color_mapping == "sigmoid" else (centred + 0.5).clamp(0, 1)
