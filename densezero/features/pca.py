"""PCA of patch features, streamed: any number of grids, one in memory at a time."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import torch
from torch import Tensor

from densezero.errors import FeatureError
from densezero.features.basis import Gate, PcaBasis

LOW_PERCENT, HIGH_PERCENT = 1, 99
SMALLEST_SHARE = 1e-10  # of the features' mean square: less variance is rounding
HISTOGRAM_BINS = 256


class Moments:
    """Count, mean and scatter matrix of features, in double precision; parts merge (Chan, Golub, LeVeque 1983)."""

    def __init__(self) -> None:
        self.count = 0
        self.mean = torch.zeros(0, dtype=torch.float64)
        self.scatter = torch.zeros(0, 0, dtype=torch.float64)

    def add(self, tokens: Tensor) -> None:
        """Take in (N, D) features."""
        if not len(tokens):
            return
        part = tokens.double()
        mean = part.mean(0)
        centred = part - mean
        scatter = centred.T @ centred
        if not self.count:
            self.count, self.mean, self.scatter = len(part), mean, scatter
            return
        total, step = self.count + len(part), mean - self.mean
        self.scatter += scatter + torch.outer(step, step) * (self.count * len(part) / total)
        self.mean = self.mean + step * (len(part) / total)
        self.count = total


def fit_pca(grids: Iterable[Tensor], components: int = 3, foreground: bool = False) -> PcaBasis:
    """Fit a basis to grids of features, all together.

    The sign of each component makes its largest entry positive (as scikit-learn has it), so that the same features
    always give the same colours.

    Args:
        grids: (gh, gw, D) features each; gone through several times, so a list or a ``Spool``, not a generator.
        components: K, at least 1.
        foreground: fit a second time, to the patches on that side of the first component (split by Otsu's threshold)
            which keeps off the images' borders.

    Returns:
        The basis, for every grid of the same encoder.

    Raises:
        FeatureError: for no more patches than components, or features that do not vary along so many components.

    Example:
        >>> grids = [torch.randn(8, 8, 16)]
        >>> fit_pca(grids, components=3).coordinates(grids[0]).shape
        torch.Size([8, 8, 3])
    """
    if components < 1:
        raise FeatureError(f"Expected at least 1 component; got {components}.")
    gate = _fit_gate(grids) if foreground else None
    moments = Moments()
    for grid in grids:
        tokens = grid.flatten(0, -2).float()
        moments.add(tokens if gate is None else tokens[gate.mask(tokens)])
    return with_percentiles(replace(_basis_of(moments, components), gate=gate), grids)


def with_percentiles(basis: PcaBasis, grids: Iterable[Tensor]) -> PcaBasis:
    """Take the 1st and 99th percentiles of the coordinates, of the foreground alone where the basis has one.

    Args:
        basis: whose coordinates count; its percentiles are forgotten.
        grids: (gh, gw, D) features each.
    """
    parts = []
    for grid in grids:
        coordinates, mask = basis.coordinates(grid), basis.foreground(grid)
        parts.append(coordinates.flatten(0, -2) if mask is None else coordinates[mask])
    ordered = torch.cat(parts).sort(0).values  # torch.quantile takes no more than 2 ** 24 numbers
    return replace(basis, low=_percentile(ordered, LOW_PERCENT), high=_percentile(ordered, HIGH_PERCENT))


def _basis_of(moments: Moments, components: int) -> PcaBasis:
    if moments.count <= components:
        raise FeatureError(
            f"Expected more patches than components; got {moments.count} patches for {components} components. "
            "Take a larger grid, or more images."
        )
    width = len(moments.mean)
    values, vectors = torch.linalg.eigh(moments.scatter / (moments.count - 1))  # rising
    variance = values.flip(0)[:components].clamp_min(0)
    smallest = SMALLEST_SHARE * max(float(moments.mean.square().sum()), float(values.clamp_min(0).sum()), 1e-30)
    if width < components or variance[-1] <= smallest:
        found = int((values > smallest).sum())
        raise FeatureError(
            f"Expected features that vary along {components} components; these vary along {found}. "
            "An image of one colour, or patches that are all alike, have nothing to show."
        )
    axes = vectors.flip(1)[:, :components].T  # (K, D)
    largest = axes.abs().argmax(1, keepdim=True)
    axes = axes * axes.gather(1, largest).sign()
    zeros = torch.zeros(components)
    return PcaBasis(
        mean=moments.mean.float(),
        components=axes.float(),
        deviation=variance.sqrt().float(),
        explained=(variance / values.clamp_min(0).sum()).float(),
        turn=torch.eye(components),
        low=zeros,
        high=zeros,
    )


def _percentile(ordered: Tensor, percent: float) -> Tensor:
    """Linear interpolation between the neighbours, as numpy has it: (N, K) rising to (K,)."""
    place = (len(ordered) - 1) * percent / 100
    low = int(place)
    return torch.lerp(ordered[low], ordered[min(low + 1, len(ordered) - 1)], place - low)


def _fit_gate(grids: Iterable[Tensor]) -> Gate:
    """The side of the first component that keeps off the borders."""
    moments = Moments()
    for grid in grids:
        moments.add(grid.flatten(0, -2).float())
    first = _basis_of(moments, 1)
    direction = first.components[0]
    parts, borders = [], []
    for grid in grids:
        projection = (grid.float() - first.mean) @ direction  # (gh, gw)
        edge = torch.ones_like(projection, dtype=torch.bool)
        edge[1:-1, 1:-1] = False
        parts.append(projection.flatten())
        borders.append(edge.flatten())
    projected, border = torch.cat(parts), torch.cat(borders)
    threshold = otsu_threshold(projected)
    above = projected > threshold
    if above[border].float().mean() > above.float().mean():  # more of it at the borders than elsewhere
        return Gate(first.mean, -direction, -threshold)
    return Gate(first.mean, direction, threshold)


def otsu_threshold(values: Tensor) -> float:
    """Split numbers in two groups so that the variance between the groups is largest (Otsu 1979).

    Args:
        values: (N,) not all equal.

    Returns:
        The upper edge of the last of 256 bins that belongs to the lower group.
    """
    low, high = float(values.min()), float(values.max())
    counts = torch.histc(values, HISTOGRAM_BINS, low, high).double()
    width = (high - low) / HISTOGRAM_BINS
    centres = low + (torch.arange(HISTOGRAM_BINS, dtype=torch.float64) + 0.5) * width
    below = counts.cumsum(0)
    mass = (counts * centres).cumsum(0)
    above = below[-1] - below
    between = below * above * (mass / below.clamp_min(1) - (mass[-1] - mass) / above.clamp_min(1)) ** 2
    return low + (int(between.argmax()) + 1) * width
