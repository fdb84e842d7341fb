"""Packed blocks and products: the numbers of the published blocks, on weights that are laid out for the processor."""

import threading

import pytest
import torch
import torch.nn.functional as F

import densezero
from densezero.encoders import attention, products
from densezero.encoders.attention import attend, attend_in_kept_buffer
from densezero.encoders.products import Product, onednn_multiplies
from densezero.encoders.readouts import READOUTS
from densezero.encoders.tips import VisionConfig, VisionTower, packed
from densezero.encoders.tips.packed import PackedBlock
from tests.encoders.towers import fill_randomly, golden_vision, small_pair, write_folder

TOLERANCE = {"rtol": 0, "atol": 1e-5}
CASES = [("a", 0), ("a", 1), ("a", 2), ("b", 0), ("b", 1), ("c", 0), ("c", 1)]


def pack(tower, dtype=torch.float32):
    for index, block in enumerate(tower.blocks):
        tower.blocks[index] = PackedBlock(block, dtype)
    return tower


@pytest.fixture(params=[True, False], ids=["packed", "plain"])
def either_way(request, monkeypatch):
    if not request.param:
        monkeypatch.setattr(products, "onednn_multiplies", lambda dtype: False)
    elif not onednn_multiplies(torch.float32):
        pytest.skip("oneDNN does not multiply here")


@pytest.mark.parametrize(("name", "index"), CASES)
@torch.inference_mode()
def test_packed_towers_equal_the_reference(golden, either_way, name, index):
    io = {
        key: value if key == "config" else torch.from_numpy(value) for key, value in golden(f"vision_{name}_io").items()
    }
    tower = pack(golden_vision(golden(f"vision_{name}"), golden(f"vision_{name}_io")))
    ordinary = tower(io[f"image_{index}"], readout="patch")
    torch.testing.assert_close(ordinary.cls[:, :1], io[f"cls1_{index}"], **TOLERANCE)
    torch.testing.assert_close(ordinary.cls[:, 1:], io[f"cls2_{index}"], **TOLERANCE)
    torch.testing.assert_close(ordinary.grid.flatten(1, 2), io[f"patches_{index}"], **TOLERANCE)
    torch.testing.assert_close(tower(io[f"image_{index}"]).grid, io[f"value_{index}"], **TOLERANCE)


@pytest.mark.parametrize("ffn", ["mlp", "swiglu"])
@pytest.mark.parametrize("readout", READOUTS)
@torch.inference_mode()
def test_every_read_out_of_a_packed_tower_equals_the_published_blocks(ffn, readout):
    pixels = torch.rand(2, 3, 42, 56)
    towers = [fill_randomly(VisionTower(VisionConfig(24, 2, 2, 48, ffn, 14, 56))) for _ in range(2)]
    expected, found = towers[0](pixels, readout), pack(towers[1])(pixels, readout)
    torch.testing.assert_close(found.grid, expected.grid, **TOLERANCE)
    torch.testing.assert_close(found.cls, expected.cls, **TOLERANCE)


@torch.inference_mode()
def test_tokens_taken_some_at_a_time_give_the_whole(monkeypatch):
    pixels = torch.rand(1, 3, 56, 56)
    towers = [fill_randomly(VisionTower(VisionConfig(24, 2, 2, 48, "mlp", 14, 56))) for _ in range(2)]
    whole = pack(towers[0])(pixels).grid
    monkeypatch.setattr(packed, "HIDDEN_BYTES", 5 * 48 * 4)
    torch.testing.assert_close(pack(towers[1])(pixels).grid, whole, **TOLERANCE)


@torch.inference_mode()
def test_the_same_tokens_can_be_read_out_twice():
    tower = pack(fill_randomly(VisionTower(VisionConfig(24, 2, 2, 48, "mlp", 14, 28))))
    pixels = torch.rand(1, 3, 28, 28)
    tokens = tower.trunk(pixels)
    first, again = (tower.read_out(tokens, (2, 2), "value").grid for _ in range(2))
    assert torch.equal(first, again)


def test_a_loaded_tower_is_packed_and_keeps_float32_between_its_layers(tmp_path, tokenizer_file):
    towers = small_pair()
    folder = write_folder(tmp_path, towers, tokenizer_file)
    pixels = torch.rand(1, 3, 56, 56)
    expected = towers[0](pixels).grid.detach()
    for dtype, allowed in (("float32", 1e-5), ("bfloat16", 0.05)):
        encoder = densezero.load_encoder(folder, "cpu", dtype)
        assert all(isinstance(block, PackedBlock) for block in encoder.vision.blocks)
        assert str(encoder.dtype) == f"torch.{dtype}"
        assert encoder.vision.norm.weight.dtype == torch.float32
        torch.testing.assert_close(encoder.encode_dense(pixels), expected, rtol=0, atol=allowed * float(expected.std()))


def test_a_product_by_hand(either_way):
    product = Product(
        torch.tensor([[1.0, 2.0], [0.0, -1.0], [3.0, 0.5]]), torch.tensor([0.0, 1.0, -1.0]), torch.float32
    )
    with torch.inference_mode():
        assert product(torch.tensor([[[2.0, 4.0]]])).tolist() == [[[10.0, -3.0, 7.0]]]


@pytest.mark.parametrize("rows", [1, 7, 300])
def test_a_product_equals_a_linear_layer(either_way, rows):
    x, weight, bias = torch.randn(rows, 96), torch.randn(130, 96), torch.randn(130)
    with torch.inference_mode():
        found = Product(weight, bias, torch.float32)(x)
    torch.testing.assert_close(found, F.linear(x, weight, bias), rtol=1e-5, atol=1e-4)


def test_a_product_keeps_its_weights_whatever_becomes_of_the_given_ones(either_way):
    x, weight, bias = torch.randn(3, 8), torch.randn(4, 8), torch.randn(4)
    product, expected = Product(weight, bias, torch.float32), F.linear(x, weight, bias)
    weight.zero_(), bias.zero_()
    with torch.inference_mode():
        torch.testing.assert_close(product(x), expected)


@pytest.mark.parametrize("broken", [RuntimeError("no such type"), None])
def test_where_packed_weights_fail_or_differ_torch_multiplies(monkeypatch, broken):
    def multiply(x, weight, bias):
        if broken:
            raise broken
        return F.linear(x, weight, bias) + 1

    monkeypatch.setattr(products, "_multiply", multiply)
    monkeypatch.setattr(products, "_lay_out", lambda weight: weight)
    onednn_multiplies.cache_clear()
    assert not onednn_multiplies(torch.float32)
    onednn_multiplies.cache_clear()


@pytest.mark.parametrize(("capability", "widths", "by_torch"), [("AVX2", (48, 8), True), ("AVX2", (8, 48), False)])
def test_narrowing_products_are_left_to_torch_where_a_convolution_is_slow(monkeypatch, capability, widths, by_torch):
    if not onednn_multiplies(torch.float32):
        pytest.skip("oneDNN does not multiply here")
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: capability)
    calls = []
    linear = F.linear
    monkeypatch.setattr(F, "linear", lambda *given: calls.append(given) or linear(*given))
    x, weight, bias = torch.randn(5, widths[0]), torch.randn(widths[1], widths[0]), torch.randn(widths[1])
    product = Product(weight, bias, torch.float32)
    torch.testing.assert_close(product(x), x @ weight.T + bias, rtol=1e-5, atol=1e-5)
    assert bool(calls) == by_torch


def test_no_weights_are_packed_on_processors_of_another_kind(monkeypatch):
    onednn_multiplies.cache_clear()
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "DEFAULT")
    assert not onednn_multiplies(torch.float32)
    onednn_multiplies.cache_clear()


def attention_by_definition(q, k, v):
    return ((q @ k.transpose(-1, -2)) / q.shape[-1] ** 0.5).softmax(-1) @ v


@pytest.mark.parametrize("kept_bytes", [1, 4 * 9 * 4, 2**20])
@torch.inference_mode()
def test_attention_in_the_kept_buffer_equals_its_definition(kept_bytes):
    q, k, v = torch.randn(2, 3, 7, 8), torch.randn(2, 3, 9, 8), torch.randn(2, 3, 9, 8)
    found = attend_in_kept_buffer(q, k, v, kept_bytes)
    torch.testing.assert_close(found, attention_by_definition(q, k, v), rtol=0, atol=1e-5)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_attention_stays_near_double_precision(dtype):
    q, k, v = (torch.randn(1, 2, 40, 16, dtype=torch.float64) for _ in range(3))
    with torch.inference_mode():
        found = attend(*(part.to(dtype) for part in (q, k, v)))
    assert found.dtype == dtype
    assert (found.double() - attention_by_definition(q, k, v)).abs().max() < 0.05


@torch.inference_mode()
def test_what_an_earlier_block_left_in_the_buffer_is_never_seen():
    q, k, v = (torch.randn(1, 2, 5, 4) for _ in range(3))
    attend_in_kept_buffer(torch.full((1, 2, 5, 4), torch.nan), k, v)
    assert attend_in_kept_buffer(q, k, v).isfinite().all()


def test_every_thread_has_a_buffer_of_its_own():
    seen = []

    def look():
        attend_in_kept_buffer(*(torch.randn(1, 1, 2, 4) for _ in range(3)))
        seen.append(getattr(attention._kept, "torch.float32").data_ptr())

    with torch.inference_mode():
        attend_in_kept_buffer(*(torch.randn(1, 1, 2, 4) for _ in range(3)))
    mine = getattr(attention._kept, "torch.float32")
    thread = threading.Thread(target=look)
    with torch.no_grad():
        look()
        thread.start()
        thread.join()
    assert seen[0] == mine.data_ptr() != seen[1]


def test_gradients_flow_through_attention_in_training():
    q = torch.randn(1, 1, 3, 4, dtype=torch.bfloat16, requires_grad=True)
    attend(q, q, q).sum().backward()
    assert q.grad is not None
