"""PCA of patch features, grid by grid, so that one grid is in memory at a time."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import torch
from torch import Tensor

from densezero.encoders.device import plain_torch
from densezero.errors import FeatureError
from densezero.features.basis import ForegroundSplit, PcaBasis
from densezero.features.precision import to_double

LOW_PERCENT, HIGH_PERCENT = 1, 99
SMALLEST_SHARE = 1e-10  # of the features' mean square; less variance is rounding error
HISTOGRAM_BINS = 256


class Moments:
    """Count, mean and scatter matrix of features in float64, updated part by part (Chan, Golub, LeVeque 1983)."""

    def __init__(self) -> None:
        self.count = 0
        self.mean = torch.zeros(0, dtype=torch.float64, device="cpu")
        self.scatter = torch.zeros(0, 0, dtype=torch.float64, device="cpu")

    @plain_torch()
    def add(self, tokens: Tensor) -> None:
        """Add (N, D) features, all on one device."""
        if not len(tokens):
            return
        part = to_double(tokens)
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


@plain_torch()
def fit_pca(grids: Iterable[Tensor], components: int = 3, foreground: bool = False) -> PcaBasis:
    """Fit one basis to the features of all grids.

    The largest entry of each component is positive, as in scikit-learn, so the same features always have the same
    colours.

    Args:
        grids: (gh, gw, D) features, on any one device. They are read several times: pass a list or a view of a
            ``DiskCache``, not a generator.
        components: number of components K, at least 1.
        foreground: fit a second time, to the foreground alone. Otsu's threshold divides the patches by their first
            component; the foreground is the side with fewer patches at the borders of the images.

    Returns:
        A basis for all grids of the same encoder, on the processor.

    Raises:
        FeatureError: for too few patches, or features that vary along fewer than K directions.

    Example:
        >>> grids = [torch.randn(8, 8, 16)]
        >>> fit_pca(grids, components=3).coordinates(grids[0]).shape
        torch.Size([8, 8, 3])
    """
    if components < 1:
        raise FeatureError(f"Expected at least 1 component; got {components}.")
    split = split_foreground(grids) if foreground else None
    moments = Moments()
    for grid in grids:
        tokens = grid.flatten(0, -2).float()
        moments.add(tokens if split is None else tokens[split.mask(tokens)])
    return with_percentiles(replace(_basis_of(moments, components), foreground_split=split), grids)


@plain_torch()
def with_percentiles(basis: PcaBasis, grids: Iterable[Tensor]) -> PcaBasis:
    """Replace the 1st and 99th percentiles of a basis by those of the grids' coordinates.

    Args:
        basis: gives the coordinates. If it divides foreground and background, only the foreground counts.
        grids: (gh, gw, D) features, on any one device.
    """
    coordinates, masks = [], []
    for grid in grids:
        coordinates.append(basis.coordinates(grid).flatten(0, -2))
        mask = basis.foreground(grid)
        if mask is not None:
            masks.append(mask.flatten())
    fitted = torch.cat(coordinates)[torch.cat(masks)] if masks else torch.cat(coordinates)  # (N, K)
    ordered = fitted.sort(0).values.cpu()  # torch.quantile refuses more than 2 ** 24 numbers
    return replace(basis, low=_percentile(ordered, LOW_PERCENT), high=_percentile(ordered, HIGH_PERCENT))


def _basis_of(moments: Moments, components: int) -> PcaBasis:
    if moments.count <= components:
        raise FeatureError(
            f"Expected more patches than components; got {moments.count} patches for {components} components. "
            "Take a larger grid, or more images."
        )
    mean, scatter = moments.mean.cpu(), moments.scatter.cpu()
    values, vectors = torch.linalg.eigh(scatter / (moments.count - 1))  # rising
    variance = values.flip(0)[:components].clamp_min(0)
    smallest = SMALLEST_SHARE * max(float(mean.square().sum()), float(values.clamp_min(0).sum()), 1e-30)
    if len(mean) < components or variance[-1] <= smallest:
        found = int((values > smallest).sum())
        raise FeatureError(
            f"Expected features that vary along {components} components; these vary along {found}. "
            "Take an image with more than one colour, or more images."
        )
    axes = vectors.flip(1)[:, :components].T  # (K, D)
    largest = axes.abs().argmax(1, keepdim=True)
    axes = axes * axes.gather(1, largest).sign()
    zeros = torch.zeros(components, dtype=torch.float32, device="cpu")
    return PcaBasis(
        mean=mean.float(),
        components=axes.float(),
        deviation=variance.sqrt().float(),
        explained=(variance / values.clamp_min(0).sum()).float(),
        rotation=torch.eye(components, dtype=torch.float32, device="cpu"),
        low=zeros,
        high=zeros,
    )


def _percentile(ordered: Tensor, percent: float) -> Tensor:
    """Percentile of (N, K) rising values, (K,), with numpy's linear interpolation."""
    position = (len(ordered) - 1) * percent / 100
    low = int(position)
    return torch.lerp(ordered[low], ordered[min(low + 1, len(ordered) - 1)], position - low)


@plain_torch()
def split_foreground(grids: Iterable[Tensor]) -> ForegroundSplit:
    """Divide the patches by their first component, and choose the side with fewer patches at the borders.

    Args:
        grids: (gh, gw, D) features, on any one device. They are read twice.

    Raises:
        FeatureError: for too few patches, or features that do not vary.
    """
    moments = Moments()
    for grid in grids:
        moments.add(grid.flatten(0, -2).float())
    first = _basis_of(moments, 1)
    direction = first.components[0]
    parts, borders = [], []
    for grid in grids:
        parts.append(((grid.float() - first.mean.to(grid.device)) @ direction.to(grid.device)).flatten())
        border = torch.ones(grid.shape[:2], dtype=torch.bool, device="cpu")
        border[1:-1, 1:-1] = False
        borders.append(border.flatten())
    projected, border = torch.cat(parts).cpu(), torch.cat(borders)
    threshold = otsu_threshold(projected)
    above = projected > threshold
    if above[border].float().mean() > above.float().mean():  # the upper side is the background
        return ForegroundSplit(first.mean, -direction, -threshold)
    return ForegroundSplit(first.mean, direction, threshold)


def otsu_threshold(values: Tensor) -> float:
    """Find the threshold that makes the variance between the two groups largest (Otsu 1979).

    Args:
        values: (N,) numbers that are not all equal, on any device.

    Returns:
        The upper edge of the last of 256 bins in the lower group.
    """
    values = values.float().cpu()
    low, high = float(values.min()), float(values.max())
    counts = torch.histc(values, HISTOGRAM_BINS, low, high).double()
    width = (high - low) / HISTOGRAM_BINS
    centres = low + (torch.arange(HISTOGRAM_BINS, dtype=torch.float64, device="cpu") + 0.5) * width
    below = counts.cumsum(0)
    mass = (counts * centres).cumsum(0)
    above = below[-1] - below
    between = below * above * (mass / below.clamp_min(1) - (mass[-1] - mass) / above.clamp_min(1)) ** 2
    return low + (int(between.argmax()) + 1) * width
