"""The transformer blocks of a TIPS vision tower, with the published names of their tensors.

Tokens are float32 from block to block; products and attention compute in the working type, which is that of the
weights of the linear layers.

Source: TIPS (arXiv 2410.16512); the backbone is DINOv2's (arXiv 2304.07193).
"""

from __future__ import annotations

import math
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from densezero.encoders.attention import attend, merge_heads, mix_values, project_part, split_heads
from densezero.encoders.products import FastLinear
from densezero.encoders.readouts import PATCH, Readout
from densezero.encoders.tips.config import VisionConfig
from densezero.encoders.tips.float32 import LayerNorm, StaysFloat32

HIDDEN_BYTES = 16 * 2**20  # of hidden channels of the feed-forward layer at once, on a CPU


class Block(nn.Module):
    """One transformer block of a vision tower: (B, N, D) float32 to the same shape."""

    def __init__(self, config: VisionConfig) -> None:
        super().__init__()
        self.norm1 = LayerNorm(config.width, eps=1e-6)
        self.attn = Attention(config.width, config.heads)
        self.ls1 = LayerScale(config.width)
        self.norm2 = LayerNorm(config.width, eps=1e-6)
        self.mlp: Mlp | SwiGlu = SwiGlu(config) if config.ffn == "swiglu" else Mlp(config)
        self.ls2 = LayerScale(config.width)

    def forward(self, tokens: Tensor, readout: Readout = PATCH) -> Tensor:
        """Compute (B, N, D) after the block, with the attention of the read-out."""
        mixed = self.attn(self.norm1(tokens).to(self.dtype), readout.attention)
        if readout.no_residual:
            return self.ls1(mixed)  # type: ignore[no-any-return]
        tokens = torch.addcmul(tokens, mixed, self.ls1.gamma)
        if torch.is_grad_enabled() or tokens.device.type != "cpu":
            return torch.addcmul(tokens, self.mlp(self.norm2(tokens).to(self.dtype)), self.ls2.gamma)
        self._add_feed_forward_in_place(tokens)
        return tokens

    @property
    def dtype(self) -> torch.dtype:
        """The working type, in which products and attention compute."""
        return self.attn.qkv.weight.dtype

    def _add_feed_forward_in_place(self, tokens: Tensor) -> None:
        """Add the feed-forward layer for some tokens at a time; their hidden channels fit in the processor's cache."""
        rows = tokens.view(-1, tokens.shape[-1])
        row_bytes = self.mlp.hidden_width * self.dtype.itemsize
        rows_at_once = max(1, HIDDEN_BYTES // row_bytes)
        for some in rows.tensor_split(math.ceil(len(rows) / rows_at_once)):
            some.addcmul_(self.mlp(self.norm2(some).to(self.dtype)), self.ls2.gamma)


class Attention(nn.Module):
    """Self-attention with one layer for queries, keys and values."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = FastLinear(width, 3 * width)
        self.proj = FastLinear(width, width)

    def forward(self, tokens: Tensor, attention: str) -> Tensor:
        """Attend (B, N, D) to (B, N, D); ``attention`` is that of the read-out."""
        return self.proj(self._mix(tokens, attention))  # type: ignore[no-any-return]

    def _mix(self, tokens: Tensor, attention: str) -> Tensor:
        # On a CPU three float32 products are as fast as one, and their smaller results fragment the memory less.
        in_parts = tokens.dtype == torch.float32 and tokens.device.type == "cpu" and not torch.is_grad_enabled()
        if attention != "patch" or in_parts:
            return mix_values(partial(self._project, tokens), attention)
        # (B, N, 3 D) -> (3, B, heads, N, D / heads)
        q, k, v = self.qkv(tokens).reshape(*tokens.shape[:2], 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        return merge_heads(attend(q, k, v))

    def _project(self, tokens: Tensor, part: str) -> Tensor:
        return split_heads(project_part(tokens, self.qkv.plain_weight(), self.qkv.bias, part), self.heads)


class LayerScale(StaysFloat32):
    """One learnt factor for each channel."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(width))

    def forward(self, tokens: Tensor) -> Tensor:
        """Scale (..., D)."""
        return tokens * self.gamma


class Mlp(nn.Module):
    """Two layers with GELU between them."""

    def __init__(self, config: VisionConfig) -> None:
        super().__init__()
        self.hidden_width = config.mlp_width
        self.fc1 = FastLinear(config.width, config.mlp_width)
        self.fc2 = FastLinear(config.mlp_width, config.width)

    def forward(self, tokens: Tensor) -> Tensor:
        """Map (..., D) to the same shape."""
        hidden = self.fc1(tokens)
        return self.fc2(F.gelu(hidden) if torch.is_grad_enabled() else torch.ops.aten.gelu_(hidden))  # type: ignore[no-any-return]


class SwiGlu(nn.Module):
    """The gated feed-forward layer of the giant towers."""

    def __init__(self, config: VisionConfig) -> None:
        super().__init__()
        self.hidden_width = 2 * config.mlp_width
        self.w12 = FastLinear(config.width, 2 * config.mlp_width)
        self.w3 = FastLinear(config.mlp_width, config.width)

    def forward(self, tokens: Tensor) -> Tensor:
        """Map (..., D) to the same shape."""
        gate, value = self.w12(tokens).chunk(2, dim=-1)
        return self.w3(F.silu(gate) * value)  # type: ignore[no-any-return]
