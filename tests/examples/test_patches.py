import numpy as np
import pytest
import torch

from densezero.examples.patches import cell_weights, encode_patches
from densezero.examples.recipe import Recipe
from tests.examples.fakes import MeanColour, squares

WHOLE = Recipe(16, 4096, "down", None, 8, "value")


def slow_shares(mask, top, left, side_hw, grid_hw, input_hw):
    """The share of each patch inside a mask, by looking at very many points of each patch."""
    steps = 240
    found = np.zeros(grid_hw)
    for row in range(grid_hw[0]):
        for column in range(grid_hw[1]):
            y = top + side_hw[0] * (row + (np.arange(steps) + 0.5) / steps) / grid_hw[0]
            x = left + side_hw[1] * (column + (np.arange(steps) + 0.5) / steps) / grid_hw[1]
            rows = (y * mask.shape[0] / input_hw[0]).astype(int)
            columns = (x * mask.shape[1] / input_hw[1]).astype(int)
            found[row, column] = mask[np.ix_(rows, columns)].mean()
    return found


def test_the_share_of_a_patch_is_the_part_of_its_pixels_inside():
    patches = encode_patches(MeanColour(), squares(), WHOLE)
    mask = np.zeros((16, 16), bool)
    mask[:4, :6] = True  # all of the first patch, half of the second
    mask[4, 0] = True  # one pixel of 16 of the patch below
    shares = patches.shares(mask)
    assert shares.shape == (1, 4, 4)
    assert shares[0, 0].tolist() == [1, 0.5, 0, 0]
    assert shares[0, 1].tolist() == [1 / 16, 0, 0, 0]


@pytest.mark.parametrize(("image_hw", "short", "window"), [((23, 31), 20, None), ((31, 23), 20, 12), ((7, 9), 28, 16)])
def test_shares_agree_with_points_in_each_patch_at_any_size_and_in_windows(image_hw, short, window):
    rng = np.random.default_rng(3)
    mask = rng.random(image_hw) < 0.5
    rgb = rng.integers(0, 256, (*image_hw, 3), dtype=np.uint8)
    recipe = Recipe(short, 4096, "down", window, 8, "value")
    patches = encode_patches(MeanColour(), rgb, recipe)
    shares = patches.shares(mask)
    assert len(patches.windows) == len(shares) >= (1 if window is None else 4)
    for box, share in zip(patches.windows, shares, strict=True):
        expected = slow_shares(mask, box.top, box.left, box.hw, share.shape, patches.plan.input_hw)
        assert np.abs(share.numpy() - expected).max() < 0.02


def test_a_full_mask_fills_every_patch_and_an_empty_one_none():
    patches = encode_patches(MeanColour(), squares(), Recipe(21, 4096, "down", 12, 8, "value"))
    full = patches.shares(np.ones((16, 16), bool))
    assert torch.allclose(full, torch.ones_like(full), atol=1e-6)
    assert not patches.shares(np.zeros((16, 16), bool)).any()


def test_the_weights_of_a_cell_add_up_to_one():
    weights = cell_weights(3, 17, 20, 33, 4)
    assert np.allclose(weights.sum(1), 1, atol=1e-6)
    assert weights[:, :4].sum() == 0, "pixels before the window"
