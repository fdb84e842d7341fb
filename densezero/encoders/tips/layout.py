"""Reads the sizes of the towers from the shapes of their tensors, and compares files with the published layout."""

from __future__ import annotations

import math
import re
from pathlib import Path

import torch
from torch import nn

from densezero.encoders.tips.checkpoint import Shapes
from densezero.encoders.tips.config import PUBLISHED_SIZES, TextConfig, VisionConfig, published_heads
from densezero.encoders.tips.text import TextTower
from densezero.encoders.tips.vision import VisionTower
from densezero.errors import ModelError

LISTED = 5  # tensors that an error names
TEMPERATURE = "temperature"  # stored in the text file, but not a weight of any layer


def read_vision_config(shapes: Shapes, file: Path, heads: int | None = None) -> VisionConfig:
    """Read a vision tower's sizes from its tensors' shapes.

    Args:
        shapes: name to shape, names as published.
        file: the file's path, for messages.
        heads: attention heads, which shapes do not tell; None takes those of the published tower of this width.

    Raises:
        ModelError: if a tensor that states a size is missing or has another shape, or if the heads are not known.
    """
    positions, width = _shape(shapes, "pos_embed", 3, file)[1:]
    patch_px = _shape(shapes, "patch_embed.proj.weight", 4, file)[2]
    if positions < 2:
        raise ModelError(f"{file} is not a TIPS checkpoint, or not complete: pos_embed has no position for a patch.")
    gated = "blocks.0.mlp.w3.weight" in shapes
    down = "blocks.0.mlp.w3.weight" if gated else "blocks.0.mlp.fc2.weight"
    config = VisionConfig(
        width=width,
        depth=_count_blocks(shapes, r"blocks\.(\d+)\.", file),
        heads=_heads(heads, width, file),
        mlp_width=_shape(shapes, down, 2, file)[1],
        ffn="swiglu" if gated else "mlp",
        patch_px=patch_px,
        native_px=math.isqrt(positions - 1) * patch_px,
    )
    if heads is None:
        _check_depth(config, file)
    return config


def read_text_config(shapes: Shapes, file: Path, heads: int | None = None) -> TextConfig:
    """Read a text tower's sizes from its tensors' shapes; arguments and errors as for the vision tower."""
    vocab_size, width = _shape(shapes, "token_embedding.weight", 2, file)
    config = TextConfig(
        width=width,
        depth=_count_blocks(shapes, r"transformer\.resblocks\.(\d+)\.", file),
        heads=_heads(heads, width, file),
        mlp_width=_shape(shapes, "transformer.resblocks.0.mlp.c_fc.weight", 2, file)[0],
        vocab_size=vocab_size,
    )
    if heads is None:
        _check_depth(config, file)
    return config


def empty_towers(vision: VisionConfig, text: TextConfig) -> tuple[VisionTower, TextTower]:
    """Build both towers without memory for their weights."""
    with torch.device("meta"):
        return VisionTower(vision), TextTower(text)


def empty_vision_tower(config: VisionConfig) -> VisionTower:
    """Build a vision tower without memory for its weights."""
    with torch.device("meta"):
        return VisionTower(config)


def check_layout(tower: nn.Module, shapes: Shapes, file: Path) -> None:
    """Compare a file's tensors with the names and shapes of the tower.

    Raises:
        ModelError: with the first tensors that are missing, unexpected or of another shape.
    """
    expected = {name: tuple(value.shape) for name, value in tower.state_dict().items()}
    found = {name: shape for name, shape in shapes.items() if name != TEMPERATURE or not isinstance(tower, TextTower)}
    if problems := differences(expected, found):
        raise ModelError(
            f"{file} does not hold a complete TIPS {type(tower).__name__}: {problems}. "
            "Download the file again, or give the one of the published layout."
        )


def differences(expected: Shapes, found: Shapes) -> str:
    """Name the first tensors that are missing, unexpected or of another shape; an empty text if there are none."""
    problems = [f"{name} is missing" for name in expected if name not in found]
    problems += [f"{name} is unexpected" for name in found if name not in expected]
    problems += [
        f"{name} has shape {found[name]} where {shape} was expected"
        for name, shape in expected.items()
        if name in found and found[name] != shape
    ]
    more = f", and {len(problems) - LISTED} more" if len(problems) > LISTED else ""
    return "; ".join(problems[:LISTED]) + more


def check_same_width(vision: VisionConfig, text: TextConfig, vision_file: Path, text_file: Path) -> None:
    """Refuse a vision and a text tower of two different models.

    Raises:
        ModelError: if their widths differ.
    """
    if vision.width != text.width:
        raise ModelError(
            f"The vision tower in {vision_file} has width {vision.width}, the text tower in {text_file} has width "
            f"{text.width}: they belong to two different models. Give both files of the same size."
        )


def _shape(shapes: Shapes, name: str, dimensions: int, file: Path) -> tuple[int, ...]:
    if name not in shapes:
        raise ModelError(f"{file} is not a TIPS checkpoint, or not complete: tensor {name} is missing.")
    if len(shapes[name]) != dimensions or 0 in shapes[name]:
        raise ModelError(
            f"{file} does not hold a TIPS tower: {name} has shape {shapes[name]} where {dimensions} dimensions "
            "of at least 1 were expected. Download the file again, or give the one of the published layout."
        )
    return shapes[name]


def _count_blocks(shapes: Shapes, pattern: str, file: Path) -> int:
    numbers = {match[1] for name in shapes if (match := re.match(pattern, name))}
    if not numbers:
        raise ModelError(f"{file} is not a TIPS checkpoint, or not complete: it has no transformer block.")
    return len(numbers)  # if a number is missing, the last block's tensors are reported as unexpected


def _heads(given: int | None, width: int, file: Path) -> int:
    heads = given or published_heads(width)
    if heads is None:
        raise ModelError(
            f"{file} has width {width}, which no published TIPS model has, and shapes do not tell the number of "
            'attention heads. Put a config.json beside it with "vision_heads" and "text_heads".'
        )
    if width % heads:
        raise ModelError(f"{file} has width {width}, which {heads} attention heads do not divide. Correct config.json.")
    return heads


def _check_depth(config: VisionConfig | TextConfig, file: Path) -> None:
    """Refuse a tower of a published width with another depth: a file that lost its last blocks looks complete."""
    sizes = [size for size in PUBLISHED_SIZES.values() if size.vision.width == config.width]
    depths = {size.vision.depth if isinstance(config, VisionConfig) else size.text.depth for size in sizes}
    if config.depth not in depths:
        raise ModelError(
            f"{file} has {config.depth} transformer blocks where the published tower of width {config.width} has "
            f"{', '.join(map(str, depths))}. Download the file again; for a tower of your own, put a config.json "
            'beside it with "vision_heads" and "text_heads".'
        )
