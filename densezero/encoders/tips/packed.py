"""Blocks of a vision tower made ready for inference on the processor: packed weights, float32 between the layers.

The layer scales are multiplied into the products before them. Tokens stay float32 from block to block; products and
attention compute in the working type. The feed-forward layer takes some tokens at a time, so that its hidden layer
stays in the processor's cache.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from copy import deepcopy
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from densezero.encoders.attention import THIRDS, mix_values, split_heads
from densezero.encoders.products import Product
from densezero.encoders.readouts import PATCH, Readout
from densezero.encoders.tips.blocks import Block, SwiGlu

HIDDEN_BYTES = 16 * 2**20  # of the feed-forward layer at once


class PackedBlock(nn.Module):
    """Stands for a block of a ``VisionTower``, in inference alone and without its published state.

    Args:
        block: the block, float32 and on the processor.
        dtype: numeric type of the products.
    """

    def __init__(self, block: Block, dtype: torch.dtype) -> None:
        super().__init__()
        attention, mlp = block.attn, block.mlp
        self.dtype, self.heads = dtype, attention.heads
        self.norm1, self.norm2 = deepcopy(block.norm1), deepcopy(block.norm2)  # which may lie in a mapped file
        weights, biases = attention.qkv.weight.chunk(3), attention.qkv.bias.chunk(3)
        self._thirds = {part: Product(weights[third], biases[third], dtype) for part, third in THIRDS.items()}
        self._proj = _scaled_product(attention.proj, block.ls1.gamma, dtype)
        if isinstance(mlp, SwiGlu):
            self._widen, last = _gated(mlp.w12, dtype), mlp.w3
        else:
            self._widen, last = _activated(mlp.fc1, dtype), mlp.fc2
        self._narrow = _scaled_product(last, block.ls2.gamma, dtype)
        self._rows = max(1, HIDDEN_BYTES // (last.in_features * dtype.itemsize))

    def forward(self, tokens: Tensor, readout: Readout = PATCH) -> Tensor:
        """Give (B, N, D) after the block, with the attention that the read-out asks for."""
        normed = self.norm1(tokens).to(self.dtype)
        mixed = self._proj(mix_values(partial(self._project, normed), readout.mixing))
        if readout.bare:
            return mixed.to(tokens.dtype)
        tokens = tokens + mixed
        rows = tokens.view(-1, tokens.shape[-1])
        for some in rows.tensor_split(math.ceil(len(rows) / self._rows)):
            some += self._narrow(self._widen(self.norm2(some).to(self.dtype)))
        return tokens

    def _project(self, tokens: Tensor, part: str) -> Tensor:
        return split_heads(self._thirds[part](tokens), self.heads)


def _scaled_product(layer: nn.Linear, scale: Tensor, dtype: torch.dtype) -> Product:
    return Product(layer.weight * scale[:, None], layer.bias * scale, dtype)


def _activated(layer: nn.Linear, dtype: torch.dtype) -> Callable[[Tensor], Tensor]:
    widen = Product(layer.weight, layer.bias, dtype)
    return lambda tokens: torch.ops.aten.gelu_(widen(tokens))


def _gated(layer: nn.Linear, dtype: torch.dtype) -> Callable[[Tensor], Tensor]:
    weights, biases = layer.weight.chunk(2), layer.bias.chunk(2)
    gate, value = (Product(weight, bias, dtype) for weight, bias in zip(weights, biases, strict=True))
    return lambda tokens: F.silu(gate(tokens), inplace=True).mul_(value(tokens))
