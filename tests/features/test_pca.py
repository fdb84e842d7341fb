import io
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA

from densezero.errors import FeatureError
from densezero.features import (
    COLOR_MAPPINGS,
    first_component,
    fit_pca,
    load_bases,
    load_basis,
    save_bases,
    save_basis,
    to_rgb,
)
from densezero.features.basis import choose_basis
from densezero.features.pca import Moments, otsu_threshold, with_percentiles


def saved(basis):
    file = io.BytesIO()
    save_basis(basis, file)
    return file.getvalue()


def scene(side=12):
    """An object of one kind in the middle of a ground of another, with a little noise."""
    grid = torch.randn(side, side, 5, generator=torch.Generator().manual_seed(3)) * 0.1
    grid[4:8, 4:8, 0] += 5
    return grid


def test_four_points_on_a_cross_worked_out_by_hand():
    # Sums of squares 2 * 4 and 2 * 1 over n - 1 = 3: variances 8/3 and 2/3, shares 0.8 and 0.2.
    grid = torch.tensor([[[2.0, 0], [-2, 0]], [[0, 1], [0, -1]]]) + 5
    basis = fit_pca([grid], components=2)
    torch.testing.assert_close(basis.mean, torch.tensor([5.0, 5]))
    torch.testing.assert_close(basis.components, torch.eye(2))
    torch.testing.assert_close(basis.deviation, torch.tensor([8 / 3, 2 / 3]).sqrt())
    torch.testing.assert_close(basis.explained, torch.tensor([0.8, 0.2]))
    torch.testing.assert_close(basis.coordinates(grid)[0, 0], torch.tensor([2 / (8 / 3) ** 0.5, 0]))


@pytest.mark.parametrize("seeds", [[0], [1, 2, 3]])
def test_a_basis_equals_scikit_learns_up_to_sign(random_grid, seeds):
    grids = [random_grid(8, 9 + seed, seed=seed) for seed in seeds]
    tokens = torch.cat([grid.flatten(0, 1) for grid in grids]).double().numpy()
    theirs = PCA(3, whiten=True).fit(tokens)
    ours = fit_pca(grids)
    signs = np.sign((ours.components.numpy() * theirs.components_).sum(1))
    np.testing.assert_allclose(ours.components, theirs.components_ * signs[:, None], atol=1e-5)
    np.testing.assert_allclose(ours.explained, theirs.explained_variance_ratio_, rtol=1e-5)
    coordinates = torch.cat([ours.coordinates(grid).flatten(0, 1) for grid in grids])
    np.testing.assert_allclose(coordinates, theirs.transform(tokens) * signs, atol=1e-4)
    np.testing.assert_allclose(ours.low, np.percentile(coordinates, 1, axis=0), rtol=1e-5)
    np.testing.assert_allclose(ours.high, np.percentile(coordinates, 99, axis=0), rtol=1e-5)


def test_halves_fitted_together_give_the_colours_of_the_whole(random_grid):
    grid = random_grid()
    whole, halves = fit_pca([grid]), fit_pca([grid[:3], grid[3:]])
    for name in COLOR_MAPPINGS:
        np.testing.assert_allclose(to_rgb(halves, grid, name), to_rgb(whole, grid, name), atol=1e-5)


def test_moments_of_parts_equal_those_of_the_whole(random_grid):
    tokens = random_grid(7, 11).flatten(0, 1)
    moments = Moments()
    for part in tokens.split([1, 30, 0, 46]):
        moments.add(part)
    assert moments.count == 77
    np.testing.assert_allclose(moments.mean, tokens.double().numpy().mean(0), rtol=1e-12)
    np.testing.assert_allclose(moments.scatter / 76, np.cov(tokens.double().numpy().T), rtol=1e-10)


def test_the_largest_entry_of_a_component_is_positive(random_grid):
    for seed in range(5):
        axes = fit_pca([random_grid(seed=seed)], components=4).components
        assert (axes.gather(1, axes.abs().argmax(1, keepdim=True)) > 0).all()


def test_the_foreground_is_the_object_in_the_middle():
    grid = scene()
    basis = fit_pca([grid], foreground=True)
    expected = torch.zeros(12, 12, dtype=torch.bool)
    expected[4:8, 4:8] = True
    assert torch.equal(basis.foreground(grid), expected)
    assert torch.equal(basis.foreground(grid), fit_pca([-grid], foreground=True).foreground(-grid))
    torch.testing.assert_close(basis.mean, grid[expected].mean(0))
    rgb = to_rgb(basis, grid)
    assert (rgb[~expected.numpy()] == 1).all()
    assert (rgb[expected.numpy()] < 1).all()
    assert (first_component(basis, grid)[~expected.numpy()] == 0).all()
    np.testing.assert_allclose(
        basis.low, np.percentile(basis.coordinates(grid)[expected].numpy(), 1, axis=0), rtol=1e-5
    )


def test_otsus_threshold_lies_between_two_values_by_hand():
    # Values 0 and 1 in 256 bins: the first bin alone is the lower group, its upper edge is 1/256.
    assert otsu_threshold(torch.tensor([0.0, 0, 0, 1])) == pytest.approx(1 / 256)


def test_otsus_threshold_equals_a_slow_search_and_scikit_image():
    rng = np.random.default_rng(0)
    values = np.concatenate([rng.normal(0, 1, 300), rng.normal(4, 0.7, 200)]).astype(np.float32)
    ours, width = otsu_threshold(torch.from_numpy(values)), float(np.ptp(values)) / 256
    between = {}
    for edge in values.min() + width * np.arange(1, 256):
        low, high = values[values <= edge], values[values > edge]
        between[edge] = len(low) * len(high) * (low.mean() - high.mean()) ** 2
    assert ours == pytest.approx(max(between, key=between.get), abs=4 * width)  # bins stand for their values
    filters = pytest.importorskip("skimage.filters", reason="needs scikit-image")
    assert ours == pytest.approx(filters.threshold_otsu(values, nbins=256), abs=1.01 * width)


def test_a_stored_basis_comes_back_exactly(tmp_path, random_grid):
    grid = random_grid()
    encoder = SimpleNamespace(name="tower", weights_hash="a" * 64)
    for foreground in (False, True):
        basis = fit_pca([grid], foreground=foreground).made_with(encoder, "value")
        (tmp_path / "basis").write_bytes(saved(basis))
        loaded = load_basis(tmp_path / "basis")
        assert np.array_equal(to_rgb(loaded, grid, "percentile"), to_rgb(basis, grid, "percentile"))
        assert (loaded.encoder, loaded.weights_sha256, loaded.readout) == ("tower", "a" * 64, "value")
        assert (loaded.foreground_split is None) == (not foreground)
        assert saved(loaded) == saved(basis)


def test_the_same_features_give_the_same_bytes(random_grid):
    assert saved(fit_pca([random_grid()], foreground=True)) == saved(fit_pca([random_grid()], foreground=True))


def test_percentiles_are_those_of_the_grids_given_last(random_grid):
    grid, other = random_grid(), random_grid(seed=1)
    basis = fit_pca([grid])
    anew = with_percentiles(basis, [other])
    np.testing.assert_allclose(anew.high, np.percentile(basis.coordinates(other).reshape(-1, 3), 99, axis=0), rtol=1e-5)


def test_the_color_mappings_by_hand(random_grid):
    # On one axis: the coordinate 0.5 is the logistic of 1, and lies at 3/4 from -1 to 1.
    basis = replace(
        fit_pca([random_grid(width=3)]), mean=torch.zeros(3), components=torch.eye(3), deviation=torch.ones(3),
        low=-torch.ones(3), high=torch.ones(3),
    )  # fmt: skip
    grid = torch.tensor([[[0.5, 0, -9]]])
    np.testing.assert_allclose(to_rgb(basis, grid)[0, 0], [0.731059, 0.5, 0], atol=1e-6)
    np.testing.assert_allclose(to_rgb(basis, grid, "percentile")[0, 0], [0.75, 0.5, 0])
    assert first_component(basis, grid, "percentile").tolist() == [[0.75]]


@pytest.mark.parametrize(
    ("grid", "components", "message"),
    [
        (torch.rand(1, 3, 8), 3, "got 3 patches for 3 components"),
        (torch.full((5, 5, 8), 0.1), 3, "vary along 0"),
        (torch.rand(5, 5, 2), 3, "vary along 2"),
        (torch.rand(5, 5, 8), 0, "at least 1 component; got 0"),
    ],
)
def test_features_that_give_no_basis_are_refused(grid, components, message):
    with pytest.raises(FeatureError, match=message):
        fit_pca([grid], components)


def test_a_grid_of_one_colour_has_no_foreground():
    with pytest.raises(FeatureError, match="vary along 0"):
        fit_pca([torch.full((5, 5, 8), 0.1)], foreground=True)


def test_what_does_not_fit_a_basis_is_refused(random_grid):
    basis = fit_pca([random_grid()])
    with pytest.raises(FeatureError, match="width 6, as the basis has; got 7"):
        basis.coordinates(random_grid(width=7))
    with pytest.raises(FeatureError, match=r"'sigmod'.*Did you mean 'sigmoid'"):
        to_rgb(basis, random_grid(), "sigmod")
    with pytest.raises(FeatureError, match="at least 3 components; got 2"):
        to_rgb(fit_pca([random_grid()], 2), random_grid())


def test_a_basis_belongs_to_one_encoder_and_read_out(random_grid):
    made = [
        replace(fit_pca([random_grid()]), encoder=name, weights_sha256=sha256, readout=readout)
        for name, sha256, readout in (("a", "1" * 64, "patch"), ("a", "1" * 64, "value"), ("b", "2" * 64, "patch"))
    ]
    assert choose_basis(made, "a", "1" * 64, "value") is made[1]
    assert choose_basis(made, "b", "2" * 64, "patch") is made[2]
    for sha256, readout in (("2" * 64, "value"), ("3" * 64, "patch")):
        with pytest.raises(FeatureError, match=r"a \(111111111111\) with 'patch'.*got c "):
            choose_basis(made, "c", sha256, readout)


def test_several_bases_come_back_from_one_file_and_one_is_no_list(tmp_path, random_grid):
    plain = fit_pca([random_grid()])
    with_rule = replace(fit_pca([random_grid()], foreground=True), encoder="b", readout="value")
    for name, bases in (("one", [plain]), ("two", [plain, with_rule])):
        with (tmp_path / name).open("wb") as file:
            save_bases(bases, file)
        loaded = load_bases(tmp_path / name)
        assert [basis.encoder for basis in loaded] == [basis.encoder for basis in bases]
        for given, back in zip(bases, loaded, strict=True):
            assert torch.equal(given.components, back.components)
            assert (given.weights_sha256, given.readout) == (back.weights_sha256, back.readout)
            assert (given.foreground_split is None) == (back.foreground_split is None)
    assert torch.equal(load_basis(tmp_path / "one").mean, plain.mean)
    with pytest.raises(FeatureError, match="it holds 2"):
        load_basis(tmp_path / "two")


def test_a_file_that_is_no_basis_is_refused(tmp_path, random_grid):
    from safetensors.torch import save

    basis = fit_pca([random_grid()])
    whole = saved(basis)
    broken = replace(basis, low=torch.full((3,), float("nan")))
    foreign = save({"weight": torch.ones(2)}), save({"weight": torch.ones(2)}, {"densezero": '{"format": "another"}'})
    contents = [b"", whole[:40], whole[:-4], *foreign, saved(broken), saved(replace(basis, rotation=torch.eye(2)))]
    for content in contents:
        (tmp_path / "basis").write_bytes(content)
        with pytest.raises(FeatureError, match="Expected a basis that --save-basis wrote"):
            load_basis(tmp_path / "basis")
    with pytest.raises(FeatureError, match="missing"):
        load_basis(tmp_path / "missing")
