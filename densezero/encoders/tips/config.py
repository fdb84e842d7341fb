"""Sizes of the TIPS towers, and the published ones by name."""

from __future__ import annotations

from dataclasses import dataclass

from densezero.errors import ModelError

FFN_KINDS = ("mlp", "swiglu")
NATIVE_PX = 448  # the image side at the end of every published model's training
PATCH_PX = 14


@dataclass(frozen=True)
class VisionConfig:
    """Sizes of a vision tower.

    Args:
        width: channels D of a token.
        depth: number of transformer blocks.
        heads: attention heads; they divide the width.
        mlp_width: hidden channels of the feed-forward layer, after the gate for ``"swiglu"``.
        ffn: ``"mlp"`` (two layers, GELU) or ``"swiglu"`` (gated, SiLU).
        patch_px: side of a square patch, pixels.
        native_px: image side of the stored position embeddings, pixels.

    Raises:
        ModelError: if the numbers contradict each other.
    """

    width: int
    depth: int
    heads: int
    mlp_width: int
    ffn: str = "mlp"
    patch_px: int = PATCH_PX
    native_px: int = NATIVE_PX

    def __post_init__(self) -> None:
        _check_positive(self, ("width", "depth", "heads", "mlp_width", "patch_px", "native_px"))
        _check_heads(self.width, self.heads)
        if self.ffn not in FFN_KINDS:
            raise ModelError(f"A vision tower's ffn is one of {FFN_KINDS}; got {self.ffn!r}.")
        if self.native_px % self.patch_px:
            raise ModelError(f"native_px {self.native_px} must be a multiple of patch_px {self.patch_px}.")


@dataclass(frozen=True)
class TextConfig:
    """Sizes of a text tower.

    Args:
        width: channels D of a token and of the embedding.
        depth: number of transformer blocks.
        heads: attention heads; they divide the width.
        mlp_width: hidden channels of the feed-forward layer.
        vocab_size: number of SentencePiece pieces.

    Raises:
        ModelError: if the numbers contradict each other.
    """

    width: int
    depth: int
    heads: int
    mlp_width: int
    vocab_size: int

    def __post_init__(self) -> None:
        _check_positive(self, ("width", "depth", "heads", "mlp_width", "vocab_size"))
        _check_heads(self.width, self.heads)


def _check_positive(config: VisionConfig | TextConfig, fields: tuple[str, ...]) -> None:
    for field in fields:
        if getattr(config, field) < 1:
            raise ModelError(f"{type(config).__name__}.{field} must be at least 1; got {getattr(config, field)}.")


def _check_heads(width: int, heads: int) -> None:
    if width % heads:
        raise ModelError(f"The width must be a multiple of the number of heads; got width {width}, heads {heads}.")


@dataclass(frozen=True)
class TipsSize:
    """One published size: both towers and the temperature of its contrastive loss."""

    vision: VisionConfig
    text: TextConfig
    temperature: float | None


def _size(width: int, heads: int, mlp_width: int, layers: tuple[int, int], temperature: float | None) -> TipsSize:
    vision_layers, text_layers = layers
    return TipsSize(
        VisionConfig(width, vision_layers, heads, mlp_width),
        TextConfig(width, text_layers, heads, mlp_width, vocab_size=32000),
        temperature,
    )


# Published sizes by their letter. TIPSv2 has no S, so no temperature is published for S.
PUBLISHED_SIZES: dict[str, TipsSize] = {
    "S": _size(384, 6, 1536, (12, 12), None),
    "B": _size(768, 12, 3072, (12, 12), 0.005066),
    "L": _size(1024, 16, 4096, (24, 12), 0.004785),
    "SO": _size(1152, 16, 4304, (27, 27), 0.004638),
    "g": TipsSize(
        VisionConfig(1536, 40, 24, 4096, ffn="swiglu"), TextConfig(1536, 12, 24, 6144, vocab_size=32000), 0.003623
    ),
}


def published_heads(width: int) -> int | None:
    """Attention heads of the published towers of this width, or None. The shapes of tensors do not tell the heads."""
    for size in PUBLISHED_SIZES.values():
        if size.vision.width == width:
            return size.vision.heads
    return None
