import numpy as np
import pytest
import torch
from sklearn.metrics.pairwise import cosine_similarity

from densezero.errors import FeatureError
from densezero.features import point_similarity


def test_cosines_with_the_patch_of_a_point_by_hand():
    grid = torch.tensor([[[2.0, 0], [0, 1]], [[1, 1], [-3, 0]]])
    np.testing.assert_allclose(point_similarity(grid, (0.2, 0.2)), [[1, 0], [0.5**0.5, -1]], atol=1e-6)


def test_similarity_equals_scikit_learns_and_the_border_belongs_to_the_last_patch(random_grid):
    grid = random_grid(4, 5) - 3
    flat = grid.flatten(0, 1).numpy()
    for point, place in {(0, 0): 0, (1, 1): 19, (0.39, 0.5): 11, (0.41, 0.49): 7}.items():
        made = point_similarity(grid, point)
        np.testing.assert_allclose(made.ravel(), cosine_similarity(flat, flat[[place]])[:, 0], atol=1e-6)
        np.testing.assert_allclose(point_similarity(grid * 7, point), made, atol=1e-6)


@pytest.mark.parametrize("point", [(-0.1, 0.5), (0.5, 1.01), (float("nan"), 0.5)])
def test_a_point_outside_the_image_is_refused(point):
    with pytest.raises(FeatureError, match="a point within the image"):
        point_similarity(torch.ones(2, 2, 3), point)
