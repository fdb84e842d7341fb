"""Patch features of open_clip's vision towers: what a tower does to its pooled token is done to every patch token.

Source of the projection per token: MaskCLIP (arXiv 2112.01071), section 3.2.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

from densezero.encoders.attention import mix_values, project_part, split_heads
from densezero.encoders.blocks import BlockFeatures, split_tokens
from densezero.encoders.device import plain_torch
from densezero.encoders.patches import project_patches
from densezero.encoders.positions import resize_positions
from densezero.encoders.readouts import PATCH, READOUTS, Readout
from densezero.encoders.size_cache import SizeCache
from densezero.encoders.timm_trunk import TimmTrunk
from densezero.errors import ModelError

PLAIN_BLOCK = "ResidualAttentionBlock"  # the class that this module can compute with another read-out


class ClipTower(Protocol):
    """A vision tower that gives patch features in the space of the texts."""

    patch_px: int
    native_px: int
    readouts: tuple[str, ...]
    depth: int

    def grid(self, pixels: Tensor, readout: Readout) -> Tensor:
        """Encode (B, 3, h, w), already normalised, into (B, gh, gw, D)."""

    def blocks(self, pixels: Tensor, numbers: Sequence[int]) -> list[BlockFeatures]:
        """Encode (B, 3, h, w), already normalised, into the features after several blocks, numbered from 0."""

    def forget_sizes(self) -> None:
        """Drop what is kept for the last image sizes. Call it after the tower has moved to another device."""


def read_tower(visual: Any, name: str) -> ClipTower:
    """Find the class that reads a vision tower of open_clip.

    Raises:
        ModelError: if the tower has no dense features.
    """
    if hasattr(visual, "trunk"):
        return TrunkTower(visual, name)
    if hasattr(visual, "transformer") and getattr(visual, "attn_pool", None) is None:
        return VitTower(visual, name)
    raise ModelError(
        f"{name} has a vision tower ({type(visual).__name__}) without dense features: it is a convolutional network, "
        "or it pools by several queries as CoCa does. Take a ViT of CLIP, SigLIP, SigLIP2, EVA or PE, for example "
        "open_clip:ViT-B-16/openai."
    )


class VitTower:
    """CLIP's own ViT: ``ln_post`` and the projection are applied to each token.

    Args:
        visual: open_clip's ``VisionTransformer``.
        name: the model's name, for messages.
    """

    def __init__(self, visual: Any, name: str) -> None:
        self.module = visual
        if visual.patch_size[0] != visual.patch_size[1]:
            raise ModelError(f"Expected square patches; those of {name} have {visual.patch_size} pixels.")
        self.patch_px, self.native_px = int(visual.patch_size[0]), int(visual.image_size[0])
        self._is_plain = type(visual.transformer.resblocks[-1]).__name__ == PLAIN_BLOCK
        self.readouts = tuple(READOUTS) if self._is_plain else ("patch",)
        self.depth = len(visual.transformer.resblocks)
        self._resized: SizeCache[Tensor] = SizeCache()

    def grid(self, pixels: Tensor, readout: Readout) -> Tensor:
        """Encode (B, 3, h, w), already normalised, into (B, gh, gw, D)."""
        h, w = pixels.shape[-2:]
        patches = self.tokens(pixels, readout)[:, 1:]
        return patches.reshape(patches.shape[0], h // self.patch_px, w // self.patch_px, -1)

    def tokens(self, pixels: Tensor, readout: Readout) -> Tensor:
        """Encode into all tokens (B, 1 + gh * gw, D) in the space of the texts; the first is the class token."""
        *earlier, last = self.module.transformer.resblocks
        tokens = self._embed(pixels)  # (B, 1 + gh * gw, W)
        for block in earlier:
            tokens = self._run(block, tokens, PATCH)
        return self._finish(self._run(last, tokens, readout))

    def blocks(self, pixels: Tensor, numbers: Sequence[int]) -> list[BlockFeatures]:
        """Encode (B, 3, h, w), already normalised, into the features after several blocks, numbered from 0."""
        grid_hw = (pixels.shape[2] // self.patch_px, pixels.shape[3] // self.patch_px)
        found: dict[int, BlockFeatures] = {}
        tokens = self._embed(pixels)  # (B, 1 + gh * gw, W)
        for number, block in enumerate(self.module.transformer.resblocks[: max(numbers) + 1]):
            tokens = self._run(block, tokens, PATCH)
            if number in numbers:
                found[number] = split_tokens(self._finish(tokens), 1, grid_hw, has_cls=True)
        return [found[number] for number in numbers]

    def forget_sizes(self) -> None:
        """Drop the resized positions."""
        self._resized.clear()

    def _finish(self, tokens: Tensor) -> Tensor:
        """Bring (B, 1 + gh * gw, W) tokens into the space of the texts."""
        return self.module.ln_post(tokens) @ self.module.proj  # type: ignore[no-any-return]

    def _run(self, block: Any, tokens: Tensor, readout: Readout) -> Tensor:
        return _run_block(block, tokens, readout) if self._is_plain else block(tokens)

    def _embed(self, pixels: Tensor) -> Tensor:
        conv = self.module.conv1
        patches = project_patches(pixels, conv.weight, conv.bias)  # (B, W, gh, gw)
        grid_hw = (patches.shape[-2], patches.shape[-1])
        cls = self.module.class_embedding.expand(patches.shape[0], 1, -1)
        tokens = torch.cat([cls, patches.flatten(2).transpose(1, 2)], dim=1)
        return self.module.ln_pre(tokens + self._positions(grid_hw))  # type: ignore[no-any-return]

    def _positions(self, grid_hw: tuple[int, int]) -> Tensor:
        stored: Tensor = self.module.positional_embedding  # (1 + rows * columns, W)
        native_hw = (int(self.module.grid_size[0]), int(self.module.grid_size[1]))
        if grid_hw == native_hw:
            return stored
        with plain_torch(inference=False):
            resized = self._resized.get(grid_hw, lambda: resize_positions(stored[1:], native_hw, grid_hw, "bicubic"))
        return torch.cat([stored[:1], resized])


class TrunkTower:
    """A ViT of timm inside open_clip: the pooling head is applied to each token by itself.

    Args:
        visual: open_clip's ``TimmModel``.
        name: the model's name, for messages.
    """

    def __init__(self, visual: Any, name: str) -> None:
        self.module = visual
        self._trunk = TimmTrunk(visual.trunk, name)
        pool = getattr(visual.trunk, "attn_pool", None)
        if "pool" in dict(visual.head.named_children()) or not _pools_one(pool):
            raise ModelError(
                f"{name} pools its tokens in a way that is not defined for a single token. Take a model that pools by "
                "SigLIP's attention head, by a class token or by the mean."
            )
        self.patch_px, self.native_px = self._trunk.patch_px, self._trunk.native_hw[0]
        self.readouts, self.depth = self._trunk.readouts, self._trunk.depth

    def grid(self, pixels: Tensor, readout: Readout) -> Tensor:
        """Encode (B, 3, h, w), already normalised, into (B, gh, gw, D)."""
        return self._finish(self._trunk.tokens(pixels, readout))

    def blocks(self, pixels: Tensor, numbers: Sequence[int]) -> list[BlockFeatures]:
        """Encode (B, 3, h, w), already normalised, into the features after several blocks, numbered from 0."""
        grid_hw = (pixels.shape[2] // self.patch_px, pixels.shape[3] // self.patch_px)
        found = map(self._finish, self._trunk.block_tokens(pixels, numbers))
        prefix, has_cls = self._trunk.prefix, self._trunk.has_cls
        return [split_tokens(tokens, prefix, grid_hw, has_cls=has_cls) for tokens in found]

    def _finish(self, tokens: Tensor) -> Tensor:
        """Bring (..., W) tokens into the space of the texts."""
        trunk = self.module.trunk
        if trunk.attn_pool is not None:
            tokens = _pool_each(trunk.attn_pool, tokens)
        return self.module.head(trunk.head(trunk.fc_norm(tokens)))  # type: ignore[no-any-return]

    def forget_sizes(self) -> None:
        """Drop the trunk's copies."""
        self._trunk.forget_sizes()


def _pools_one(pool: Any) -> bool:
    if pool is None:
        return True
    return type(pool).__name__ == "AttentionPoolLatent" and pool.latent_len == 1 and pool.pos_embed is None


def _pool_each(pool: Any, tokens: Tensor) -> Tensor:
    """Apply attention pooling to each token of (..., W) by itself. A softmax over one key is 1 and leaves its value."""
    width = tokens.shape[-1]
    bias = None if pool.kv.bias is None else pool.kv.bias[width:]
    pooled: Tensor = pool.proj(F.linear(tokens, pool.kv.weight[width:], bias))
    return pooled if pool.mlp is None else pooled + pool.mlp(pool.norm(pooled))


def _run_block(block: Any, tokens: Tensor, readout: Readout) -> Tensor:
    attention = block.attn
    mixed = mix_values(partial(_project, attention, block.ln_1(tokens)), readout.attention)
    mixed = block.ls_1(attention.out_proj(mixed))
    if readout.no_residual:
        return mixed  # type: ignore[no-any-return]
    tokens = tokens + mixed
    return tokens + block.ls_2(block.mlp(block.ln_2(tokens)))  # type: ignore[no-any-return]


def _project(attention: Any, tokens: Tensor, part: str) -> Tensor:
    projected = project_part(tokens, attention.in_proj_weight, attention.in_proj_bias, part)
    return split_heads(projected, attention.num_heads)
