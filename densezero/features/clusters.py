"""k-means of patch features: segments without class names."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from densezero.encoders.device import plain_torch, to_numpy
from densezero.errors import FeatureError

FIT_PATCHES = 20_000
"""The most patches that centres are fitted to, chosen evenly from all patches."""
_RESTARTS = 4


@dataclass(frozen=True)
class Clusters:
    """Centres of k clusters of unit vectors.

    Args:
        centres: (k, D) float32 on the processor. The mean of unit vectors is shorter than 1.
    """

    centres: Tensor

    @plain_torch()
    def labels(self, grid: Tensor) -> NDArray[np.int64]:
        """Find the nearest centre of each feature.

        Args:
            grid: (..., D) features, on any device.

        Returns:
            (...) index of the centre, 0 to k - 1.

        Raises:
            FeatureError: if the features have another width than the centres.
        """
        if grid.shape[-1] != self.centres.shape[1]:
            raise FeatureError(f"Expected features of width {self.centres.shape[1]}; got {grid.shape[-1]}.")
        centres = self.centres.to(grid.device)
        units = F.normalize(grid.float(), dim=-1)
        nearness = units @ centres.T - centres.square().sum(1) / 2  # largest where the distance is smallest
        return to_numpy(nearness.argmax(-1))


@plain_torch()
def fit_clusters(grids: Iterable[Tensor], count: int = 6, seed: int = 0) -> Clusters:
    """Fit k-means to the directions of the features of all grids, with scikit-learn.

    Args:
        grids: (gh, gw, D) features, on any one device. They are read twice: pass a list or a view of a ``DiskCache``,
            not a generator.
        count: number of clusters k, at least 2.
        seed: random seed. The same seed, features and machine give the same clusters.

    Returns:
        The clusters, ordered by falling size.

    Raises:
        FeatureError: for fewer than 2 clusters, or fewer different patches than clusters.
    """
    from sklearn.cluster import KMeans
    from threadpoolctl import threadpool_limits

    if count < 2:
        raise FeatureError(f"Expected at least 2 clusters; got {count}.")
    patches = sum(grid.shape[:-1].numel() for grid in grids)
    step = max(1, -(-patches // FIT_PATCHES))
    chosen = torch.cat([F.normalize(grid.flatten(0, -2)[::step].float(), dim=-1) for grid in grids]).cpu()  # (N, D)
    distinct = len(torch.unique(chosen, dim=0))
    if distinct < count:
        raise FeatureError(
            f"Expected at least {count} different patches for {count} clusters; got {distinct}. "
            "Ask for fewer clusters, or take a larger grid."
        )
    with threadpool_limits(
        1, user_api="openmp"
    ):  # several threads add in a changing order, which changes the last bits
        fitted = KMeans(count, n_init=_RESTARTS, random_state=seed).fit(chosen.numpy())
    by_size = np.argsort(-np.bincount(fitted.labels_, minlength=count), kind="stable")
    return Clusters(torch.from_numpy(fitted.cluster_centers_[by_size]))


def save_clusters(clusters: Clusters, file: BinaryIO) -> None:
    """Write clusters as safetensors."""
    from safetensors.torch import save

    file.write(save({"centres": clusters.centres.contiguous()}))


def load_clusters(path: str | Path) -> Clusters:
    """Read clusters that ``save_clusters`` wrote.

    Raises:
        FeatureError: if the file is missing or does not contain clusters.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return Clusters(load_file(str(path))["centres"])
    except (OSError, SafetensorError, KeyError) as error:
        raise FeatureError(f"Expected clusters in {path}; it cannot be read ({type(error).__name__}).") from None
