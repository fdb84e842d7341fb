"""A caller's torch settings (numeric type, device, autocast) do not change any result."""

import numpy as np
import pytest
import torch

from densezero.features import (
    Alignment,
    encode_grid,
    first_component,
    fit_clusters,
    fit_pca,
    load_basis,
    point_similarity,
    save_basis,
    to_rgb,
    upsample,
)
from densezero.features.clusters import load_clusters, save_clusters
from densezero.features.pca import Moments, otsu_threshold, with_percentiles
from tests.conftest import callers_torch_settings
from tests.engine.conftest import ColourEncoder


def grid_of(seed, side=40, width=6):  # enough patches for close decisions
    noise = torch.randn(side, side, width, generator=torch.Generator().manual_seed(seed))
    return noise * torch.arange(width, 0.0, -1) + 3


GRIDS = [grid_of(0), grid_of(1)]
BASIS = fit_pca(GRIDS)
SPLIT_BASIS = fit_pca(GRIDS, foreground=True)
CLUSTERS = fit_clusters(GRIDS, 3)
RGB = np.random.default_rng(0).integers(0, 256, (30, 40, 3), np.uint8)
ENCODER = ColourEncoder()
VALUES = np.random.default_rng(1).random((5, 6, 3), np.float32)


def parts_of(basis):
    split = basis.foreground_split
    tensors = [basis.mean, basis.components, basis.deviation, basis.explained, basis.rotation, basis.low, basis.high]
    return (
        tensors
        if split is None
        else [*tensors, split.mean, split.direction, torch.tensor([split.threshold], dtype=torch.float64, device="cpu")]
    )


def moments():
    made = Moments()
    for grid in GRIDS:
        made.add(grid.flatten(0, 1))
    return [made.mean, made.scatter]


def alignment():
    made = Alignment()
    made.add(GRIDS[0][..., :3], GRIDS[1][..., 2:5])
    return made


WORK = {
    "encode_grid": lambda: [encode_grid(ENCODER, RGB, grid_side=7)],
    "encode_grid in windows": lambda: [encode_grid(ENCODER, RGB, grid_side=7, window_side=3)],
    "fit_pca": lambda: parts_of(fit_pca(GRIDS))[:-2],
    "fit_pca and its percentiles": lambda: parts_of(fit_pca(GRIDS))[-2:],
    "fit_pca of the foreground": lambda: parts_of(fit_pca(GRIDS, foreground=True)),
    "with_percentiles": lambda: parts_of(with_percentiles(BASIS, GRIDS[1:])),
    "Moments": moments,
    "coordinates": lambda: [BASIS.coordinates(GRIDS[0])],
    "foreground": lambda: [SPLIT_BASIS.foreground(GRIDS[0])],
    "to_rgb": lambda: [to_rgb(SPLIT_BASIS, GRIDS[0]), to_rgb(BASIS, GRIDS[0], "percentile")],
    "first_component": lambda: [first_component(SPLIT_BASIS, GRIDS[0], "percentile")],
    "fit_clusters": lambda: [fit_clusters(GRIDS, 3).centres],
    "labels": lambda: [CLUSTERS.labels(GRIDS[0])],
    "point_similarity": lambda: [point_similarity(GRIDS[0], (0.3, 0.6))],
    "Alignment": lambda: [alignment().rotation()],
    "align": lambda: parts_of(alignment().align(BASIS)),
    "nearest": lambda: [upsample(VALUES, "nearest", hw=(30, 40))],
    "bilinear": lambda: [upsample(VALUES, "bilinear", hw=(30, 40))],
    "guided": lambda: [upsample(VALUES, "guided", rgb=RGB)],
}


@pytest.mark.parametrize("name", WORK)
def test_a_callers_settings_change_no_number_no_type_and_no_device(name):
    expected = WORK[name]()
    with callers_torch_settings():
        made = WORK[name]()
        assert torch.get_default_dtype() == torch.float64 and torch.is_autocast_enabled("cpu")
    assert len(made) == len(expected) > 0
    for ours, theirs in zip(made, expected, strict=True):
        if isinstance(ours, torch.Tensor):
            assert ours.device.type == "cpu"
            ours, theirs = ours.numpy(), theirs.numpy()
        assert ours.dtype == theirs.dtype
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("name", [name for name in WORK if name not in ("nearest", "bilinear", "guided")])
def test_features_that_require_gradients_give_the_same_and_no_gradient(name, monkeypatch):
    expected = WORK[name]()
    monkeypatch.setattr(f"{__name__}.GRIDS", [grid.clone().requires_grad_() for grid in GRIDS])
    monkeypatch.setattr(ENCODER, "turn", ENCODER.turn.clone().requires_grad_())
    for ours, theirs in zip(WORK[name](), expected, strict=True):
        assert not getattr(ours, "requires_grad", False)
        np.testing.assert_array_equal(ours, theirs)


def test_a_threshold_does_not_depend_on_the_settings():
    values = GRIDS[0].flatten()
    expected = otsu_threshold(values)
    with callers_torch_settings():
        assert otsu_threshold(values) == expected


def test_what_was_stored_is_read_under_any_settings(tmp_path):
    with (tmp_path / "basis").open("wb") as file:
        save_basis(SPLIT_BASIS, file)
    with (tmp_path / "clusters").open("wb") as file:
        save_clusters(CLUSTERS, file)
    with callers_torch_settings():
        basis, clusters = load_basis(tmp_path / "basis"), load_clusters(tmp_path / "clusters")
    assert np.array_equal(to_rgb(basis, GRIDS[0], "percentile"), to_rgb(SPLIT_BASIS, GRIDS[0], "percentile"))
    assert torch.equal(clusters.centres, CLUSTERS.centres)
