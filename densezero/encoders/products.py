"""Linear layers that use the fastest exact product of this processor.

On x86 processors that is oneDNN's product. For float32 torch itself calls MKL, whose fastest code is only for the
processors of one maker. A 1 x 1 convolution with channels last is the same product, goes to oneDNN, and needs no copy
of the weight. In half precision torch reorders the weight for oneDNN at every product; ``FastLinear`` does it once.

Torch's own product is used on other devices, and for numeric types that oneDNN does not support here. It is also used
on processors without AVX-512 for float32 products with fewer outputs than inputs: there oneDNN's convolution is up to
four times slower for some numbers of rows. Every way sums in float32.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from densezero.encoders.device import plain_torch

USUAL_ROWS = 1026  # the number of tokens of a window, for which the weight is ordered
X86 = "AVX"  # the start of torch's names for the instruction sets of x86 processors
WITHOUT_AVX512 = "AVX2"
TRIED_WIDTH = 64
HALVES = (torch.bfloat16, torch.float16)
# Largest difference to torch's product, as a share of the largest value: the rounding of each type.
AGREEMENT = {torch.float32: 1e-5, torch.bfloat16: 2**-7, torch.float16: 2**-10}


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Give x W^T + b, as ``torch.nn.functional.linear`` does.

    Args:
        x: (..., K).
        weight: (N, K), of the same device and numeric type.
        bias: (N,), or None.

    Returns:
        (..., N).
    """
    if (
        weight.dtype == torch.float32
        and _infers_on_cpu(weight)
        and not _narrows(weight)
        and onednn_multiplies(weight.dtype)
    ):
        return _convolve(x, weight, bias)
    return F.linear(x, weight, bias)


class FastLinear(nn.Linear):
    """``nn.Linear`` whose weight is in oneDNN's order while a CPU computes with it in half precision.

    ``state_dict``, ``load_state_dict``, ``to``, ``deepcopy`` and ``pickle`` see the plain weight. Only a weight that
    needs no gradient is reordered, at its first product without gradients. The weight is in memory only once.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Multiply (..., K) into (..., N)."""
        weight = self.reorder()
        return _multiply_reordered(x, weight, self.bias) if weight.is_mkldnn else linear(x, weight, self.bias)

    def reorder(self) -> Tensor:
        """Bring the weight into the order of the fastest product, and give it."""
        weight = self.weight
        is_fixed = _infers_on_cpu(weight) and not weight.requires_grad
        if not (is_fixed and weight.dtype in HALVES and onednn_multiplies(weight.dtype)):
            return self.plain_weight()
        if not weight.is_mkldnn:
            with plain_torch(inference=False):
                weight = nn.Parameter(_reorder(weight), requires_grad=False)
            self.weight = weight
        return weight

    def plain_weight(self) -> Tensor:
        """The weight (N, K) in torch's own order, for products with a part of it."""
        weight = self.weight
        if weight.is_mkldnn:
            with plain_torch(inference=False):
                weight = nn.Parameter(weight.to_dense(), requires_grad=weight.requires_grad)
            self.weight = weight
        return weight

    def _save_to_state_dict(self, destination: dict[str, Any], prefix: str, keep_vars: bool) -> None:
        super()._save_to_state_dict(destination, prefix, keep_vars)
        if self.weight.is_mkldnn:
            destination[f"{prefix}weight"] = self.weight.detach().to_dense()

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *arguments: Any) -> None:
        if f"{prefix}weight" in state_dict:
            self.plain_weight()
        super()._load_from_state_dict(state_dict, prefix, *arguments)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        self.plain_weight()
        return super()._apply(fn, recurse)  # type: ignore[no-any-return, no-untyped-call]

    def __getstate__(self) -> dict[str, Any]:
        self.plain_weight()
        return self.__dict__


@lru_cache
def onednn_multiplies(dtype: torch.dtype) -> bool:
    """Whether oneDNN's product works here for a numeric type: tried once, and compared with torch's own product."""
    x86 = torch.backends.cpu.get_cpu_capability().startswith(X86)
    if not x86 or not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return False
    with plain_torch():
        steps = torch.arange(2 * TRIED_WIDTH * TRIED_WIDTH, dtype=torch.float32)
        x, weight = steps.sin().to(dtype).reshape(2, TRIED_WIDTH, TRIED_WIDTH)
        bias = steps[:TRIED_WIDTH].cos().to(dtype)
        try:
            product = _try_product(x, weight, bias).float()
        except (RuntimeError, AttributeError, TypeError):  # this processor or this torch has no such product
            return False
        expected = F.linear(x.float(), weight.float(), bias.float())
        return bool((product - expected).abs().max() <= AGREEMENT.get(dtype, 0.0) * expected.abs().max())


def _try_product(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    if weight.dtype == torch.float32:
        return _convolve(x, weight, bias)
    return _multiply_reordered(x, _reorder(weight), bias)


def _infers_on_cpu(weight: Tensor) -> bool:
    return weight.device.type == "cpu" and not torch.is_grad_enabled()


def _narrows(weight: Tensor) -> bool:
    """Whether a product has fewer outputs than inputs, on a processor whose convolution is slow for it."""
    return weight.shape[0] < weight.shape[1] and torch.backends.cpu.get_cpu_capability() == WITHOUT_AVX512


def _convolve(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    rows = x.reshape(1, -1, 1, x.shape[-1]).permute(0, 3, 1, 2)  # (1, K, rows, 1), channels last
    product = F.conv2d(rows, weight[:, :, None, None], bias)  # (1, N, rows, 1)
    return product.permute(0, 2, 3, 1).reshape(*x.shape[:-1], weight.shape[0])


def _reorder(weight: Tensor) -> Tensor:
    return torch.ops.mkldnn._reorder_linear_weight(weight.detach(), USUAL_ROWS)  # type: ignore[no-any-return]


def _multiply_reordered(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    return torch.ops.mkldnn._linear_pointwise(x, weight, bias, "none", [], "")  # type: ignore[no-any-return]
