"""k-means of patch features: segments without words."""

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

from densezero.errors import FeatureError

FIT_PATCHES = 20_000
"""Patches that the centres are fitted to, spread evenly over all; every patch is then given to its nearest."""
_RESTARTS = 4


@dataclass(frozen=True)
class Clusters:
    """Centres of k clusters on the unit sphere.

    Args:
        centres: (k, D) float32, of any length.
    """

    centres: Tensor

    def labels(self, grid: Tensor) -> NDArray[np.int64]:
        """Give each feature its nearest centre.

        Args:
            grid: (..., D) features.

        Returns:
            (...) index of the centre, 0 to k - 1.

        Raises:
            FeatureError: if the features have another width than the centres.
        """
        if grid.shape[-1] != self.centres.shape[1]:
            raise FeatureError(f"Expected features of width {self.centres.shape[1]}; got {grid.shape[-1]}.")
        units = F.normalize(grid.float(), dim=-1)
        nearness = units @ self.centres.T - self.centres.square().sum(1) / 2  # falls with the distance
        labels: NDArray[np.int64] = nearness.argmax(-1).numpy()
        return labels


def fit_clusters(grids: Iterable[Tensor], count: int = 6, seed: int = 0) -> Clusters:
    """Fit k-means to the directions of features, all grids together, with scikit-learn.

    Args:
        grids: (gh, gw, D) features each; gone through twice, so a list or a ``Spool``, not a generator.
        count: clusters k, at least 2.
        seed: the same seed, features and machine give the same clusters.

    Returns:
        The clusters, numbered by falling size.

    Raises:
        FeatureError: for fewer than 2 clusters, or fewer distinct patches than clusters.
    """
    from sklearn.cluster import KMeans
    from threadpoolctl import threadpool_limits

    if count < 2:
        raise FeatureError(f"Expected at least 2 clusters; got {count}.")
    patches = sum(grid.shape[:-1].numel() for grid in grids)
    step = max(1, -(-patches // FIT_PATCHES))
    chosen = torch.cat([F.normalize(grid.flatten(0, -2)[::step].float(), dim=-1) for grid in grids])
    distinct = len(torch.unique(chosen, dim=0))
    if distinct < count:
        raise FeatureError(
            f"Expected at least {count} distinct patches for {count} clusters; got {distinct}. Ask for fewer clusters, "
            "or take a larger grid."
        )
    with threadpool_limits(1, user_api="openmp"):  # threads add in any order: the last bits would differ
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
        FeatureError: if the file is missing or holds none.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return Clusters(load_file(str(path))["centres"])
    except (OSError, SafetensorError, KeyError) as error:
        raise FeatureError(f"Expected clusters in {path}; it cannot be read ({type(error).__name__}).") from None
