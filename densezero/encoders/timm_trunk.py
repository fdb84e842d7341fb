"""Patch features of timm's ViTs, for any image size and every read-out that the last block supports."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from densezero.encoders.attention import mix_values, project_part, split_heads
from densezero.encoders.device import plain_torch
from densezero.encoders.patches import PatchProjection
from densezero.encoders.readouts import PATCH, READOUTS, Readout
from densezero.encoders.size_cache import SizeCache
from densezero.errors import ModelError

# Blocks and attentions that this module can compute with another read-out. Others give their ordinary tokens.
PLAIN_BLOCKS = ("timm.models.vision_transformer.Block", "timm.models.eva.EvaBlock")
PLAIN_ATTENTIONS = (
    "timm.layers.attention.Attention",
    "timm.layers.attention.AttentionRope",
    "timm.models.eva.EvaAttention",
)
ANY_SIZE = ("VisionTransformer", "Eva")  # other classes have tables per position, which resizing makes worse
VIT_PARTS = ("blocks", "patch_embed", "num_prefix_tokens", "set_input_size")


class TimmTrunk:
    """Gives the patch tokens of a vision transformer of timm, after its final norm. It never changes the model.

    Args:
        trunk: a timm model.
        name: the model's name, for messages.

    Raises:
        ModelError: if the model is not a vision transformer.
    """

    def __init__(self, trunk: Any, name: str) -> None:
        if any(getattr(trunk, part, None) is None for part in VIT_PARTS):
            raise ModelError(
                f"Expected a vision transformer; {name} is a {type(trunk).__name__}, which has no grid of patch "
                "tokens. Take a ViT, for example timm:vit_small_patch14_dinov2 or open_clip:ViT-B-16."
            )
        self.module: Any = trunk
        self.name = name
        self.patch_px = _patch_px(trunk.patch_embed, name)
        self.native_hw: tuple[int, int] = tuple(trunk.patch_embed.img_size)
        self.readouts = trunk_readouts(trunk)
        self.depth = len(trunk.blocks)
        self.prefix = int(trunk.num_prefix_tokens)
        self.has_cls = getattr(trunk, "cls_token", None) is not None
        self._fitted: SizeCache[Any] = SizeCache()

    def tokens(self, pixels: Tensor, readout: Readout) -> Tensor:
        """Encode (B, 3, h, w), already normalised, into (B, gh, gw, W) patch tokens."""
        h, w = pixels.shape[-2:]
        trunk = self._fitted.get((h, w), lambda: self._fit(h, w))
        if readout == PATCH:
            tokens = trunk.forward_features(pixels)
        else:
            (before_last,) = _run_until(trunk, pixels, [self.depth - 2], norm=False)
            tokens = trunk.norm(_run_block(trunk.blocks[-1], before_last, readout))
        grid_hw = (h // self.patch_px, w // self.patch_px)
        if tokens.ndim != 3 or tokens.shape[1] != self.prefix + grid_hw[0] * grid_hw[1]:
            raise ModelError(
                f"Expected {self.name} to give a token for each of {grid_hw[0]} x {grid_hw[1]} patches; "
                f"it gave {tuple(tokens.shape)}. Take another ViT."
            )
        return tokens[:, self.prefix :].unflatten(1, grid_hw)  # type: ignore[no-any-return]

    def block_tokens(self, pixels: Tensor, numbers: Sequence[int]) -> list[Tensor]:
        """Encode (B, 3, h, w), already normalised, into the tokens after several blocks and the final norm.

        Args:
            pixels: (B, 3, h, w).
            numbers: of the blocks, from 0.

        Returns:
            For each number, in order: (B, prefix + gh * gw, W).
        """
        h, w = pixels.shape[-2:]
        return _run_until(self._fitted.get((h, w), lambda: self._fit(h, w)), pixels, numbers, norm=True)

    def forget_sizes(self) -> None:
        """Drop the copies for the last image sizes. Call it after the model has moved to another device."""
        self._fitted.clear()

    def _fit(self, h: int, w: int) -> Any:
        """Copy the module for images of (h, w). The copy shares all weights but has resized positions.

        Raises:
            ModelError: for another size than the native one, if the model takes no other.
        """
        if (h, w) != self.native_hw and not any(kind.__name__ in ANY_SIZE for kind in type(self.module).__mro__):
            raise ModelError(
                f"{self.name} takes only images of {self.native_hw[0]} x {self.native_hw[1]} pixels; got {h} x {w}. "
                "Resize the images, or take a ViT with absolute or rotary positions."
            )
        with plain_torch(inference=False):
            trunk = deepcopy(self.module, {id(weight): weight for weight in self.module.parameters()})
            projection = getattr(trunk.patch_embed, "proj", None)
            if type(projection) is nn.Conv2d and projection.stride == projection.kernel_size:
                trunk.patch_embed.proj = PatchProjection.of(projection)
            if (h, w) != self.native_hw:
                _set_input_size(trunk, h, w)
        return trunk


def _set_input_size(trunk: Any, h: int, w: int) -> None:
    """Resize the positions of a trunk on the CPU. Other devices round differently, or have no antialiased resize."""
    positions = getattr(trunk, "pos_embed", None)
    if positions is not None:
        trunk.pos_embed = nn.Parameter(positions.cpu(), requires_grad=False)
    trunk.set_input_size(img_size=(h, w))
    if positions is not None:
        trunk.pos_embed = nn.Parameter(trunk.pos_embed.to(positions.device), requires_grad=False)


def _run_until(trunk: Any, pixels: Tensor, numbers: Sequence[int], *, norm: bool) -> list[Tensor]:
    """Run all blocks up to the last of some: (B, 3, h, w) to the tokens (B, prefix + gh * gw, W) after each of them."""
    has_prefix, in_order = trunk.num_prefix_tokens > 0, sorted(set(numbers))
    found = trunk.forward_intermediates(
        pixels,
        indices=in_order,
        return_prefix_tokens=has_prefix,
        norm=norm,
        stop_early=True,
        intermediates_only=True,
        output_fmt="NLC",
    )
    tokens = [torch.cat([prefix, patches], dim=1) for patches, prefix in found] if has_prefix else found
    after = dict(zip(in_order, tokens, strict=True))
    return [after[number] for number in numbers]


def trunk_readouts(trunk: Any) -> tuple[str, ...]:
    """Names of the read-outs that the last block of a timm ViT supports."""
    blocks = trunk.blocks
    attention: Any = getattr(blocks[-1], "attn", None)
    plain = _class_of(blocks[-1]) in PLAIN_BLOCKS and _class_of(attention) in PLAIN_ATTENTIONS
    if len(blocks) < 2 or not plain or attention.gate is not None or getattr(attention, "num_kv_groups", 1) > 1:
        return ("patch",)
    if getattr(trunk, "rope", None) is not None:
        # In training the positions rotated queries and keys, but not values.
        return tuple(name for name in READOUTS if not name.startswith(("q-q", "k-k")))
    return tuple(READOUTS)


def _run_block(block: Any, tokens: Tensor, readout: Readout) -> Tensor:
    attention = block.attn
    mixed = mix_values(partial(_project, attention, block.norm1(tokens)), readout.attention)
    mixed = _scale(block, 1, attention.proj(attention.norm(mixed)))
    if readout.no_residual:
        return mixed
    tokens = tokens + mixed
    return tokens + _scale(block, 2, block.mlp(block.norm2(tokens)))


def _project(attention: Any, tokens: Tensor, part: str) -> Tensor:
    if attention.qkv is None:
        flat = getattr(attention, f"{part}_proj")(tokens)
    else:
        flat = project_part(tokens, attention.qkv.weight, attention.qkv.bias, part)
        bias = getattr(attention, f"{part}_bias", None)  # EVA stores the biases outside the layer
        flat = flat if bias is None else flat + bias
    heads = split_heads(flat, attention.num_heads)
    norms = {"q": attention.q_norm, "k": attention.k_norm}
    return norms[part](heads) if part in norms else heads


def _scale(block: Any, which: int, tokens: Tensor) -> Tensor:
    layer = getattr(block, f"ls{which}", None)
    if layer is not None:
        return layer(tokens)  # type: ignore[no-any-return]
    gamma = getattr(block, f"gamma_{which}")
    return tokens if gamma is None else tokens * gamma


def _patch_px(patch_embed: Any, name: str) -> int:
    sides = patch_embed.feat_ratio(as_scalar=False) if hasattr(patch_embed, "feat_ratio") else patch_embed.patch_size
    if sides[0] != sides[1]:
        raise ModelError(f"Expected square patches; those of {name} have {sides[0]} x {sides[1]} pixels.")
    return int(sides[0])


def _class_of(module: object) -> str:
    return f"{type(module).__module__}.{type(module).__qualname__}"
