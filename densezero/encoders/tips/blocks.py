"""The transformer blocks of a TIPS vision tower, with the published names of their tensors.

Source: TIPS (arXiv 2410.16512); the backbone is DINOv2's (arXiv 2304.07193).
"""

from __future__ import annotations

from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from densezero.encoders.attention import attend, merge_heads, mix_values, project_third, split_heads
from densezero.encoders.readouts import PATCH, Readout
from densezero.encoders.tips.config import VisionConfig


class Block(nn.Module):
    """One transformer block of a vision tower, as published: (B, N, D) to the same."""

    def __init__(self, config: VisionConfig) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(config.width, eps=1e-6)
        self.attn = Attention(config.width, config.heads)
        self.ls1 = LayerScale(config.width)
        self.norm2 = nn.LayerNorm(config.width, eps=1e-6)
        self.mlp: Mlp | SwiGlu = SwiGlu(config) if config.ffn == "swiglu" else Mlp(config)
        self.ls2 = LayerScale(config.width)

    def forward(self, tokens: Tensor, readout: Readout = PATCH) -> Tensor:
        """Give (B, N, D) after the block, with the attention that the read-out asks for."""
        mixed = self.ls1(self.attn(self.norm1(tokens), readout.mixing))
        if readout.bare:
            return mixed  # type: ignore[no-any-return]
        tokens = tokens + mixed
        return tokens + self.ls2(self.mlp(self.norm2(tokens)))  # type: ignore[no-any-return]


class Attention(nn.Module):
    """Self-attention with a packed query-key-value layer."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, tokens: Tensor, mixing: str) -> Tensor:
        """Mix (B, N, D) as a read-out says."""
        if mixing != "patch":
            return self.proj(mix_values(partial(self._project, tokens), mixing))  # type: ignore[no-any-return]
        # (B, N, 3 D) -> (3, B, heads, N, D / heads)
        q, k, v = self.qkv(tokens).reshape(*tokens.shape[:2], 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        return self.proj(merge_heads(attend(q, k, v)))  # type: ignore[no-any-return]

    def _project(self, tokens: Tensor, part: str) -> Tensor:
        return split_heads(project_third(tokens, self.qkv.weight, self.qkv.bias, part), self.heads)


class LayerScale(nn.Module):
    """A learnt factor for every channel."""

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
        self.fc1 = nn.Linear(config.width, config.mlp_width)
        self.fc2 = nn.Linear(config.mlp_width, config.width)

    def forward(self, tokens: Tensor) -> Tensor:
        """Map (..., D) to the same."""
        return self.fc2(F.gelu(self.fc1(tokens)))  # type: ignore[no-any-return]


class SwiGlu(nn.Module):
    """A gated feed-forward layer, as the giant towers have it."""

    def __init__(self, config: VisionConfig) -> None:
        super().__init__()
        self.w12 = nn.Linear(config.width, 2 * config.mlp_width)
        self.w3 = nn.Linear(config.mlp_width, config.width)

    def forward(self, tokens: Tensor) -> Tensor:
        """Map (..., D) to the same."""
        gate, value = self.w12(tokens).chunk(2, dim=-1)
        return self.w3(F.silu(gate) * value)  # type: ignore[no-any-return]
