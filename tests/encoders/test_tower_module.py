"""A vision tower as a module: its state is the published one, in every numeric type, before and after it computes."""

import copy
import json
import pickle
import threading

import pytest
import torch
import torch.nn.functional as F

import densezero
from densezero.encoders import products, size_cache
from densezero.encoders.positions import resize_positions
from densezero.encoders.readouts import READOUTS
from densezero.encoders.tips import VisionConfig, VisionTower, blocks
from tests.conftest import SHARED
from tests.encoders.towers import fill_randomly, golden_vision, small_pair, write_folder

TOLERANCE = {"rtol": 0, "atol": 1e-5}
HALF = torch.bfloat16
CASES = [("a", 0), ("a", 1), ("a", 2), ("b", 0), ("b", 1), ("c", 0), ("c", 1)]


def small_tower(ffn="mlp", seed=0, native_px=56):
    return fill_randomly(VisionTower(VisionConfig(24, 2, 2, 48, ffn, 14, native_px)), seed)


def frozen(dtype=torch.float32, ffn="mlp"):
    return small_tower(ffn).requires_grad_(False).to(dtype)


@pytest.fixture
def pixels():
    return torch.rand(2, 3, 42, 70, generator=torch.Generator().manual_seed(3))


@pytest.mark.parametrize("onednn", [True, False])
@pytest.mark.parametrize(("name", "index"), CASES)
@torch.inference_mode()
def test_a_frozen_tower_equals_the_reference(golden, monkeypatch, onednn, name, index):
    if not onednn:
        monkeypatch.setattr(products, "onednn_multiplies", lambda dtype: False)
    io = golden(f"vision_{name}_io")
    tower = golden_vision(golden(f"vision_{name}"), io).requires_grad_(False)
    ordinary = tower(torch.from_numpy(io[f"image_{index}"]), readout="patch")
    torch.testing.assert_close(ordinary.grid.flatten(1, 2), torch.from_numpy(io[f"patches_{index}"]), **TOLERANCE)
    value = tower(torch.from_numpy(io[f"image_{index}"])).grid
    torch.testing.assert_close(value, torch.from_numpy(io[f"value_{index}"]), **TOLERANCE)


@pytest.mark.parametrize("ffn", ["mlp", "swiglu"])
@pytest.mark.parametrize("readout", READOUTS)
def test_training_and_inference_give_the_same_numbers(ffn, readout, pixels):
    tower = small_tower(ffn)
    trained = tower(pixels, readout)
    assert trained.grid.requires_grad
    with torch.inference_mode():
        inferred = tower(pixels, readout)
    torch.testing.assert_close(inferred.grid, trained.grid, **TOLERANCE)
    torch.testing.assert_close(inferred.cls, trained.cls, **TOLERANCE)


def test_every_tensor_of_the_tower_gets_its_gradient(pixels):
    tower = small_tower()
    features = tower(pixels, "patch")
    (features.grid.square().sum() + features.cls.square().sum()).backward()
    without = [name for name, value in tower.named_parameters() if value.grad is None or not value.grad.any()]
    assert without == ["mask_token"]


def test_training_under_autocast_rounds_the_products_and_not_the_tokens(pixels):
    tower = small_tower()
    exact = tower(pixels, "patch").grid
    with torch.autocast("cpu", HALF):
        rounded = tower(pixels, "patch").grid
    assert rounded.dtype == torch.float32
    assert 0 < (rounded - exact).abs().max() < 0.1
    rounded.sum().backward()
    assert tower.blocks[0].ls1.gamma.grad.dtype == torch.float32


@pytest.mark.parametrize("hidden_bytes", [1, 5 * 48 * 4])
@torch.inference_mode()
def test_tokens_taken_some_at_a_time_give_the_whole(monkeypatch, pixels, hidden_bytes):
    tower = frozen()
    whole = tower(pixels).grid
    monkeypatch.setattr(blocks, "HIDDEN_BYTES", hidden_bytes)
    torch.testing.assert_close(tower(pixels).grid, whole, **TOLERANCE)


@torch.inference_mode()
def test_the_same_tokens_can_be_read_out_twice():
    tower, pixels = frozen(), torch.rand(1, 3, 28, 28)
    tokens = tower.trunk(pixels)
    first, again = (tower.read_out(tokens, (2, 2), "value").grid for _ in range(2))
    assert torch.equal(first, again)


def is_rounded(name):
    """Whether half precision rounds a tensor: those of the blocks' linear layers."""
    return any(part in name for part in (".attn.", ".mlp."))


@pytest.mark.parametrize("ffn", ["mlp", "swiglu"])
def test_half_precision_rounds_the_linear_layers_alone(ffn, pixels):
    exact, tower = small_tower(ffn).state_dict(), frozen(HALF, ffn)
    for _ in range(2):  # before and after the weights are reordered
        state = tower.state_dict()
        assert list(state) == list(exact)
        for name, value in state.items():
            assert torch.equal(value, exact[name].to(HALF) if is_rounded(name) else exact[name]), name
        with torch.inference_mode():
            tower(pixels, "patch")
    back = tower.to(torch.float32).state_dict()
    assert torch.equal(back["norm.weight"], exact["norm.weight"])


@torch.inference_mode()
def test_tokens_stay_float32_between_the_layers(pixels):
    tower = frozen(HALF)
    tokens = tower.embed(pixels)
    for block in tower.blocks:
        assert tokens.dtype == torch.float32
        tokens = block(tokens)
    assert tokens.dtype == tower(pixels).grid.dtype == torch.float32


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_loaded_tower_has_the_state_of_its_file(tmp_path, tokenizer_file, dtype):
    towers = small_pair()
    encoder = densezero.load_encoder(write_folder(tmp_path, towers, tokenizer_file), "cpu", dtype)
    encoder.encode_dense(torch.rand(1, 3, 28, 28), "patch")
    state = encoder.vision.state_dict()
    assert list(state) == list(towers[0].state_dict())
    for name, value in towers[0].state_dict().items():
        expected = value.to(HALF) if dtype == "bfloat16" and is_rounded(name) else value
        assert torch.equal(state[name], expected), name
    assert all(value.untyped_storage().nbytes() == value.nbytes for value in state.values())  # none lies in the file


@pytest.mark.parametrize("size", ["B", "g"])
def test_a_loaded_tower_has_the_published_names_and_shapes(tmp_path, tokenizer_file, size):
    layout_file = SHARED / "reference" / "checkpoint_layout.json"
    if not layout_file.exists():
        pytest.skip("the published layout is not beside this checkout")
    published = json.loads(layout_file.read_text())[size]["vision"]["tensors"]
    ffn = "swiglu" if size == "g" else "mlp"
    encoder = densezero.load_encoder(write_folder(tmp_path, small_pair(ffn), tokenizer_file), "cpu", "bfloat16")
    encoder.encode_dense(torch.rand(1, 3, 28, 28))
    found = {
        name.replace(".1.", ".0.").replace(".0.", ".{i}."): value.ndim
        for name, value in encoder.vision.state_dict().items()
    }
    assert found == {name: len(shape) for name, shape in published.items()}


@pytest.mark.parametrize("dtype", [torch.float32, HALF])
@pytest.mark.parametrize("copied", [copy.deepcopy, lambda tower: pickle.loads(pickle.dumps(tower))])
def test_a_copy_gives_the_same_and_is_apart(dtype, copied, pixels):
    tower = frozen(dtype)
    with torch.inference_mode():
        before = tower(pixels).grid
    other = copied(tower)
    with torch.inference_mode():
        assert torch.equal(other(pixels).grid, before)
        other.load_state_dict(small_tower(seed=1).state_dict())
        assert torch.equal(tower(pixels).grid, before)
        assert not torch.equal(other(pixels).grid, before)


@pytest.mark.parametrize("dtype", [torch.float32, HALF])
@torch.inference_mode()
def test_a_tower_takes_other_weights_after_it_has_computed(dtype, pixels):
    tower, other = frozen(dtype), small_tower(seed=1)
    tower(pixels)
    tower.load_state_dict(other.state_dict())
    assert torch.equal(tower(pixels).grid, other.requires_grad_(False).to(dtype)(pixels).grid)


def test_a_frozen_tower_in_half_precision_can_be_trained_afterwards(pixels):
    tower = frozen(HALF)
    with torch.inference_mode():
        tower(pixels)
    optimizer = torch.optim.SGD(tower.requires_grad_().parameters(), lr=0.1)
    before = tower.state_dict()["blocks.0.attn.qkv.weight"].clone()
    tower(pixels, "patch").grid.square().sum().backward()
    optimizer.step()
    assert not torch.equal(tower.state_dict()["blocks.0.attn.qkv.weight"], before)


def test_a_tower_is_float32_whatever_the_default_type():
    torch.set_default_dtype(torch.float64)
    try:
        tower = VisionTower(VisionConfig(24, 1, 2, 48, "mlp", 14, 28))
    finally:
        torch.set_default_dtype(torch.float32)
    assert {value.dtype for value in tower.state_dict().values()} == {torch.float32}


# Position embeddings


def test_positions_of_two_by_one_by_hand():
    """Two rows to one: the mean; one row to two: both the same."""
    stored = torch.tensor([[1.0], [3.0]])
    assert resize_positions(stored, (2, 1), (1, 1), "bilinear").tolist() == [[2.0]]
    assert resize_positions(stored[:1], (1, 1), (2, 1), "bilinear").tolist() == [[1.0], [1.0]]


@pytest.mark.parametrize("mode", ["bilinear", "bicubic"])
def test_positions_are_those_of_pillow(mode):
    import numpy as np
    from PIL import Image

    plane = torch.rand(6, 8, generator=torch.Generator().manual_seed(0))
    found = resize_positions(plane.reshape(-1, 1), (6, 8), (3, 5), mode).reshape(3, 5)
    expected = Image.fromarray(plane.numpy()).resize((5, 3), getattr(Image.Resampling, mode.upper()))
    if mode == "bicubic":  # torch antialiases with a = -0.5, as Pillow does
        torch.testing.assert_close(found, torch.from_numpy(np.array(expected)), rtol=0, atol=1e-5)
    else:
        torch.testing.assert_close(found, torch.from_numpy(np.array(expected)), rtol=0, atol=1e-6)


def test_constant_positions_stay_constant_in_their_own_type():
    resized = resize_positions(torch.full((12, 2), 0.5, dtype=HALF), (3, 4), (7, 5), "bicubic")
    assert resized.dtype == HALF
    assert torch.equal(resized, torch.full((35, 2), 0.5, dtype=HALF))


@torch.inference_mode()
def test_positions_of_a_size_are_computed_once_and_few_sizes_are_kept(monkeypatch):
    calls, interpolate = [], F.interpolate
    monkeypatch.setattr(
        F, "interpolate", lambda *given, **named: calls.append(named["size"]) or interpolate(*given, **named)
    )
    tower = frozen()
    for columns in [1, 1, 2, *range(1, 2 + size_cache.SIZES_KEPT), 1]:
        tower(torch.rand(1, 3, 14, 14 * columns))
    assert calls == [(1, columns) for columns in [*range(1, 2 + size_cache.SIZES_KEPT), 1]]


@torch.inference_mode()
def test_kept_positions_are_dropped_with_other_weights_and_types(pixels):
    tower = frozen()
    first = tower(pixels).grid
    state = {name: value.clone() for name, value in tower.state_dict().items()}
    tower.load_state_dict({**state, "pos_embed": state["pos_embed"] + torch.randn_like(state["pos_embed"])})
    assert (tower(pixels).grid - first).abs().max() > 0.1
    tower.load_state_dict(state)
    torch.testing.assert_close(tower.double()(pixels.double()).grid, first.double(), **TOLERANCE)


def test_positions_that_are_trained_are_never_kept(pixels):
    tower = small_tower()
    with torch.no_grad():
        first = tower(pixels).grid
        tower.pos_embed.add_(torch.randn(tower.pos_embed.shape))
        assert (tower(pixels).grid - first).abs().max() > 0.1
    tower(pixels, "patch").grid.square().sum().backward()
    assert tower.pos_embed.grad.abs().sum() > 0


def test_threads_that_encode_several_sizes_share_a_tower():
    tower = frozen(HALF)
    sizes = [(14 * rows, 14 * columns) for rows in range(1, 5) for columns in range(1, 5)]
    images = {hw: torch.rand(1, 3, *hw, generator=torch.Generator().manual_seed(hw[0])) for hw in sizes}
    with torch.inference_mode():
        expected = {hw: tower(image).grid for hw, image in images.items()}
    differing = []

    def encode(order):
        with torch.inference_mode():
            for hw in order:
                if not torch.equal(tower(images[hw]).grid, expected[hw]):
                    differing.append(hw)

    threads = [threading.Thread(target=encode, args=(sizes[start:] + sizes[:start],)) for start in (0, 4, 8, 12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert differing == []
