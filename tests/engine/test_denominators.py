"""The softmax's denominators: as if every exponential of every pixel had been added up."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from numpy.polynomial import Polynomial

from densezero.engine import denominators
from densezero.engine.denominators import smallest_degree, softmax_denominators


def added_up(grid, hw):
    return F.interpolate(grid[None].double(), size=hw, mode="bilinear", align_corners=False)[0].exp().sum(0)


def cosines(words, gh, gw, seed=0):
    return (2 * torch.rand(words, gh, gw, generator=torch.Generator().manual_seed(seed)) - 1).clamp(-1, 1)


@pytest.mark.parametrize("spread", [0.0, 0.02, 0.1, 0.4, 1.0])
@pytest.mark.parametrize(
    ("gh", "gw", "hw"), [(8, 8, (112, 112)), (1, 6, (14, 90)), (5, 1, (70, 3)), (6, 7, (6, 7)), (9, 9, (4, 5))]
)
def test_denominators_equal_the_sum_of_all_exponentials(gh, gw, hw, spread):
    for words in (1, 30):
        grid = spread * cosines(words, gh, gw)
        expected = added_up(grid, hw)
        error = (softmax_denominators(grid, hw).double() - expected).abs() / expected
        assert float(error.max()) < 1.5e-6


def test_denominators_worked_out_by_hand():
    # Two patches whose cosines are 0 and 1: the four columns lie at 0, 0.25, 0.75 and 1 of the way.
    found = softmax_denominators(torch.tensor([[[0.0, 1.0]], [[0.0, 0.0]]]), (1, 4))
    expected = torch.tensor([[1 + math.exp(share) for share in (0, 0.25, 0.75, 1)]])
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=0)


def test_the_softmax_sums_to_one_at_every_pixel():
    grid = 0.3 * cosines(40, 7, 9)
    up = F.interpolate(grid[None], size=(98, 126), mode="bilinear", align_corners=False)[0]
    total = (up.exp() / softmax_denominators(grid, (98, 126))).sum(0)
    torch.testing.assert_close(total, torch.ones(98, 126), rtol=0, atol=2e-6)


def test_the_order_of_the_classes_changes_nothing_but_the_last_digit():
    grid = 0.3 * cosines(40, 7, 9)
    straight, turned = softmax_denominators(grid, (98, 126)), softmax_denominators(grid.flip(0), (98, 126))
    torch.testing.assert_close(straight, turned, rtol=1e-6, atol=0)


def test_rougher_grids_take_higher_degrees():
    degrees = [smallest_degree((spread * cosines(20, 8, 8)).permute(1, 2, 0)) for spread in (0.001, 0.1, 0.5, 1.0)]
    assert degrees == sorted(degrees)
    assert degrees[0] == 2 < degrees[-1] < denominators.MAX_DEGREE


@pytest.mark.parametrize("step", [0.05, 0.3, 1.0])
def test_the_bound_holds_for_the_worst_cell(step):
    """One class whose score climbs by twice the step: numpy's own interpolation through the same nodes errs less."""
    degree = smallest_degree(torch.tensor([[[-step], [step]]]))
    nodes = -np.cos(np.pi * np.arange(degree + 1) / degree)
    fitted = Polynomial.fit(nodes, np.exp(step * nodes), degree, domain=[-1, 1])
    places = np.linspace(-1, 1, 999)
    assert np.abs(fitted(places) / np.exp(step * places) - 1).max() < denominators.TOLERANCE
