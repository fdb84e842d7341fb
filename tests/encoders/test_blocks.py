"""Features of several blocks from one pass of a TIPS tower."""

import copy

import numpy as np
import pytest
import torch

import densezero
from densezero.encoders.blocks import find_blocks
from densezero.encoders.tips import VisionConfig, VisionTower
from densezero.errors import ModelError
from tests.encoders.test_transformers_oracle import DEPTH, NATIVE_PX, towers_and_oracle
from tests.encoders.towers import TowerEncoder, fill_randomly
from tests.heads.fakes import small_encoder

HW = [(56, 56), (70, 98), (14, 14)]


def tower_cut_after(tower, block):
    """The same tower without the blocks after this one."""
    cut = copy.deepcopy(tower)
    cut.blocks = cut.blocks[: block + 1]
    return cut


def pixels_of(hw, batch=2):
    return torch.rand(batch, 3, *hw, generator=torch.Generator().manual_seed(3))


@pytest.mark.parametrize("ffn", ["mlp", "swiglu"])
@torch.inference_mode()
def test_blocks_equal_the_normed_hidden_states_of_the_oracle(ffn):
    vision, _, oracle = towers_and_oracle(ffn)
    for hw in ((NATIVE_PX, NATIVE_PX), (84, 42)):
        pixels = pixels_of(hw)
        states = oracle.vision_model(pixel_values=pixels, output_hidden_states=True).hidden_states
        assert len(states) == DEPTH + 1
        for block, ours in enumerate(vision.read_blocks(pixels, list(range(DEPTH)))):
            theirs = oracle.vision_model.layernorm(states[block + 1])
            assert theirs.std() > 0.3
            torch.testing.assert_close(ours.cls, theirs[:, :2], rtol=0, atol=1e-4)
            torch.testing.assert_close(ours.grid.flatten(1, 2), theirs[:, 2:], rtol=0, atol=1e-4)


# In half precision the linear layers compute with weights in the processor's own order.
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("hw", HW)
@torch.inference_mode()
def test_each_block_equals_a_tower_that_ends_there(dtype, hw):
    tower = small_encoder(dtype=dtype).vision
    pixels = pixels_of(hw)
    for block, found in enumerate(tower.read_blocks(pixels, range(tower.config.depth))):
        expected = tower_cut_after(tower, block)(pixels, "patch")
        assert torch.equal(found.grid, expected.grid)
        assert torch.equal(found.cls, expected.cls)


def test_blocks_with_gradients_equal_those_without():
    tower = fill_randomly(VisionTower(VisionConfig(24, 3, 2, 48, "mlp", 14, 56)))
    trained = tower.read_blocks(pixels_of((56, 42)), [0, 2])
    with torch.inference_mode():
        fixed = tower.read_blocks(pixels_of((56, 42)), [0, 2])
    assert trained[0].grid.requires_grad
    for one, other in zip(trained, fixed, strict=True):
        torch.testing.assert_close(one.grid.detach(), other.grid, rtol=0, atol=1e-5)


def test_an_encoder_gives_class_token_one_and_the_grid_in_the_order_asked_for():
    encoder = small_encoder()
    pixels = pixels_of((50, 60))  # stretched to 56 x 70
    last, first = encoder.encode_blocks(pixels, [-1, 0])
    assert torch.equal(last.grid, encoder.encode_dense(pixels, "patch"))
    assert (last.grid.shape, last.cls.shape, last.grid.dtype) == ((2, 4, 5, 24), (2, 24), torch.float32)
    again = encoder.encode_blocks(pixels, [0, 4, 0])
    assert torch.equal(again[0].grid, first.grid)
    assert torch.equal(again[2].cls, first.cls)
    assert torch.equal(again[1].cls, last.cls)
    assert (first.cls - last.cls).abs().max() > 1e-3


def test_blocks_after_the_last_one_asked_for_are_not_run():
    encoder = small_encoder()
    encoder.vision.blocks[3].forward = None  # calling it would raise
    assert encoder.encode_blocks(pixels_of((28, 28)), [2])[0].grid.shape == (2, 2, 2, 24)


def test_a_text_model_gives_its_blocks_too():
    nano = densezero.load_encoder("nano", "cpu", "float32")
    pixels = pixels_of((28, 42))
    assert torch.equal(nano.encode_blocks(pixels, [nano.depth - 1])[0].grid, nano.encode_dense(pixels, "patch"))


@pytest.mark.parametrize("blocks", [[5], [-6], [1.0], ["1"], [True], [np.int64(1)]])
def test_blocks_that_a_tower_does_not_have_are_refused(blocks):
    with pytest.raises(ModelError, match="Expected blocks from 0 to 4, or from -1 to -5"):
        find_blocks(blocks, 5)


def test_no_block_at_all_is_refused():
    with pytest.raises(ModelError, match="at least one block"):
        find_blocks([], 5)


def test_an_encoder_without_blocks_says_so():
    encoder = TowerEncoder(small_encoder().vision)
    assert encoder.depth == 0
    with pytest.raises(ModelError, match="tower does not give the features of single blocks"):
        encoder.encode_blocks(pixels_of((28, 28)), [0])
