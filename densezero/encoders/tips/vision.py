"""The TIPS vision tower: a ViT with one register, two class tokens, and the read-outs of its last block.

Source: TIPS (arXiv 2410.16512) and TIPSv2 (arXiv 2604.12012); the backbone is DINOv2's (arXiv 2304.07193).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Self

import torch
from torch import Tensor, nn

from densezero.encoders.blocks import find_blocks
from densezero.encoders.device import plain_torch
from densezero.encoders.patches import PatchProjection
from densezero.encoders.positions import resize_positions
from densezero.encoders.readouts import READOUTS, find_readout
from densezero.encoders.size_cache import SizeCache
from densezero.encoders.tips.blocks import Block
from densezero.encoders.tips.config import VisionConfig
from densezero.encoders.tips.float32 import LayerNorm, StaysFloat32
from densezero.errors import ModelError

PREFIX_TOKENS = 2  # class token 1 (alt-text) and the register, which serves as class token 2 (captions)


class VisionFeatures(NamedTuple):
    """Tokens after the final norm: ``cls`` (B, 2, D) and ``grid`` (B, gh, gw, D)."""

    cls: Tensor
    grid: Tensor


class VisionTower(StaysFloat32):
    """Vision transformer whose ``state_dict`` has exactly the published key names and shapes.

    ``to(torch.bfloat16)`` rounds the weights of the blocks' linear layers. Embeddings, norms, layer scales and the
    tokens between the layers stay float32.
    """

    def __init__(self, config: VisionConfig) -> None:
        super().__init__()
        self.config = config
        width, side = config.width, config.native_px // config.patch_px
        self.cls_token = nn.Parameter(torch.zeros(1, 1, width))
        self.pos_embed = nn.Parameter(torch.zeros(1, 1 + side * side, width))
        self.register_tokens = nn.Parameter(torch.zeros(1, 1, width))
        self.mask_token = nn.Parameter(torch.zeros(1, width))
        self.patch_embed = _PatchEmbed(config)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.depth))
        self.norm = LayerNorm(width, eps=1e-6)
        self._positions: SizeCache[Tensor] = SizeCache()
        self.float()  # also if the caller has set another default type

    def forward(self, pixels: Tensor, readout: str = "value") -> VisionFeatures:
        """Encode images into class tokens and a grid of patch features.

        Args:
            pixels: (B, 3, h, w) in [0, 1]; h and w are multiples of the patch.
            readout: a name of ``READOUTS``.

        Returns:
            Class tokens (B, 2, D) and grid (B, h / patch, w / patch, D), both through the same read-out.

        Raises:
            ModelError: for an unknown read-out or sides that are not multiples of the patch.
        """
        return self.read_out(self.trunk(pixels), self.grid_hw(pixels), readout)

    def grid_hw(self, pixels: Tensor) -> tuple[int, int]:
        """Rows and columns of the patch grid that (B, 3, h, w) pixels give."""
        h, w = pixels.shape[-2:]
        patch = self.config.patch_px
        if h % patch or w % patch or h < patch or w < patch:
            raise ModelError(f"Expected sides that are multiples of {patch} pixels; got {h} x {w}.")
        return h // patch, w // patch

    def trunk(self, pixels: Tensor) -> Tensor:
        """Run all blocks but the last: (B, 3, h, w) to tokens (B, 2 + gh * gw, D)."""
        tokens = self.embed(pixels)
        for block in self.blocks[:-1]:
            tokens = block(tokens)
        return tokens

    def embed(self, pixels: Tensor) -> Tensor:
        """Cut (B, 3, h, w) into patches and add positions: (B, 2 + gh * gw, D)."""
        grid_hw = self.grid_hw(pixels)
        patches = self.patch_embed(pixels.to(self.cls_token.dtype))  # (B, gh * gw, D)
        batch = pixels.shape[0]
        cls = (self.cls_token + self.pos_embed[:, :1]).expand(batch, -1, -1)  # (B, 1, D)
        register = self.register_tokens.expand(batch, -1, -1)  # (B, 1, D)
        return torch.cat([cls, register, patches + self._grid_positions(grid_hw)], dim=1)

    def read_out(self, tokens: Tensor, grid_hw: tuple[int, int], readout: str) -> VisionFeatures:
        """Run the last block with the named read-out, then the final norm.

        Args:
            tokens: (B, 2 + gh * gw, D) from ``trunk``.
            grid_hw: rows and columns of the patch grid.
            readout: a name of ``READOUTS``.
        """
        how = find_readout(readout, tuple(READOUTS), "a TIPS tower")
        return self._finish(self.blocks[-1](tokens, how), grid_hw)

    def read_blocks(self, pixels: Tensor, blocks: Sequence[int]) -> list[VisionFeatures]:
        """Encode images once, and give the ordinary tokens after several blocks, each through the final norm.

        Args:
            pixels: (B, 3, h, w) in [0, 1]; h and w are multiples of the patch.
            blocks: block numbers from 0; negative numbers count from the end. Blocks after the last one are not run.

        Returns:
            For each number, in order: class tokens (B, 2, D) and grid (B, h / patch, w / patch, D).

        Raises:
            ModelError: for a block that the tower does not have, or sides that are not multiples of the patch.
        """
        numbers = find_blocks(blocks, self.config.depth)
        tokens, grid_hw = self.embed(pixels), self.grid_hw(pixels)
        finished = {}
        for number, block in enumerate(self.blocks[: max(numbers) + 1]):
            tokens = block(tokens)
            if number in numbers:
                finished[number] = self._finish(tokens, grid_hw)
        return [finished[number] for number in numbers]

    def _finish(self, tokens: Tensor, grid_hw: tuple[int, int]) -> VisionFeatures:
        """Apply the final norm to (B, 2 + gh * gw, D), and take class tokens and grid apart."""
        tokens = self.norm(tokens)
        cls, patches = tokens[:, :PREFIX_TOKENS], tokens[:, PREFIX_TOKENS:]
        return VisionFeatures(cls, patches.reshape(patches.shape[0], *grid_hw, -1))

    def _grid_positions(self, grid_hw: tuple[int, int]) -> Tensor:
        """Position embeddings (gh * gw, D) of a grid, kept for the last sizes unless they are being trained."""
        stored = self.pos_embed[0, 1:]  # (side * side, D)
        side = math.isqrt(stored.shape[0])
        if grid_hw == (side, side):
            return stored
        if self.pos_embed.requires_grad:
            return resize_positions(stored, (side, side), grid_hw, "bilinear")
        with plain_torch(inference=False):
            return self._positions.get(grid_hw, lambda: resize_positions(stored, (side, side), grid_hw, "bilinear"))

    def requires_grad_(self, requires_grad: bool = True) -> Self:
        """As in torch. Before training, it brings the weights of the linear layers back into torch's own order."""
        if requires_grad:
            self._apply(lambda tensor: tensor)
        return super().requires_grad_(requires_grad)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        self._positions.clear()
        return super()._apply(fn, recurse)

    def _load_from_state_dict(self, *arguments: Any, **named: Any) -> None:
        self._positions.clear()
        super()._load_from_state_dict(*arguments, **named)


class _PatchEmbed(nn.Module):
    def __init__(self, config: VisionConfig) -> None:
        super().__init__()
        self.proj = _PatchProjection(3, config.width, kernel_size=config.patch_px, stride=config.patch_px)

    def forward(self, pixels: Tensor) -> Tensor:
        patches: Tensor = self.proj(pixels)  # (B, D, gh, gw)
        return patches.flatten(2).transpose(1, 2)


class _PatchProjection(StaysFloat32, PatchProjection):
    pass
