"""A repository with heads in the hub's layout, made from our own modules."""

import json
import re

from safetensors.torch import save_file

from densezero.encoders.tips import VisionConfig, VisionTower
from densezero.heads.layout import HeadSource
from tests.encoders.towers import fill_randomly
from tests.heads.fakes import small_head

TASKS = ("depth", "normals", "segmentation")
BACKBONE_NAMES = (
    (r"^(cls_token|mask_token|register_tokens)$", r"embeddings.\1"),
    (r"^pos_embed$", "embeddings.position_embeddings"),
    (r"^patch_embed\.proj", "embeddings.patch_embeddings.projection"),
    (r"^blocks\.", "encoder.layer."),
    (r"attn\.proj", "attention.o_proj"),
    (r"ls(\d)\.gamma", r"layer_scale\1.lambda1"),
    (r"^norm\.", "layernorm."),
)


def small_tower():
    """The vision tower of the repository: width 24, 5 blocks."""
    return fill_randomly(VisionTower(VisionConfig(24, 5, 2, 48, "mlp", 14, 56)))


def write_small_hub(folder, config=None, classes=None):
    """Write model.safetensors and config.json of a small vision tower with three heads; returns the folder."""
    folder.mkdir(parents=True)
    tensors = {}
    for name, value in small_tower().state_dict().items():
        for pattern, replacement in BACKBONE_NAMES:
            name = re.sub(pattern, replacement, name)
        if ".attn.qkv." in name:
            for part, piece in zip("qkv", value.chunk(3), strict=True):
                tensors["backbone." + name.replace("attn.qkv", f"attention.{part}_proj")] = piece.clone()
        else:
            tensors["backbone." + name] = value
    for task in TASKS:
        names = HeadSource(None, task, flax=False, prefix=f"{task}_")
        head = small_head(task, outputs=classes if task == "segmentation" else None)
        tensors |= {names.name_of(own): value for own, value in head.decoder.state_dict().items()}
    save_file(tensors, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps({"backbone_config": {"num_attention_heads": 2}, **(config or {})}))
    return folder
