"""Linear layers: the numbers of torch's own, and a module whose state is plain whatever the order of its weight."""

import copy
import pickle
import threading

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from densezero.encoders import products
from densezero.encoders.products import FastLinear, linear, onednn_multiplies

HALF = torch.bfloat16


def need_onednn(dtype):
    if not onednn_multiplies(dtype):
        pytest.skip(f"oneDNN does not multiply in {dtype} here")


@pytest.fixture(params=[True, False], ids=["oneDNN", "torch"])
def either_way(request, monkeypatch):
    if request.param:
        need_onednn(torch.float32)
    else:
        monkeypatch.setattr(products, "onednn_multiplies", lambda dtype: False)


def layer_of(weight, bias, dtype=torch.float32):
    layer = FastLinear(weight.shape[1], weight.shape[0])
    layer.load_state_dict({"weight": weight, "bias": bias})
    return layer.requires_grad_(False).to(dtype)


@pytest.fixture
def reordered():
    """A half-precision layer after its first product, so that its weight is in oneDNN's order, and its plain weight."""
    need_onednn(HALF)
    layer = layer_of(torch.randn(130, 97), torch.randn(130), HALF)
    plain = layer.weight.clone()
    with torch.inference_mode():
        layer(torch.randn(3, 97, dtype=HALF))
    assert layer.weight.is_mkldnn
    return layer, plain


def test_a_product_by_hand(either_way):
    weight, bias = torch.tensor([[1.0, 2.0], [0.0, -1.0], [3.0, 0.5]]), torch.tensor([0.0, 1.0, -1.0])
    with torch.inference_mode():
        assert linear(torch.tensor([[[2.0, 4.0]]]), weight, bias).tolist() == [[[10.0, -3.0, 7.0]]]
        assert layer_of(weight, bias)(torch.tensor([[2.0, 4.0]])).tolist() == [[10.0, -3.0, 7.0]]


@pytest.mark.parametrize("has_bias", [True, False])
@pytest.mark.parametrize("rows", [1, 7, 300])
def test_a_product_equals_torchs_own(either_way, rows, has_bias):
    x, weight, bias = torch.randn(2, rows, 96), torch.randn(130, 96), torch.randn(130) if has_bias else None
    with torch.inference_mode():
        found = linear(x, weight, bias)
    torch.testing.assert_close(found, F.linear(x, weight, bias), rtol=1e-5, atol=1e-4)


@torch.inference_mode()
def test_a_permutation_of_the_outputs_permutes_the_product(either_way):
    x, weight, bias = torch.randn(5, 24), torch.randn(40, 24), torch.randn(40)
    order = torch.randperm(40)
    permuted = linear(x, weight[order], bias[order])
    torch.testing.assert_close(permuted, linear(x, weight, bias)[:, order], rtol=0, atol=1e-5)


def test_float32_products_make_no_copy_of_the_weight(monkeypatch):
    need_onednn(torch.float32)
    seen, convolve = [], F.conv2d
    monkeypatch.setattr(F, "conv2d", lambda *given: seen.append(given[1].data_ptr()) or convolve(*given))
    layer = layer_of(torch.randn(40, 24), torch.randn(40))
    with torch.inference_mode():
        layer(torch.randn(5, 24))
    assert seen == [layer.weight.data_ptr()]


def test_half_precision_products_on_a_reordered_weight_stay_near_double_precision(reordered):
    layer, plain = reordered
    x = torch.randn(2, 50, 97, dtype=HALF)
    with torch.inference_mode():
        found = layer(x)
    assert found.dtype == HALF
    exact = F.linear(x.double(), plain.double(), layer.bias.double())
    assert (found.double() - exact).abs().max() < 0.01 * exact.abs().max()


def test_the_state_of_a_reordered_layer_is_its_plain_weight(reordered):
    layer, plain = reordered
    state = layer.state_dict()
    assert list(state) == ["weight", "bias"]
    assert not state["weight"].is_mkldnn
    assert torch.equal(state["weight"], plain)
    assert layer.weight.is_mkldnn  # reading the state changes nothing


def test_a_reordered_weight_is_the_only_copy(reordered):
    layer, _ = reordered
    held = [value for value in [*vars(layer).values(), *layer._parameters.values()] if isinstance(value, torch.Tensor)]
    assert [value.is_mkldnn for value in held] == [True, False]  # weight and bias
    assert dict(layer.named_parameters())["weight"].shape == (130, 97)


@pytest.mark.parametrize("assign", [True, False])
def test_a_reordered_layer_takes_new_weights(reordered, assign):
    layer, plain = reordered
    layer.load_state_dict({"weight": plain * 2, "bias": torch.zeros(130, dtype=HALF)}, assign=assign)
    assert torch.equal(layer.state_dict()["weight"], plain * 2)
    with torch.inference_mode():
        x = torch.randn(4, 97, dtype=HALF)
        torch.testing.assert_close(layer(x), F.linear(x, plain * 2), rtol=0.02, atol=0.1)


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda layer: pickle.loads(pickle.dumps(layer))])
def test_a_copy_of_a_reordered_layer_gives_the_same(reordered, copied):
    layer, plain = reordered
    other, x = copied(layer), torch.randn(4, 97, dtype=HALF)
    assert torch.equal(other.state_dict()["weight"], plain)
    with torch.inference_mode():
        assert torch.equal(other(x), layer(x))


def test_a_reordered_layer_turns_to_other_types(reordered):
    layer, plain = reordered
    assert torch.equal(layer.to(torch.float32).weight, plain.float())
    assert torch.equal(layer.to(HALF).weight, plain)


def test_a_weight_that_is_trained_is_never_reordered():
    layer = layer_of(torch.randn(8, 4), torch.randn(8), HALF)
    parameter = layer.requires_grad_().weight
    with torch.no_grad():
        layer(torch.randn(3, 4, dtype=HALF))
    assert layer.weight is parameter
    layer(torch.randn(3, 4, dtype=HALF)).sum().backward()
    assert parameter.grad is not None


def test_a_reordered_weight_can_be_trained_again(reordered):
    layer, plain = reordered
    x = torch.randn(3, 97, dtype=HALF, requires_grad=True)
    layer(x).sum().backward()
    torch.testing.assert_close(x.grad[0], plain.float().sum(0).to(HALF), rtol=0.02, atol=0.1)


def test_threads_share_a_layer_from_its_first_product_on(reordered):
    layer, _ = reordered
    x, found = torch.randn(64, 97, dtype=HALF), []

    def multiply(parts):
        with torch.inference_mode():
            for _ in range(50):
                found.append(layer(x) if parts else F.linear(x, layer.plain_weight(), layer.bias))

    threads = [threading.Thread(target=multiply, args=(parts,)) for parts in (True, False, True, False)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 200
    for product in found:
        torch.testing.assert_close(product, found[0], rtol=0.02, atol=0.1)


@pytest.mark.parametrize("broken", [RuntimeError("no such type"), None])
def test_where_onednn_fails_or_differs_torch_multiplies(monkeypatch, broken):
    def multiply(x, weight, bias):
        if broken:
            raise broken
        return F.linear(x, weight, bias) + 1

    monkeypatch.setattr(products, "_try_product", multiply)
    onednn_multiplies.cache_clear()
    assert not onednn_multiplies(torch.float32)
    onednn_multiplies.cache_clear()


def test_the_trial_does_not_depend_on_the_callers_settings():
    expected = onednn_multiplies(torch.float32)
    onednn_multiplies.cache_clear()
    with torch.device("meta"), torch.autocast("cpu", torch.bfloat16):
        assert onednn_multiplies(torch.float32) == expected


@pytest.mark.parametrize(("capability", "widths", "by_torch"), [("AVX2", (48, 8), True), ("AVX2", (8, 48), False)])
def test_narrowing_products_are_left_to_torch_where_a_convolution_is_slow(monkeypatch, capability, widths, by_torch):
    need_onednn(torch.float32)
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: capability)
    calls, torchs_own = [], F.linear
    monkeypatch.setattr(F, "linear", lambda *given: calls.append(given) or torchs_own(*given))
    x, weight, bias = torch.randn(5, widths[0]), torch.randn(widths[1], widths[0]), torch.randn(widths[1])
    with torch.inference_mode():
        torch.testing.assert_close(linear(x, weight, bias), x @ weight.T + bias, rtol=1e-5, atol=1e-5)
    assert bool(calls) == by_torch


def test_onednn_is_for_x86_processors(monkeypatch):
    onednn_multiplies.cache_clear()
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "DEFAULT")
    assert not onednn_multiplies(torch.float32)
    onednn_multiplies.cache_clear()


def test_gradients_are_those_of_torchs_own_layer():
    torch.manual_seed(0)
    ours, theirs = FastLinear(6, 4), nn.Linear(6, 4)
    theirs.load_state_dict(ours.state_dict())
    x = torch.randn(5, 6)
    for layer in (ours, theirs):
        layer(x).square().sum().backward()
    assert torch.equal(ours.weight.grad, theirs.weight.grad)
    assert torch.equal(ours.bias.grad, theirs.bias.grad)
