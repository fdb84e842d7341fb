import numpy as np
import pytest
import torch
import torch.nn.functional as F

from densezero.errors import FeatureError
from densezero.features.low_rank import ENOUGH, choose_low_rank, fit_low_rank, sample_units


def grids_of_rank(rank, count=3, hw=(7, 9), width=40, noise=0.0, seed=0):
    chance = torch.Generator().manual_seed(seed)
    mixing = torch.randn(rank, width, generator=chance)
    draws = [torch.randn(*hw, rank, generator=chance) @ mixing for _ in range(count)]
    return [3 * draw + noise * torch.randn(*hw, width, generator=chance) for draw in draws]


def test_worked_by_hand():
    """Two orthogonal directions, three patches along the first and one along the second."""
    grid = torch.tensor([[[2.0, 0, 0], [5, 0, 0], [1, 0, 0], [0, 0, 7]]])
    kept = fit_low_rank([grid], channels=2)
    assert torch.allclose(kept.directions.abs(), torch.tensor([[1.0, 0], [0, 0], [0, 1]]), atol=1e-6)
    codes = kept.encode(grid)
    assert codes.shape == (1, 4, 2) and set(codes.reshape(-1)) == {0, 255}  # each channel holds 0 and one end
    numbers = kept.decode(codes)[0]
    assert np.allclose(numbers @ numbers.T, [[1, 1, 1, 0], [1, 1, 1, 0], [1, 1, 1, 0], [0, 0, 0, 1]], atol=1e-6)


def test_directions_keep_cosines_as_well_as_any_can():
    """By Eckart and Young the left-over of the Gram matrix is the tail of the squared singular values."""
    grids = grids_of_rank(12, noise=0.5)
    units = torch.cat([F.normalize(grid.flatten(0, 1), dim=-1) for grid in grids]).double().numpy()
    singular = np.linalg.svd(units, compute_uv=False)
    for channels in (1, 5, 11):
        projected = units @ fit_low_rank(grids, channels).directions.double().numpy()
        left = np.linalg.norm(units @ units.T - projected @ projected.T)
        assert left == pytest.approx(np.sqrt((singular[channels:] ** 4).sum()), rel=1e-5)


def test_all_channels_give_the_cosines_up_to_rounding():
    grids = grids_of_rank(40)
    kept = fit_low_rank(grids)
    assert kept.directions.shape == (40, 40)
    bound = 2 * np.linalg.norm(kept.step / 2) + np.sum(kept.step**2) / 4  # of two vectors rounded to half a step
    assert 0 < kept.largest_error(sample_units(grids)) <= bound


def test_a_patch_is_compared_with_those_of_other_images():
    grids = grids_of_rank(6)
    kept, error = choose_low_rank(grids)
    numbers = [kept.decode(kept.encode(grid)).reshape(-1, len(kept.low)) for grid in grids]
    units = [F.normalize(grid.flatten(0, 1), dim=-1).numpy() for grid in grids]
    assert np.abs(numbers[0] @ numbers[2].T - units[0] @ units[2].T).max() <= error < 0.02


@pytest.mark.parametrize(("rank", "channels"), [(20, 64), (90, 96), (120, 128)])
def test_as_few_channels_as_are_exact_enough(rank, channels):
    kept, error = choose_low_rank(grids_of_rank(rank, hw=(20, 20), width=300))
    assert len(kept.low) == channels
    assert error < 2 * ENOUGH


def test_features_of_full_rank_keep_the_most_channels_and_say_their_error():
    grids = grids_of_rank(700, hw=(30, 30), width=700, count=1)
    kept, error = choose_low_rank(grids)
    assert len(kept.low) == 256
    assert error > 2 * ENOUGH


def test_equal_features_give_equal_bytes_and_no_division_by_zero():
    grid = torch.ones(2, 3, 5)
    kept, error = choose_low_rank([grid])
    assert len(set(kept.encode(grid).reshape(-1, 5).tobytes())) <= 5
    assert error < 1e-6
    assert np.isfinite(kept.step).all()


def test_no_images():
    with pytest.raises(FeatureError, match="at least one image"):
        fit_low_rank([])
