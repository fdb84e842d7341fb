"""The softmax's denominators: as if every exponential of every pixel had been added up."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from numpy.polynomial import Polynomial

from densezero.engine import denominators
from densezero.engine.denominators import parts_of_a_cell, softmax_denominators


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


def test_rougher_grids_are_cut_into_more_parts():
    parts = [parts_of_a_cell((spread * cosines(20, 8, 8)).permute(1, 2, 0)) for spread in (0.001, 0.1, 0.5, 1.0)]
    assert parts == sorted(parts)
    assert parts[0] == 1 < parts[-1] < 40


@pytest.mark.parametrize("step", [0.05, 0.3, 1.0])
def test_the_bound_holds_for_the_worst_cell(step):
    """One class whose score climbs by twice the step: numpy's own cubic through the same places errs less."""
    parts = parts_of_a_cell(torch.tensor([[[-step], [step]]]))
    fitted = Polynomial.fit([-1, -1 / 3, 1 / 3, 1], np.exp(step / parts * np.array([-1, -1 / 3, 1 / 3, 1])), 3)
    places = np.linspace(-1, 1, 999)
    assert np.abs(fitted(places) / np.exp(step / parts * places) - 1).max() < denominators.TOLERANCE


def test_what_is_no_number_stays_one():
    grid = torch.full((3, 2, 2), torch.nan)
    assert bool(softmax_denominators(grid, (9, 9)).isnan().all())


@pytest.mark.parametrize("chunk", [1, 10**9])
def test_rows_at_once_change_nothing(chunk, monkeypatch):
    grid = 0.3 * cosines(40, 7, 9)
    expected = softmax_denominators(grid, (98, 126))
    monkeypatch.setattr(denominators, "CHUNK", chunk)
    torch.testing.assert_close(softmax_denominators(grid, (98, 126)), expected, rtol=3e-7, atol=0)
