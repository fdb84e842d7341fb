"""Rotates the coordinates of one encoder towards those of another, so that their colours can be compared."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from densezero.encoders.device import plain_torch
from densezero.errors import FeatureError
from densezero.features.basis import PcaBasis
from densezero.features.precision import to_double


class Alignment:
    """Collects pairs of coordinates, and finds the orthogonal matrix between them (Schönemann 1966).

    Args:
        components: number of coordinates K.

    Example:
        >>> alignment, target = Alignment(3), torch.randn(50, 3)
        >>> alignment.add(target[:, [1, 2, 0]], target)
        >>> alignment.rotation().abs().round().int().tolist()
        [[0, 1, 0], [0, 0, 1], [1, 0, 0]]
    """

    def __init__(self, components: int = 3) -> None:
        self._cross = torch.zeros(components, components, dtype=torch.float64, device="cpu")

    @plain_torch()
    def add(self, source: Tensor, target: Tensor) -> None:
        """Add the coordinates of the same patches in two bases.

        Args:
            source: (..., K) coordinates in the basis that is to be rotated.
            target: (..., K) coordinates in the other basis, on the same device.

        Raises:
            FeatureError: if the shapes differ.
        """
        if source.shape != target.shape:
            raise FeatureError(
                f"Expected two encoders' coordinates on one grid; got {tuple(source.shape)} and {tuple(target.shape)}."
            )
        cross = to_double(source.flatten(0, -2)).T @ to_double(target.flatten(0, -2))
        self._cross = self._cross.to(cross.device) + cross

    @plain_torch()
    def rotation(self) -> Tensor:
        """(K, K) orthogonal R for which source @ R is nearest to target in the sum of squares."""
        left, _, right = torch.linalg.svd(self._cross.cpu())
        rotation: Tensor = left @ right
        return rotation.float()

    @plain_torch()
    def align(self, basis: PcaBasis) -> PcaBasis:
        """Rotate the basis of the source. Its percentiles do not change: ``with_percentiles`` computes new ones."""
        return replace(basis, rotation=basis.rotation @ self.rotation())
