"""How fast this processor multiplies matrices of a network's own shapes, over several ways of asking for it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F
from timing import Ways
from torch import Tensor

from densezero.encoders.products import FastLinear, onednn_multiplies
from densezero.encoders.tips import VisionConfig

CHECK_ROWS = 4
TIMES = 3  # a product is short beside a tower, and one that is timed alone says more of the moment than of the machine


def roof_ways(config: VisionConfig, tokens: int, dtype: torch.dtype) -> tuple[Ways, dict[str, float]]:
    """Ways of multiplying ``TIMES`` times, by name, and the GFLOP of each.

    Args:
        config: whose layers give the shapes.
        tokens: rows of the products.
        dtype: numeric type of the products.
    """
    width, mlp_width = config.width, config.mlp_width
    shapes = {"qkv": (width, 3 * width), "proj": (width, width), "fc1": (width, mlp_width), "fc2": (mlp_width, width)}
    ways: Ways = {}
    gflop: dict[str, float] = {}
    for layer, (columns, outputs) in shapes.items():
        x = torch.randn(tokens, columns).to(dtype)
        weight, bias = torch.randn(outputs, columns).to(dtype), torch.randn(outputs).to(dtype)
        for way, work in _ways_of(x, weight, bias).items():
            name = f"{layer} by {way}"
            ways[name], gflop[name] = partial(_repeat, work), TIMES * 2e-9 * tokens * columns * outputs
    return ways, gflop


def best_rate(medians: dict[str, float], gflop: dict[str, float]) -> tuple[str, float]:
    """The fastest product of all, and its GFLOP/s."""
    rates = {name: gflop[name] / medians[name] for name in gflop}
    best = max(rates, key=lambda name: rates[name])
    return best, rates[best]


def _ways_of(x: Tensor, weight: Tensor, bias: Tensor) -> dict[str, Callable[[], Tensor]]:
    """Every way that this torch has and that gives the product."""
    pixels = x.T[None, :, :, None].contiguous(memory_format=torch.channels_last)  # (1, K, M, 1), K fastest
    kernel = weight[:, :, None, None].contiguous(memory_format=torch.channels_last)
    ways: dict[str, Callable[[], Tensor]] = {
        "linear": lambda: F.linear(x, weight, bias),
        "conv2d": lambda: F.conv2d(pixels, kernel, bias)[0, :, :, 0].T,
    }
    if onednn_multiplies(x.dtype):
        layer = FastLinear(weight.shape[1], weight.shape[0], device="meta").requires_grad_(False)
        layer.load_state_dict({"weight": weight, "bias": bias}, assign=True)
        ways["densezero"] = torch.inference_mode()(partial(layer, x))
    if hasattr(torch.ops.mkldnn, "_linear_pointwise") and hasattr(torch.ops.mkldnn, "_reorder_linear_weight"):
        packed: list[Tensor] = []

        def packed_linear() -> Tensor:
            if not packed:
                packed.append(torch.ops.mkldnn._reorder_linear_weight(weight, len(x)))
            return torch.ops.mkldnn._linear_pointwise(x, packed[0], bias, "none", [], "")  # type: ignore[no-any-return]

        ways["packed"] = packed_linear
    if x.dtype == torch.float32:
        rows, columns, shift = x.numpy(), weight.numpy().T, bias.numpy()
        ways["numpy"] = lambda: torch.from_numpy(rows @ columns + shift)
    return {name: work for name, work in ways.items() if _multiplies(work, x, weight, bias)}


def _repeat(work: Callable[[], Tensor]) -> None:
    for _ in range(TIMES):
        work()


def _multiplies(work: Callable[[], Tensor], x: Tensor, weight: Tensor, bias: Tensor) -> bool:
    try:
        found = work()
    except RuntimeError:  # this build of torch, or this processor, has no such kernel
        return False
    expected = F.linear(x[:CHECK_ROWS].float(), weight.float(), bias.float())
    return bool((found[:CHECK_ROWS].float() - expected).norm() < 0.02 * expected.norm())
