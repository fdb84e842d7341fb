import io

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA

from densezero.errors import FeatureError
from densezero.features import first_component, fit_pca, load_basis, save_basis, to_rgb
from densezero.features.pca import Moments, otsu_threshold
from tests.features.fakes import MeanColours, some_grid


def saved(basis):
    buffer = io.BytesIO()
    save_basis(basis, buffer)
    return buffer.getvalue()


def test_two_dimensions_by_hand():
    grid = torch.tensor([[[3.0, 0.0], [-3.0, 0.0]], [[0.0, 1.0], [0.0, -1.0]]])
    basis = fit_pca([grid], components=2)
    assert basis.components.tolist() == [[1, 0], [0, 1]]
    assert basis.deviation.tolist() == pytest.approx([6**0.5, (2 / 3) ** 0.5])  # 18 / 3 and 2 / 3
    assert basis.explained.tolist() == pytest.approx([0.9, 0.1])
    assert basis.coordinates(grid)[0, 0].tolist() == pytest.approx([3 / 6**0.5, 0])


@pytest.mark.parametrize(
    "grids", [[some_grid()], [some_grid(seed=1), some_grid(4, 9, seed=2), some_grid(1, 5, seed=3)]]
)
def test_it_equals_scikit_learn_up_to_sign(grids):
    tokens = torch.cat([grid.flatten(0, 1) for grid in grids]).numpy()
    other = PCA(3, whiten=True, svd_solver="full").fit(tokens)
    basis = fit_pca(grids)
    signs = np.sign((other.components_ * basis.components.numpy()).sum(1))
    assert np.allclose(basis.components.numpy(), other.components_ * signs[:, None], atol=1e-5)
    assert np.allclose(basis.coordinates(torch.from_numpy(tokens)).numpy(), other.transform(tokens) * signs, atol=1e-4)
    assert np.allclose(basis.explained.numpy(), other.explained_variance_ratio_, atol=1e-6)


def test_the_largest_entry_of_a_component_is_positive():
    components = fit_pca([-some_grid()]).components
    assert (components.gather(1, components.abs().argmax(1, keepdim=True)) > 0).all()


def test_moments_of_parts_are_the_moments_of_the_whole():
    tokens = some_grid().flatten(0, 1)
    whole, parts = Moments(), Moments()
    whole.add(tokens)
    for part in (tokens[:3], tokens[:0], tokens[3:30], tokens[30:]):
        parts.add(part)
    assert parts.count == whole.count == 42
    assert torch.allclose(parts.mean, whole.mean)
    assert torch.allclose(parts.scatter, whole.scatter)


def test_a_picture_cut_in_halves_has_the_colours_of_the_whole():
    grid = some_grid(6, 8)
    halves = [grid[:, :4], grid[:, 4:]]
    whole, together = fit_pca([grid]), fit_pca(halves)
    joined = np.concatenate([to_rgb(together, half) for half in halves], 1)
    assert np.allclose(joined, to_rgb(whole, grid), atol=1e-5)


def test_the_same_features_give_the_same_bytes():
    assert saved(fit_pca([some_grid()], foreground=True)) == saved(fit_pca([some_grid()], foreground=True))


@pytest.mark.parametrize("foreground", [False, True])
def test_a_stored_basis_gives_the_same_colours(tmp_path, foreground):
    grid, file = some_grid(), tmp_path / "basis.safetensors"
    basis = fit_pca([grid], foreground=foreground).made_with(MeanColours(), "patch")
    file.write_bytes(saved(basis))
    again = load_basis(file)
    assert (again.encoder, again.readout) == ("means", "patch")
    for look in ("sigmoid", "percentile"):
        assert np.array_equal(to_rgb(again, grid, look), to_rgb(basis, grid, look))


def test_a_basis_of_another_encoder_or_width_is_refused():
    basis = fit_pca([some_grid()]).made_with(MeanColours(), "patch")
    basis.refuse_other(MeanColours(), "patch")
    with pytest.raises(FeatureError, match=r"'patch'; got means .* with 'value'"):
        basis.refuse_other(MeanColours(), "value")
    with pytest.raises(FeatureError, match=r"width 12.*got 5"):
        basis.coordinates(torch.zeros(2, 5))


def test_a_file_that_holds_no_basis_is_refused(tmp_path):
    whole = saved(fit_pca([some_grid()]))
    for name, content in (("cut", whole[: len(whole) // 2]), ("text", b"hello"), ("empty", b"")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(FeatureError, match="--save-basis wrote"):
            load_basis(tmp_path / name)
    with pytest.raises(FeatureError, match="nowhere"):
        load_basis(tmp_path / "nowhere")


def test_percentiles_equal_numpys():
    grid = some_grid(9, 11)
    basis = fit_pca([grid[:4], grid[4:]])
    coordinates = basis.coordinates(grid).flatten(0, 1).numpy()
    assert np.allclose(basis.low.numpy(), np.percentile(coordinates, 1, axis=0), atol=1e-5)
    assert np.allclose(basis.high.numpy(), np.percentile(coordinates, 99, axis=0), atol=1e-5)


def test_otsu_splits_two_heaps_between_them():
    values = torch.cat([torch.linspace(0, 1, 50), torch.linspace(9, 10, 30)])
    assert 1 <= otsu_threshold(values) < 9


def test_otsu_agrees_with_scikit_image():
    filters = pytest.importorskip("skimage.filters")
    values = torch.cat([torch.randn(400), 4 + torch.randn(300)])
    bin_width = float(values.max() - values.min()) / 256
    assert otsu_threshold(values) == pytest.approx(filters.threshold_otsu(values.numpy()), abs=1.01 * bin_width)


@pytest.mark.parametrize("side", [1, -1])
def test_the_foreground_is_what_keeps_off_the_borders(side):
    grid = 0.05 * some_grid(10, 12)
    grid[3:7, 4:9] += side * 20
    basis = fit_pca([grid], foreground=True)
    mask = basis.foreground(grid)
    assert mask[3:7, 4:9].all()
    assert mask.sum() == 20
    rgb = to_rgb(basis, grid)
    assert (rgb[~mask.numpy()] == 1).all()
    assert (first_component(basis, grid)[~mask.numpy()] == 0).all()


def test_the_sigmoid_look_by_hand():
    grid = some_grid()
    basis = fit_pca([grid])
    coordinate = float(basis.coordinates(grid)[2, 3, 1])
    assert to_rgb(basis, grid)[2, 3, 1] == pytest.approx(1 / (1 + np.exp(-2 * coordinate)))


def test_too_few_patches_are_refused():
    with pytest.raises(FeatureError, match="got 3 patches for 3 components"):
        fit_pca([some_grid(1, 3)])


def test_features_that_do_not_vary_are_refused():
    with pytest.raises(FeatureError, match="vary along 0"):
        fit_pca([torch.full((4, 4, 6), 0.3)])
    line = torch.arange(16.0).reshape(4, 4, 1) * torch.ones(6)
    with pytest.raises(FeatureError, match="vary along 1"):
        fit_pca([line])


def test_names_and_counts_that_do_not_exist_are_refused():
    grid = some_grid()
    with pytest.raises(FeatureError, match="Did you mean 'sigmoid'"):
        to_rgb(fit_pca([grid]), grid, "sigmod")
    with pytest.raises(FeatureError, match="at least 3 components"):
        to_rgb(fit_pca([grid], components=2), grid)
    with pytest.raises(FeatureError, match="at least 1 component"):
        fit_pca([grid], components=0)
