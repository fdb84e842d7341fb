"""Features of patches in a few bytes each, small enough for a web page, with nearly the same cosines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from densezero.encoders.device import plain_torch, to_numpy
from densezero.errors import FeatureError
from densezero.features.precision import to_double

CHANNELS: Final = (64, 96, 128, 192, 256)
"""Bytes kept of each patch: the first of these numbers whose channels are exact enough, or the last."""
ENOUGH: Final = 0.01
"""Largest error of a cosine, before channels are rounded to bytes, that is exact enough for a map of 256 colours."""
_SAMPLE: Final = 2000  # patches of all images whose cosines are compared with the exact ones


@dataclass(frozen=True)
class LowRank:
    """Unit features as K bytes a patch: ``directions.T @ feature``, each channel rounded to 256 levels.

    Args:
        directions: (D, K) float32 orthonormal columns.
        low: (K,) float32, what byte 0 stands for.
        step: (K,) float32, the difference between two bytes that follow each other.
    """

    directions: Tensor
    low: NDArray[np.float32]
    step: NDArray[np.float32]

    def first(self, channels: int) -> LowRank:
        """Keep fewer channels, those that matter most."""
        return LowRank(self.directions[:, :channels].contiguous(), self.low[:channels], self.step[:channels])

    @plain_torch()
    def encode(self, grid: Tensor) -> NDArray[np.uint8]:
        """Turn (gh, gw, D) features into (gh, gw, K) bytes."""
        values = to_numpy(F.normalize(grid.float().cpu(), dim=-1) @ self.directions)
        return np.asarray(np.clip(np.rint((values - self.low) / self.step), 0, 255), np.uint8)

    def decode(self, codes: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Turn (..., K) bytes into (..., K) numbers. The dot product of two patches is close to their cosine."""
        return np.asarray(self.low + self.step * codes.astype(np.float32), np.float32)

    def largest_error(self, units: Tensor) -> float:
        """Compute the largest difference between exact and kept cosines of (N, D) unit features with each other."""
        return _largest_difference(units, self.decode(self.encode(units[:, None])[:, 0]))


@plain_torch()
def fit_low_rank(grids: Sequence[Tensor], channels: int = CHANNELS[-1]) -> LowRank:
    """Find the directions that keep the cosines of all pairs of patches best, in the sum of squared differences.

    They are the eigenvectors of the largest eigenvalues of the sum of ``x x^T`` over all unit features ``x``, without a
    mean (Eckart and Young 1936). The most important come first.

    Args:
        grids: (gh, gw, D) features. They are read twice.
        channels: number K of bytes a patch; D if that is less.

    Raises:
        FeatureError: for an empty sequence of grids.
    """
    if not len(grids):
        raise FeatureError("Expected features of at least one image; got none.")
    total = torch.zeros(grids[0].shape[-1], grids[0].shape[-1], dtype=torch.float64)
    for grid in grids:
        units = to_double(F.normalize(grid.float().cpu().flatten(0, 1), dim=-1))
        total += units.T @ units
    directions = torch.linalg.eigh(total).eigenvectors.flip(1)[:, :channels].float().contiguous()  # largest first
    ends = []
    for grid in grids:
        values = to_numpy(F.normalize(grid.float().cpu().flatten(0, 1), dim=-1) @ directions)
        ends.append((values.min(0), values.max(0)))
    low = np.min([least for least, _ in ends], axis=0)
    high = np.max([most for _, most in ends], axis=0)
    step = np.where(high > low, (high - low) / 255, 1.0)
    return LowRank(directions, low.astype(np.float32), step.astype(np.float32))


def choose_low_rank(grids: Sequence[Tensor]) -> tuple[LowRank, float]:
    """Keep as few channels of ``CHANNELS`` as give every cosine within ``ENOUGH``, before they are rounded to bytes.

    Returns:
        What is kept, and its largest error with rounding. Both are found on 2,000 patches, spread evenly over all
        images, and compared across images.

    Raises:
        FeatureError: for an empty sequence of grids.
    """
    whole = fit_low_rank(grids)
    units = sample_units(grids)
    numbers = to_numpy(units @ whole.directions)
    for channels in CHANNELS:
        if channels >= len(whole.low) or _largest_difference(units, numbers[:, :channels]) <= ENOUGH:
            break
    kept = whole.first(channels)
    return kept, kept.largest_error(units)


def sample_units(grids: Sequence[Tensor]) -> Tensor:
    """Take about 2,000 patches, spread evenly over all grids, to unit length: (N, D) float32."""
    samples = []
    for grid in grids:
        flat = F.normalize(grid.float().cpu().flatten(0, 1), dim=-1)
        count = min(len(flat), max(4, _SAMPLE // len(grids)))
        samples.append(flat[torch.linspace(0, len(flat) - 1, count).long()])
    return torch.cat(samples)


def _largest_difference(units: Tensor, numbers: NDArray[np.float32]) -> float:
    exact, kept = to_numpy(units).astype(np.float64), numbers.astype(np.float64)
    rows = zip(exact, kept, strict=True)
    return float(max(np.abs(exact @ unit - kept @ number).max() for unit, number in rows))
