"""Products with fixed weights by the fastest exact way that this processor has: the only place that chooses.

On x86 processors oneDNN multiplies, with weights laid out for it once. Left to itself, torch calls MKL for float32,
which keeps its fastest code for one maker's processors, and for bfloat16 lays the weights out anew at every product.
In float32 oneDNN's 1 x 1 convolution over channels that come last is a tenth faster than its product of matrices.
Elsewhere, and for numeric types that oneDNN does not compute here, torch's own way stays. All sum in float32.
"""

from __future__ import annotations

from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

ONE_BY_ONE = ([0, 0], [1, 1], [1, 1], 1)  # padding, stride, dilation, groups
USUAL_ROWS = 1026  # of x: a window's tokens
X86 = "AVX"  # begins what torch calls the instructions that it uses on these processors
TRIED_WIDTH = 64
AGREEMENT = {torch.float32: 1e-4, torch.bfloat16: 0.1, torch.float16: 0.02}  # of products near 8


class Product:
    """A linear layer for inference: x to x W^T + b.

    Args:
        weight: (N, K), on the processor.
        bias: (N,).
        dtype: numeric type of x and of the result.
    """

    def __init__(self, weight: Tensor, bias: Tensor, dtype: torch.dtype) -> None:
        self._bias = bias.detach().to(dtype, copy=True)
        self._packed = multiplies_packed(dtype)
        plain = weight.detach().to(dtype)
        self._weight = _lay_out(plain.contiguous()) if self._packed else plain.clone()

    def __call__(self, x: Tensor) -> Tensor:
        """Multiply (..., K) into (..., N)."""
        return _multiply(x, self._weight, self._bias) if self._packed else F.linear(x, self._weight, self._bias)


@lru_cache
def multiplies_packed(dtype: torch.dtype) -> bool:
    """Whether weights of a numeric type are laid out for oneDNN here: tried once, and held to torch's own product."""
    x86 = torch.backends.cpu.get_cpu_capability().startswith(X86)
    if not x86 or not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return False
    steps = torch.arange(2 * TRIED_WIDTH * TRIED_WIDTH, dtype=torch.float32)
    x, weight = steps.sin().to(dtype).reshape(2, TRIED_WIDTH, TRIED_WIDTH)
    bias = steps[:TRIED_WIDTH].cos().to(dtype)
    try:
        product = _multiply(x, _lay_out(weight), bias).float()
    except (RuntimeError, AttributeError, TypeError):  # no such type on this processor, or no such call in this torch
        return False
    expected = F.linear(x.float(), weight.float(), bias.float())
    return bool((product - expected).abs().max() <= AGREEMENT.get(dtype, 0.0))


def _lay_out(weight: Tensor) -> Tensor:
    if weight.dtype != torch.float32:
        return torch.ops.mkldnn._reorder_linear_weight(weight, USUAL_ROWS)  # type: ignore[no-any-return]
    kernel = weight[:, :, None, None].to(memory_format=torch.channels_last)
    usual = [1, weight.shape[1], USUAL_ROWS, 1]
    return torch.ops.mkldnn._reorder_convolution_weight(kernel, *ONE_BY_ONE, usual)  # type: ignore[no-any-return]


def _multiply(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    if x.dtype != torch.float32:
        return torch.ops.mkldnn._linear_pointwise(x, weight, bias, "none", [], "")  # type: ignore[no-any-return]
    rows = x.reshape(1, -1, 1, x.shape[-1]).permute(0, 3, 1, 2)  # (1, K, rows, 1), channels last
    product = torch.ops.mkldnn._convolution_pointwise(rows, weight, bias, *ONE_BY_ONE, "none", [], "")
    return product.permute(0, 2, 3, 1).reshape(*x.shape[:-1], -1)  # type: ignore[no-any-return]
