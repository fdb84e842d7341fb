import numpy as np
import pytest
import torch
from scipy.linalg import orthogonal_procrustes

from densezero.errors import FeatureError
from densezero.features import Alignment, fit_pca
from densezero.features.pca import with_percentiles


def test_a_quarter_turn_is_found_by_hand():
    alignment = Alignment(2)
    alignment.add(torch.tensor([[1.0, 0], [0, 2]]), torch.tensor([[0, 1.0], [-2, 0]]))
    torch.testing.assert_close(alignment.rotation(), torch.tensor([[0.0, 1], [-1, 0]]))


def test_the_turn_equals_scipys_and_is_orthogonal():
    source, target = torch.randn(2, 5, 8, 3, generator=torch.Generator().manual_seed(0)).double()
    alignment = Alignment()
    alignment.add(source[:2], target[:2])
    alignment.add(source[2:], target[2:])
    theirs, _ = orthogonal_procrustes(source.reshape(-1, 3).numpy(), target.reshape(-1, 3).numpy())
    np.testing.assert_allclose(alignment.rotation(), theirs, atol=1e-6)
    torch.testing.assert_close(alignment.rotation() @ alignment.rotation().T, torch.eye(3))


def test_an_encoder_that_sees_the_same_turned_gets_the_colours_of_the_first(random_grid):
    grid = random_grid()
    mix, _ = torch.linalg.qr(torch.randn(6, 6, generator=torch.Generator().manual_seed(1)))
    other = grid @ mix
    target, source = fit_pca([grid]), fit_pca([other])
    alignment = Alignment()
    alignment.add(source.coordinates(other), target.coordinates(grid))
    aligned = with_percentiles(alignment.align(source), [other])
    torch.testing.assert_close(aligned.coordinates(other), target.coordinates(grid), atol=1e-4, rtol=0)
    torch.testing.assert_close(aligned.low, target.low, atol=1e-4, rtol=0)
    torch.testing.assert_close(aligned.high, target.high, atol=1e-4, rtol=0)


def test_coordinates_on_two_grids_are_refused():
    with pytest.raises(FeatureError, match=r"\(2, 3, 3\) and \(3, 2, 3\)"):
        Alignment().add(torch.ones(2, 3, 3), torch.ones(3, 2, 3))
