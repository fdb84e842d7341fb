import io

import numpy as np
import pytest
import torch
from scipy.linalg import orthogonal_procrustes
from sklearn.metrics import adjusted_rand_score

from densezero.errors import FeatureError
from densezero.features import Alignment, Clusters, Spool, fit_clusters, fit_pca, point_similarity
from densezero.features.clusters import load_clusters, save_clusters
from densezero.features.pca import with_percentiles
from tests.features.fakes import some_grid


def test_the_turn_equals_scipys():
    source, target = some_grid(5, 8, 3, seed=1), some_grid(5, 8, 3, seed=2)
    alignment = Alignment(3)
    alignment.add(source[:2], target[:2])  # in parts
    alignment.add(source[2:], target[2:])
    expected, _ = orthogonal_procrustes(source.flatten(0, 1).numpy(), target.flatten(0, 1).numpy())
    assert np.allclose(alignment.turn().numpy(), expected, atol=1e-5)
    assert torch.allclose(alignment.turn() @ alignment.turn().T, torch.eye(3), atol=1e-6)


def test_an_aligned_basis_gives_a_turned_encoders_features_the_first_ones_coordinates():
    grid = some_grid()
    rotation = torch.linalg.qr(some_grid(1, 12, 12, seed=7)[0])[0]
    other = grid @ rotation  # the same features in another encoder's axes
    first, second = fit_pca([grid]), fit_pca([other])
    alignment = Alignment()
    alignment.add(second.coordinates(other), first.coordinates(grid))
    aligned = with_percentiles(alignment.align(second), [other])
    assert torch.allclose(aligned.coordinates(other), first.coordinates(grid), atol=1e-4)
    assert torch.allclose(aligned.low, first.low, atol=1e-4)


def test_grids_of_different_sizes_cannot_be_aligned():
    with pytest.raises(FeatureError, match="one grid"):
        Alignment().add(torch.zeros(2, 3, 3), torch.zeros(3, 3, 3))


def blobs():
    """Three directions, 60, 30 and 10 patches near them, of any length."""
    generator = torch.Generator().manual_seed(3)
    truth = torch.cat([torch.full((n,), i) for i, n in enumerate((60, 30, 10))])
    features = torch.eye(3)[truth] + 0.05 * torch.randn(100, 3, generator=generator)
    order = torch.randperm(100, generator=generator)
    return (features * torch.linspace(0.5, 2, 100)[:, None])[order].reshape(10, 10, 3), truth[order].reshape(10, 10)


def test_clear_clusters_are_found_and_numbered_by_size():
    grid, truth = blobs()
    labels = fit_clusters([grid[:5], grid[5:]], 3).labels(grid)
    assert np.array_equal(labels, truth.numpy())


def test_more_patches_than_are_fitted_still_all_get_a_cluster(monkeypatch):
    grid, truth = blobs()
    monkeypatch.setattr("densezero.features.clusters.FIT_PATCHES", 34)
    assert adjusted_rand_score(truth.numpy().ravel(), fit_clusters([grid], 3).labels(grid).ravel()) == 1


def test_the_same_features_give_the_same_clusters_and_files_keep_them(tmp_path):
    grid = some_grid(20, 20)
    first, second = fit_clusters([grid], 5), fit_clusters([grid], 5)
    assert torch.equal(first.centres, second.centres)
    buffer = io.BytesIO()
    save_clusters(first, buffer)
    (tmp_path / "c").write_bytes(buffer.getvalue())
    assert torch.equal(load_clusters(tmp_path / "c").centres, first.centres)
    with pytest.raises(FeatureError, match="clusters in"):
        load_clusters(tmp_path / "none")


def test_the_nearest_centre_wins_in_distance_and_not_in_angle_alone():
    clusters = Clusters(torch.tensor([[2.0, 0.0], [0.9, 0.3]]))
    unit = torch.tensor([[1.0, 0.1]])
    distances = [float((torch.nn.functional.normalize(unit)[0] - centre).norm()) for centre in clusters.centres]
    assert clusters.labels(unit).tolist() == [int(np.argmin(distances))] == [1]


def test_clusters_that_cannot_be_are_refused():
    with pytest.raises(FeatureError, match="at least 2 clusters"):
        fit_clusters([some_grid()], 1)
    with pytest.raises(FeatureError, match="got 1"):
        fit_clusters([torch.ones(3, 3, 4)], 2)
    with pytest.raises(FeatureError, match="width 2; got 3"):
        Clusters(torch.ones(2, 2)).labels(torch.ones(1, 3))


def test_likeness_to_a_point_by_hand():
    grid = torch.tensor([[[1.0, 0.0], [0.0, 2.0]], [[3.0, 3.0], [-1.0, 0.0]]])
    expected = [[1, 0], [0.5**0.5, -1]]
    assert np.allclose(point_similarity(grid, (0.2, 0.4)), expected)
    assert point_similarity(grid, (1.0, 1.0))[1, 1] == 1  # the corner belongs to the last patch
    with pytest.raises(FeatureError, match="within the image"):
        point_similarity(grid, (1.1, 0))


def test_a_spool_gives_back_what_it_was_given_and_leaves_nothing(monkeypatch, tmp_path):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with Spool() as spool:
        grids = {name: some_grid(seed=seed) for seed, name in enumerate("abc")}
        for name, grid in grids.items():
            spool.put(name, grid)
        assert spool.names == list("abc")
        view = spool.view(["c", "a"])
        assert len(view) == 2
        for _ in range(2):  # as often as needed
            assert [torch.equal(tensor, grids[name]) for tensor, name in zip(view, "ca", strict=True)] == [True, True]
        assert spool.get("d") is None
        assert list(tmp_path.iterdir())
    assert list(tmp_path.iterdir()) == []
