"""Products with fixed weights by the fastest exact way that this processor has: the only place that chooses.

On x86 processors oneDNN multiplies. Left to itself, torch calls MKL for float32, which keeps its fastest code for one
maker's processors; the same product as a 1 x 1 convolution over channels that come last goes to oneDNN. For bfloat16
torch lays the weights out anew at every product, so they are laid out once. (In float32 a layout is fast for some
numbers of rows alone, and twenty times slower for others.) Elsewhere, and for numeric types that oneDNN does not
compute here, torch's own way stays. So it does for float32 products that narrow, on processors without AVX-512: there
oneDNN's convolution is up to four times slower for some numbers of rows, and MKL's product for none. All sum in
float32.
"""

from __future__ import annotations

from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

USUAL_ROWS = 1026  # of x: a window's tokens
X86 = "AVX"  # begins what torch calls the instructions that it uses on these processors
WITHOUT_AVX512 = "AVX2"
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
        self._by_onednn = onednn_multiplies(dtype) and not (_narrows(weight) and dtype == torch.float32)
        plain = weight.detach().to(dtype, copy=True).contiguous()
        self._weight = _lay_out(plain) if self._by_onednn else plain

    def __call__(self, x: Tensor) -> Tensor:
        """Multiply (..., K) into (..., N)."""
        return _multiply(x, self._weight, self._bias) if self._by_onednn else F.linear(x, self._weight, self._bias)


def _narrows(weight: Tensor) -> bool:
    """Whether a product gives fewer numbers than it takes, on a processor whose convolution is slow at that."""
    return weight.shape[0] < weight.shape[1] and torch.backends.cpu.get_cpu_capability() == WITHOUT_AVX512


@lru_cache
def onednn_multiplies(dtype: torch.dtype) -> bool:
    """Whether oneDNN multiplies in a numeric type here: tried once, and held to torch's own product."""
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
    if weight.dtype == torch.float32:
        return weight[:, :, None, None]
    return torch.ops.mkldnn._reorder_linear_weight(weight, USUAL_ROWS)  # type: ignore[no-any-return]


def _multiply(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    if x.dtype == torch.float32:
        rows = x.reshape(1, -1, 1, x.shape[-1]).permute(0, 3, 1, 2)  # (1, K, rows, 1), channels last
        return F.conv2d(rows, weight, bias).permute(0, 2, 3, 1).reshape(*x.shape[:-1], -1)
    return torch.ops.mkldnn._linear_pointwise(x, weight, bias, "none", [], "")  # type: ignore[no-any-return]
