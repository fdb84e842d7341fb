import numpy as np
import pytest
import torch
import torch.nn.functional as F
from sklearn.cluster import KMeans

from densezero.errors import FeatureError
from densezero.features import Clusters, fit_clusters
from densezero.features.clusters import load_clusters, save_clusters


def blobs(sizes=(10, 40, 30), seed=0):
    """One row of patches along the axes, so many of each and shuffled, and which each one is."""
    generator = torch.Generator().manual_seed(seed)
    kinds = torch.arange(len(sizes)).repeat_interleave(torch.tensor(sizes))
    kinds = kinds[torch.randperm(len(kinds), generator=generator)]
    lengths = 1 + 5 * torch.rand(len(kinds), 1, generator=generator)  # directions count, lengths do not
    noise = 0.05 * torch.randn(len(kinds), 4, generator=generator)
    return (lengths * (F.one_hot(kinds, 4) + noise))[None], kinds


def test_separate_blobs_are_found_and_numbered_by_falling_size():
    grid, kinds = blobs()
    labels = fit_clusters([grid], 3).labels(grid)[0]
    assert labels.tolist() == np.array([2, 0, 1])[kinds.numpy()].tolist()


def test_the_nearest_centre_counts_by_hand():
    clusters = Clusters(torch.tensor([[1.0, 0], [0, 0.5]]))
    # The second centre is short: from the unit vector at 45 degrees it is the nearer, though the cosine is one.
    assert clusters.labels(torch.tensor([[[9.0, 0], [0, 2], [1, 1]]])).tolist() == [[0, 1, 1]]


def test_labels_equal_scikit_learns_on_unit_vectors(random_grid):
    grid = random_grid() - 3
    units = F.normalize(grid, dim=-1).flatten(0, 1).numpy()
    theirs = KMeans(4, n_init=1, random_state=0).fit(units)
    assert np.array_equal(
        Clusters(torch.from_numpy(theirs.cluster_centers_)).labels(grid).ravel(), theirs.predict(units)
    )


def test_the_same_seed_gives_the_same_centres(random_grid):
    first, second = (fit_clusters([random_grid(), random_grid(seed=1)], 5, seed=3) for _ in range(2))
    assert torch.equal(first.centres, second.centres)


def test_stored_clusters_come_back_exactly(tmp_path, random_grid):
    clusters = fit_clusters([random_grid()], 4)
    with (tmp_path / "clusters").open("wb") as file:
        save_clusters(clusters, file)
    assert torch.equal(load_clusters(tmp_path / "clusters").centres, clusters.centres)


def test_what_cannot_be_clustered_is_refused(tmp_path):
    with pytest.raises(FeatureError, match="at least 2 clusters; got 1"):
        fit_clusters([torch.rand(4, 4, 3)], 1)
    two = torch.tensor([[[1.0, 0], [0, 1], [2, 0], [0, 3]]])
    with pytest.raises(FeatureError, match="at least 3 different patches for 3 clusters; got 2"):
        fit_clusters([two], 3)
    with pytest.raises(FeatureError, match="width 4; got 5"):
        fit_clusters([blobs()[0]], 3).labels(torch.ones(1, 1, 5))
    (tmp_path / "broken").write_bytes(b"no clusters")
    with pytest.raises(FeatureError, match="Expected clusters in"):
        load_clusters(tmp_path / "broken")
