"""Turns the coordinates of one encoder towards those of another, so that colours can be compared."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from densezero.errors import FeatureError
from densezero.features.basis import PcaBasis


class Alignment:
    """Collects pairs of coordinates and gives the orthogonal turn between them (Schönemann 1966).

    Args:
        components: K.

    Example:
        >>> alignment, target = Alignment(3), torch.randn(50, 3)
        >>> alignment.add(target[:, [1, 2, 0]], target)
        >>> alignment.turn().abs().round().int().tolist()
        [[0, 1, 0], [0, 0, 1], [1, 0, 0]]
    """

    def __init__(self, components: int = 3) -> None:
        self._cross = torch.zeros(components, components, dtype=torch.float64)

    def add(self, source: Tensor, target: Tensor) -> None:
        """Take in coordinates (..., K) of the same patches in two bases.

        Raises:
            FeatureError: if they are not of one shape.
        """
        if source.shape != target.shape:
            raise FeatureError(
                f"Expected two encoders' coordinates on one grid; got {tuple(source.shape)} and {tuple(target.shape)}."
            )
        self._cross += source.flatten(0, -2).double().T @ target.flatten(0, -2).double()

    def turn(self) -> Tensor:
        """(K, K) orthogonal R that brings source @ R nearest to target, in squares."""
        left, _, right = torch.linalg.svd(self._cross)
        turn: Tensor = left @ right
        return turn.float()

    def align(self, basis: PcaBasis) -> PcaBasis:
        """The source's basis, turned; its percentiles are to be taken anew."""
        return replace(basis, turn=basis.turn @ self.turn())
