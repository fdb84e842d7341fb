"""The TIPS text tower: a plain transformer over SentencePiece ids, averaged over the tokens that are not padding.

Source: TIPS (arXiv 2410.16512), section 3; positions are the sinusoids of arXiv 1706.03762.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from densezero.encoders.tips.config import TextConfig


class TextTower(nn.Module):
    """Text transformer with the published key names and shapes, except for the temperature, which no layer uses."""

    def __init__(self, config: TextConfig) -> None:
        super().__init__()
        self.config = config
        # Zeros, because random numbers on the meta device would import torch's compiler, which is slow.
        zeros = torch.zeros(config.vocab_size, config.width)
        self.token_embedding = nn.Embedding.from_pretrained(zeros, freeze=False)  # type: ignore[no-untyped-call]
        self.transformer = _Transformer(config)
        self.ln_final = nn.LayerNorm(config.width)
        self.float()  # also if the caller has set another default type

    def forward(self, ids: Tensor, paddings: Tensor) -> Tensor:
        """Embed texts.

        Args:
            ids: (N, T) integer piece ids.
            paddings: (N, T), 1 where a position is padding and 0 where it is text.

        Returns:
            (N, D) embeddings, not normalised. A text without tokens gives zeros.
        """
        width = self.config.width
        tokens = self.token_embedding(ids) * math.sqrt(width)  # (N, T, D)
        tokens = tokens + _sinusoids(ids.shape[1], width).to(tokens)
        present = paddings == 0  # (N, T)
        tokens = self.ln_final(self.transformer(tokens, present))
        weight = present.to(tokens.dtype)[..., None]  # (N, T, 1)
        return (tokens * weight).sum(1) / weight.sum(1).clamp(min=1)  # type: ignore[no-any-return]


class _Transformer(nn.Module):
    def __init__(self, config: TextConfig) -> None:
        super().__init__()
        self.resblocks = nn.ModuleList(_ResidualBlock(config) for _ in range(config.depth))

    def forward(self, tokens: Tensor, present: Tensor) -> Tensor:
        # A text without tokens sees its padding, because a softmax over nothing would give NaN.
        visible = present | ~present.any(1, keepdim=True)
        mask = visible[:, None, None, :]  # (N, 1, 1, T), broadcast over heads and queries
        for block in self.resblocks:
            tokens = block(tokens, mask)
        return tokens


class _ResidualBlock(nn.Module):
    def __init__(self, config: TextConfig) -> None:
        super().__init__()
        self.attn = _Attention(config.width, config.heads)
        self.ln_1 = nn.LayerNorm(config.width)
        self.mlp = _Mlp(config)
        self.ln_2 = nn.LayerNorm(config.width)

    def forward(self, tokens: Tensor, mask: Tensor) -> Tensor:
        tokens = tokens + self.attn(self.ln_1(tokens), mask)
        return tokens + self.mlp(self.ln_2(tokens))  # type: ignore[no-any-return]


class _Attention(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.in_proj_weight = nn.Parameter(torch.zeros(3 * width, width))
        self.in_proj_bias = nn.Parameter(torch.zeros(3 * width))
        self.out_proj = nn.Linear(width, width)

    def forward(self, tokens: Tensor, mask: Tensor) -> Tensor:
        qkv = F.linear(tokens, self.in_proj_weight, self.in_proj_bias)
        # (N, T, 3 D) -> (3, N, heads, T, D / heads)
        q, k, v = qkv.reshape(*tokens.shape[:2], 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
        return self.out_proj(mixed.transpose(1, 2).flatten(2))  # type: ignore[no-any-return]


class _Mlp(nn.Module):
    def __init__(self, config: TextConfig) -> None:
        super().__init__()
        self.c_fc = nn.Linear(config.width, config.mlp_width)
        self.c_proj = nn.Linear(config.mlp_width, config.width)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.c_proj(F.relu(self.c_fc(tokens)))  # type: ignore[no-any-return]


def _sinusoids(length: int, width: int) -> Tensor:
    """(length, width) position signals: sines then cosines of time scales from 1 to 10,000."""
    scales = width // 2
    step = math.log(10_000) / max(scales - 1, 1)
    frequency = torch.exp(torch.arange(scales, dtype=torch.float32) * -step)
    angle = torch.arange(length, dtype=torch.float32)[:, None] * frequency[None, :]
    return F.pad(torch.cat([angle.sin(), angle.cos()], dim=1), (0, width % 2))
