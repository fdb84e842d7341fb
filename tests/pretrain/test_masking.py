import numpy as np
import pytest

from densezero.pretrain.data import block_mask


@pytest.mark.parametrize("hw", [(8, 8), (16, 16), (1, 7), (7, 1), (3, 5), (1, 1), (2, 2)])
@pytest.mark.parametrize("ratio", [0.0, 0.1, 0.5, 0.75, 0.99, 1.0])
def test_exactly_the_wanted_number_of_patches_is_masked(hw, ratio):
    for seed in range(30):
        mask = block_mask(np.random.default_rng(seed), *hw, ratio)
        assert mask.shape == hw
        assert mask.dtype == bool
        assert mask.sum() == round(ratio * hw[0] * hw[1])


def test_no_patch_or_every_patch():
    rng = np.random.default_rng(0)
    assert not block_mask(rng, 4, 6, 0).any()
    assert block_mask(rng, 4, 6, 1).all()


def test_the_same_generator_state_gives_the_same_mask_and_masks_differ():
    masks = [block_mask(np.random.default_rng(seed), 16, 16, 0.5) for seed in (1, 1, 2)]
    assert np.array_equal(masks[0], masks[1])
    assert not np.array_equal(masks[0], masks[2])


def neighbours_alike(mask):
    return (np.mean(mask[1:] == mask[:-1]) + np.mean(mask[:, 1:] == mask[:, :-1])) / 2


@pytest.mark.parametrize("ratio", [0.3, 0.75])
def test_masked_patches_lie_in_blocks(ratio):
    rng = np.random.default_rng(0)
    blocks = np.mean([neighbours_alike(block_mask(rng, 16, 16, ratio)) for _ in range(60)])
    scattered = ratio**2 + (1 - ratio) ** 2  # two patches at random are both masked, or both not
    assert blocks > scattered + 0.2


def test_every_patch_is_masked_sometimes_and_seen_sometimes():
    rng = np.random.default_rng(0)
    share = np.mean([block_mask(rng, 8, 8, 0.75) for _ in range(300)], axis=0)
    assert share.min() > 0.3
    assert share.max() < 0.97
