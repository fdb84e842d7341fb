import numpy as np
import pytest
import torch

from densezero.errors import FeatureError
from densezero.features import COLOR_MAPPINGS, fit_pca, to_rgb
from densezero.features.choices import Look
from densezero.features.colour import first_component, turn_matrix


@pytest.fixture
def fitted():
    grid = torch.randn(9, 7, 16, generator=torch.Generator().manual_seed(3))
    return fit_pca([grid]), grid


def test_a_third_of_a_turn_moves_red_to_green_green_to_blue_and_blue_to_red():
    turned = torch.eye(3) @ turn_matrix(120)
    np.testing.assert_allclose(turned, [[0, 1, 0], [0, 0, 1], [1, 0, 0]], atol=1e-6)


@pytest.mark.parametrize(("hue", "flip"), [(0, ()), (37, ()), (-200, (2,)), (90, (1, 3)), (360, (1, 2, 3))])
def test_a_turn_is_orthogonal_keeps_grey_and_is_undone(hue, flip):
    matrix = turn_matrix(hue, flip)
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(3), atol=1e-6)
    if not flip:
        np.testing.assert_allclose(torch.ones(3) @ matrix, np.ones(3), atol=1e-6)
        np.testing.assert_allclose(matrix @ turn_matrix(-hue), np.eye(3), atol=1e-6)
    assert float(torch.linalg.det(matrix)) == pytest.approx((-1) ** len(flip), abs=1e-5)


@pytest.mark.parametrize("name", COLOR_MAPPINGS)
def test_colours_of_a_third_turn_are_the_channels_in_another_order(fitted, name):
    basis, grid = fitted
    turned = to_rgb(basis, grid, name, turn_matrix(120))
    np.testing.assert_allclose(turned, to_rgb(basis, grid, name)[..., [2, 0, 1]], atol=1e-5)


@pytest.mark.parametrize("name", COLOR_MAPPINGS)
def test_a_mirrored_component_has_the_opposite_levels_and_the_others_stay(fitted, name):
    basis, grid = fitted
    plain, mirrored = to_rgb(basis, grid, name), to_rgb(basis, grid, name, turn_matrix(0, (1, 3)))
    np.testing.assert_allclose(mirrored[..., [0, 2]], 1 - plain[..., [0, 2]], atol=1e-5)
    np.testing.assert_allclose(mirrored[..., 1], plain[..., 1], atol=1e-6)
    level = first_component(basis, grid, name)
    np.testing.assert_allclose(first_component(basis, grid, name, flip=True), 1 - level, atol=1e-5)


def test_a_turn_that_cannot_be_is_refused():
    with pytest.raises(FeatureError, match="--flip out of 1, 2 and 3; got 0, 4"):
        Look(flip=(0, 4))
    for degrees in (400, float("nan")):
        with pytest.raises(FeatureError, match="--hue in degrees"):
            Look(hue_deg=degrees)


def test_a_request_names_only_the_colours_that_are_not_the_usual_ones():
    assert Look().changed == {}
    assert Look(hue_deg=30, flip=(2,), colormap="viridis").changed == {
        "hue_deg": 30, "flip": (2,), "colormap": "viridis",
    }  # fmt: skip
