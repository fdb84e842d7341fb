"""The published sliding window in plain torch, written from its description: what densezero is timed against.

float32, one window after the other, attention with its whole matrix, scores of all classes held at the size of the
input and of the image. It shares no code with densezero: weights are read from the file.

Source: TIPSv2 (arXiv 2604.12012), protocol of the zero-shot segmentation notebook.
"""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from PIL import Image
from safetensors.torch import load_file
from torch import Tensor, nn

SHORT_SIDE_PX, WINDOW_PX, STRIDE_PX, PATCH_PX = 448, 448, 336, 14
PREFIX_TOKENS = 2  # class token and register


class PlainBlock(nn.Module):
    """A transformer block whose attention is three lines; ``fused`` leaves them to torch's one function."""

    def __init__(self, width: int, mlp_width: int, heads: int, fused: bool) -> None:
        super().__init__()
        self.heads, self.fused = heads, fused
        self.norm1, self.norm2 = nn.LayerNorm(width, eps=1e-6), nn.LayerNorm(width, eps=1e-6)
        self.attn = nn.ModuleDict({"qkv": nn.Linear(width, 3 * width), "proj": nn.Linear(width, width)})
        self.mlp = nn.ModuleDict({"fc1": nn.Linear(width, mlp_width), "fc2": nn.Linear(mlp_width, width)})
        self.ls1, self.ls2 = (nn.ParameterDict({"gamma": torch.ones(width)}) for _ in range(2))

    def forward(self, tokens: Tensor, as_value: bool = False) -> Tensor:
        """(B, N, D) to (B, N, D); ``as_value`` gives each token its own value in place of the attention's sum."""
        batch, count, width = tokens.shape
        qkv = self.attn["qkv"](self.norm1(tokens))  # (B, N, 3 D)
        q, k, v = qkv.reshape(batch, count, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        mixed = v if as_value else self._attend(q, k, v)  # (B, heads, N, D / heads)
        tokens = tokens + self.ls1["gamma"] * self.attn["proj"](mixed.transpose(1, 2).reshape(batch, count, width))
        hidden = F.gelu(self.mlp["fc1"](self.norm2(tokens)))
        return tokens + self.ls2["gamma"] * self.mlp["fc2"](hidden)  # type: ignore[no-any-return]

    def _attend(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        if self.fused:
            return F.scaled_dot_product_attention(q, k, v)
        weights = (q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])).softmax(-1)  # (B, heads, N, N)
        return weights @ v


class PlainTower(nn.Module):
    """The vision tower under its published key names: pixels (B, 3, h, w) to value features (B, gh, gw, D)."""

    def __init__(self, weights: dict[str, Tensor], heads: int, fused: bool = False) -> None:
        super().__init__()
        _, positions, width = weights["pos_embed"].shape
        depth = 1 + max(int(name.split(".")[1]) for name in weights if name.startswith("blocks."))
        mlp_width = weights["blocks.0.mlp.fc1.bias"].shape[0]
        self.cls_token, self.register_tokens = (nn.Parameter(torch.zeros(1, 1, width)) for _ in range(2))
        self.pos_embed, self.mask_token = (
            nn.Parameter(torch.zeros(1, positions, width)),
            nn.Parameter(weights["mask_token"]),
        )
        self.patch_embed = nn.ModuleDict({"proj": nn.Conv2d(3, width, PATCH_PX, PATCH_PX)})
        self.blocks = nn.ModuleList(PlainBlock(width, mlp_width, heads, fused) for _ in range(depth))
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self.load_state_dict(weights, strict=True)
        self.eval().requires_grad_(False)

    def forward(self, pixels: Tensor) -> Tensor:
        """Encode; sides are multiples of the patch."""
        patches = self.patch_embed["proj"](pixels)  # (B, D, gh, gw)
        grid_hw = (patches.shape[2], patches.shape[3])
        patches = patches.flatten(2).transpose(1, 2) + self._positions(grid_hw)
        first = (self.cls_token + self.pos_embed[:, :1]).expand(len(pixels), -1, -1)
        tokens = torch.cat([first, self.register_tokens.expand(len(pixels), -1, -1), patches], dim=1)
        for index, block in enumerate(self.blocks):
            tokens = block(tokens, as_value=index == len(self.blocks) - 1)
        return self.norm(tokens)[:, PREFIX_TOKENS:].unflatten(1, grid_hw)  # type: ignore[no-any-return]

    def _positions(self, grid_hw: tuple[int, int]) -> Tensor:
        side = math.isqrt(self.pos_embed.shape[1] - 1)
        square = self.pos_embed[:, 1:].unflatten(1, (side, side)).permute(0, 3, 1, 2)
        if grid_hw != (side, side):
            square = F.interpolate(square, size=grid_hw, mode="bilinear", antialias=True, align_corners=False)
        return square.flatten(2).transpose(1, 2)


def read_weights(folder: Path) -> tuple[dict[str, Tensor], int]:
    """The vision tower's weights of a model folder, float32, and its attention heads."""
    tensors = load_file(folder / "model.safetensors")
    prefix = "vision_encoder."
    weights = {name.removeprefix(prefix): value.float() for name, value in tensors.items() if name.startswith(prefix)}
    return weights, json.loads((folder / "config.json").read_text())["vision_heads"]


def read_plain_tower(folder: Path, fused: bool = False) -> PlainTower:
    """The plain tower of a model folder."""
    return PlainTower(*read_weights(folder), fused=fused)


@torch.inference_mode()
def plain_scores(tower: PlainTower, pixels: Tensor, text: Tensor, side: int, stride: int) -> Tensor:
    """Scores before the last resize: the mean of the windows' softmax over classes.

    Args:
        tower: gives value features.
        pixels: (1, 3, h, w) in [0, 1].
        text: (C, D) class vectors of any length.
        side: of a window, pixels.
        stride: from window to window, pixels.

    Returns:
        (1, C, h, w).
    """
    h, w = pixels.shape[-2:]
    text = F.normalize(text, dim=-1)
    total, count = pixels.new_zeros(1, len(text), h, w), pixels.new_zeros(1, 1, h, w)
    for row in range(max(h - side + stride - 1, 0) // stride + 1):
        for column in range(max(w - side + stride - 1, 0) // stride + 1):
            bottom, right = min(row * stride + side, h), min(column * stride + side, w)
            top, left = max(bottom - side, 0), max(right - side, 0)
            window = pixels[:, :, top:bottom, left:right]
            features = F.normalize(tower(_to_patches(window)), dim=-1)  # (1, gh, gw, D)
            cosines = (features @ text.T).permute(0, 3, 1, 2)  # (1, C, gh, gw)
            scores = F.interpolate(cosines, size=window.shape[-2:], mode="bilinear", align_corners=False).softmax(1)
            total[:, :, top:bottom, left:right] += scores
            count[:, :, top:bottom, left:right] += 1
    return total / count


@torch.inference_mode()
def plain_image_scores(tower: PlainTower, rgb: NDArray[np.uint8], text: Tensor) -> Tensor:
    """(C, H, W) scores of an image (H, W, 3) at its own size."""
    height, width = rgb.shape[:2]
    short = min(height, width)
    input_wh = (width * SHORT_SIDE_PX // short, height * SHORT_SIDE_PX // short)
    resized = np.asarray(Image.fromarray(rgb).resize(input_wh, Image.Resampling.BICUBIC))
    pixels = torch.from_numpy(resized.astype(np.float32) / 255).permute(2, 0, 1)[None]  # (1, 3, h, w)
    scores = plain_scores(tower, pixels, text, WINDOW_PX, STRIDE_PX)
    return F.interpolate(scores, size=(height, width), mode="bilinear", align_corners=False)[0]


def plain_labels(tower: PlainTower, rgb: NDArray[np.uint8], text: Tensor) -> NDArray[np.int64]:
    """(H, W) class indices of an image (H, W, 3)."""
    labels: NDArray[np.int64] = plain_image_scores(tower, rgb, text).argmax(0).numpy()
    return labels


def _to_patches(window: Tensor) -> Tensor:
    h, w = (-(-side // PATCH_PX) * PATCH_PX for side in window.shape[-2:])
    if (h, w) == tuple(window.shape[-2:]):
        return window
    return F.interpolate(window, size=(h, w), mode="bicubic", align_corners=False)
