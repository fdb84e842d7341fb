"""Random models of a published size, for what depends on sizes and not on what a model knows."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import torch

from densezero.encoders.tips import PUBLISHED_SIZES, TextTower, VisionTower
from densezero.pretrain.export import export_model


def write_random_model(folder: Path, size: str) -> None:
    """Write a random model of a published size as a folder, in float16."""
    torch.manual_seed(0)
    config = PUBLISHED_SIZES[size]
    vision, text = VisionTower(config.vision), TextTower(config.text)
    for tower in (vision, text):
        for name, parameter in tower.named_parameters():
            if is_scale(name):
                torch.nn.init.ones_(parameter)
            else:
                torch.nn.init.normal_(parameter, std=0.02)
    tokenizer = Path(str(resources.files("densezero.encoders") / "nano" / "tokenizer.model"))
    export_model(folder, vision, text, 0.005, tokenizer)


def is_scale(name: str) -> bool:
    """Whether a parameter multiplies its channels: near zero it would leave every patch the same feature."""
    part, _, kind = name.rpartition(".")
    return kind == "gamma" or (kind == "weight" and part.rpartition(".")[2].startswith(("norm", "ln_")))
