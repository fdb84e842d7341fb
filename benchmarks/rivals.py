"""Other people's TIPSv2 vision towers with the weights of one model folder, where they are installed."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn
from transcription import PlainTower, read_plain_tower, read_weights

from densezero.encoders.tips import VisionConfig

Encode = Callable[[Tensor], object]
# Our names to theirs, in order; transformers has queries, keys and values apart.
TRANSFORMERS_NAMES = (
    (r"^(cls_token|mask_token|register_tokens)$", r"embeddings.\1"),
    (r"^pos_embed$", "embeddings.position_embeddings"),
    (r"^patch_embed\.proj", "embeddings.patch_embeddings.projection"),
    (r"^blocks\.", "encoder.layer."),
    (r"attn\.proj", "attention.o_proj"),
    (r"attn\.", "attention."),
    (r"ls(\d)\.gamma", r"layer_scale\1.lambda1"),
    (r"^norm\.", "layernorm."),
)


def find_rivals(folder: Path, config: VisionConfig, pixels: Tensor, dtype: torch.dtype) -> dict[str, Encode]:
    """Towers by name, each from (B, 3, h, w) float32 to its features; those that are not installed are left out.

    Args:
        folder: of the model.
        config: its sizes.
        pixels: an example input, whose shape OpenVINO is told.
        dtype: numeric type to compute in.
    """
    rivals: dict[str, Encode] = {"transcription": _of_torch(read_plain_tower(folder), dtype)}
    for name, make in {"transformers": _make_transformers, "timm": _make_timm}.items():
        tower = make(folder, config)
        if tower is not None:
            rivals[name] = _of_torch(tower, dtype)
    openvino = _make_openvino(read_plain_tower(folder, fused=True), pixels, dtype)
    return rivals if openvino is None else {**rivals, "openvino": openvino}


def _of_torch(tower: nn.Module, dtype: torch.dtype) -> Encode:
    tower = tower.eval().requires_grad_(False).to(dtype)

    @torch.inference_mode()
    def encode(pixels: Tensor) -> object:
        return tower(pixels.to(dtype))

    return encode


def _make_transformers(folder: Path, config: VisionConfig) -> nn.Module | None:
    try:
        from transformers import Tipsv2VisionConfig, Tipsv2VisionModel
    except ImportError:
        return None
    sizes = {"hidden_size": config.width, "num_hidden_layers": config.depth, "num_attention_heads": config.heads}
    tower = Tipsv2VisionModel(Tipsv2VisionConfig(**sizes, image_size=config.native_px))
    renamed: dict[str, Tensor] = {}
    for name, value in read_weights(folder)[0].items():
        for pattern, replacement in TRANSFORMERS_NAMES:
            name = re.sub(pattern, replacement, name)
        parts = ("q_proj", "k_proj", "v_proj") if "attention.qkv" in name else ("qkv",)
        for part, piece in zip(parts, value.chunk(len(parts)), strict=True):
            renamed[name.replace("qkv", part)] = piece
    tower.load_state_dict(renamed, strict=True)
    return tower  # type: ignore[no-any-return]


def _make_timm(folder: Path, config: VisionConfig) -> nn.Module | None:
    try:
        import timm

        sizes = {"embed_dim": config.width, "depth": config.depth, "num_heads": config.heads}
        tower = timm.create_model("vit_base_patch14_reg1_tipsv2", img_size=config.native_px, **sizes)
    except (ImportError, RuntimeError):  # no timm, or one before its TIPSv2
        return None
    weights = {name.replace("register_tokens", "reg_token"): value for name, value in read_weights(folder)[0].items()}
    del weights["mask_token"]
    position = weights["pos_embed"]  # the class token's own position is added beforehand there
    weights |= {"cls_token": weights["cls_token"] + position[:, :1], "pos_embed": position[:, 1:]}
    tower.load_state_dict(weights, strict=True)
    tower.forward = tower.forward_features  # tokens; the head would pool them
    return tower  # type: ignore[no-any-return]


def _make_openvino(tower: PlainTower, pixels: Tensor, dtype: torch.dtype) -> Encode | None:
    try:
        import openvino
    except ImportError:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torch's tracer: the shape is fixed, as it says
        model = openvino.convert_model(tower, example_input=pixels, input=[openvino.PartialShape(list(pixels.shape))])
    hint = {"INFERENCE_PRECISION_HINT": {torch.float32: "f32", torch.bfloat16: "bf16"}[dtype]}
    compiled = openvino.compile_model(model, "CPU", hint)
    return lambda given: torch.from_numpy(compiled(given.numpy())[0])
