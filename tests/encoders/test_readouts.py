"""Read-outs: their names, and their arithmetic by hand, against plain formulas, and in the TIPS tower."""

import math

import pytest
import torch

from densezero.encoders.attention import mix_values, project_part, split_heads
from densezero.encoders.readouts import READOUTS, Readout, find_readout
from densezero.encoders.tips import VisionConfig, VisionTower
from densezero.errors import ModelError
from tests.encoders.towers import fill_randomly

SELF_SELF = [name for name in READOUTS if len(name.removesuffix("-bare")) == 3]


@pytest.fixture
def tower():
    return fill_randomly(VisionTower(VisionConfig(24, 2, 2, 48, "mlp", 14, 28)))


@pytest.fixture
def pixels():
    return torch.rand(2, 3, 42, 28, generator=torch.Generator().manual_seed(1))


def test_a_name_says_the_attention_and_whether_the_residual_is_dropped():
    assert find_readout("value", tuple(READOUTS), "x") == Readout("value", False)
    assert find_readout("k-k-bare", tuple(READOUTS), "x") == Readout("k-k", True)


def test_a_read_out_that_an_encoder_lacks_is_refused_with_those_it_has():
    with pytest.raises(ModelError) as caught:
        find_readout("q-q", ("patch", "v-v"), "timm:some_vit")
    for part in ("read-out", "timm:some_vit", "'q-q'", "Known: patch, v-v."):
        assert part in str(caught.value)


def test_self_self_attention_on_two_tokens_worked_by_hand():
    """One head of one channel: softmax(q q^T) v for q = (0, ln 2), v = (3, 6), k unused."""
    ln2 = math.log(2)
    parts = {
        "q": torch.tensor([0.0, ln2]).reshape(1, 1, 2, 1),
        "k": torch.tensor([0.0, 0.0]).reshape(1, 1, 2, 1),
        "v": torch.tensor([3.0, 6.0]).reshape(1, 1, 2, 1),
    }
    mixed = {kind: mix_values(parts.__getitem__, kind).flatten().tolist() for kind in ("value", "patch", "q-q", "k-k")}
    second = 2**ln2  # e^(ln 2 * ln 2), against e^0 = 1 for the first token
    assert mixed["value"] == pytest.approx([3, 6])
    assert mixed["patch"] == pytest.approx([4.5, 4.5])  # keys alike: the plain mean
    assert mixed["k-k"] == pytest.approx([4.5, 4.5])
    assert mixed["q-q"] == pytest.approx([4.5, (3 + 6 * second) / (1 + second)])
    v_v = mix_values(parts.__getitem__, "v-v").flatten().tolist()
    assert v_v == pytest.approx([(3 + 6 * math.e**9) / (1 + math.e**9), (3 + 6 * math.e**18) / (1 + math.e**18)])


def test_a_part_of_a_query_key_value_layer_is_that_part_of_the_whole():
    tokens, weight, bias = torch.randn(2, 5, 8), torch.randn(24, 8), torch.randn(24)
    whole = torch.nn.functional.linear(tokens, weight, bias)
    for part, expected in zip("qkv", whole.chunk(3, dim=-1), strict=True):
        torch.testing.assert_close(project_part(tokens, weight, bias, part), expected)


@pytest.mark.parametrize("name", SELF_SELF)
@torch.inference_mode()
def test_self_self_equals_the_formula_in_the_tips_tower(tower, pixels, name):
    """The last block once more, written out with torch's softmax and one head at a time."""
    tokens, last = tower.trunk(pixels), tower.blocks[-1]
    parts = dict(zip("qkv", last.attn.qkv(last.norm1(tokens)).chunk(3, dim=-1), strict=True))
    heads = []
    for head in (slice(0, 12), slice(12, 24)):
        part = parts[name[0]][..., head]
        heads.append((part @ part.transpose(1, 2) / math.sqrt(12)).softmax(-1) @ parts["v"][..., head])
    expected = last.attn.proj(torch.cat(heads, dim=-1)) * last.ls1.gamma
    if not name.endswith("-bare"):
        expected = tokens + expected
        expected = expected + last.mlp(last.norm2(expected)) * last.ls2.gamma
    expected = tower.norm(expected)[:, 2:].reshape(2, 3, 2, 24)
    torch.testing.assert_close(tower(pixels, name).grid, expected, rtol=0, atol=1e-5)


@torch.inference_mode()
def test_a_value_without_residual_is_the_projected_value_alone(tower, pixels):
    tokens, last = tower.trunk(pixels), tower.blocks[-1]
    own = last.attn.proj(last.attn.qkv(last.norm1(tokens))[..., 48:]) * last.ls1.gamma
    expected = tower.norm(own)[:, 2:].reshape(2, 3, 2, 24)
    torch.testing.assert_close(tower(pixels, "value-bare").grid, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", READOUTS)
@torch.inference_mode()
def test_a_batch_equals_one_by_one_for_every_read_out(tower, pixels, name):
    single = torch.cat([tower(image[None], name).grid for image in pixels])
    torch.testing.assert_close(tower(pixels, name).grid, single, rtol=0, atol=1e-5)


@torch.inference_mode()
def test_no_two_read_outs_are_the_same(tower, pixels):
    grids = [tower(pixels, name).grid for name in READOUTS]
    nearest = min((a - b).abs().max() for i, a in enumerate(grids) for b in grids[:i])
    assert nearest > 1e-3


def test_heads_are_cut_from_neighbouring_channels():
    heads = split_heads(torch.arange(8.0).reshape(1, 2, 4), 2)
    assert heads.shape == (1, 2, 2, 2)
    assert heads[0, 1].tolist() == [[2, 3], [6, 7]]
