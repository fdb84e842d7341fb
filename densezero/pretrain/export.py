"""Writes trained towers to a model folder: ``model.safetensors`` in float16, ``tokenizer.model``, ``config.json``."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from safetensors.torch import save

from densezero.atomic import write_bytes
from densezero.encoders.tips.text import TextTower
from densezero.encoders.tips.vision import VisionTower


def export_model(folder: Path, vision: VisionTower, text: TextTower, temperature: float, tokenizer_file: Path) -> None:
    """Write a folder that ``load_encoder`` can load.

    Args:
        folder: is created if it does not exist; files in it are replaced.
        vision: the vision tower.
        text: the text tower.
        temperature: divisor of cosines in the contrastive loss.
        tokenizer_file: SentencePiece model, which is copied.

    Raises:
        OutputError: if a file cannot be written; an older one stays whole.
    """
    tensors = {f"vision_encoder.{name}": value for name, value in vision.state_dict().items()}
    tensors |= {f"text_encoder.{name}": value for name, value in text.state_dict().items()}
    tensors["text_encoder.temperature"] = torch.tensor(temperature)
    halves = {name: value.detach().to("cpu", torch.float16).contiguous() for name, value in tensors.items()}
    config = {"vision_heads": vision.config.heads, "text_heads": text.config.heads}
    write_bytes(folder / "tokenizer.model", tokenizer_file.read_bytes())
    write_bytes(folder / "config.json", (json.dumps(config, indent=1) + "\n").encode())
    write_bytes(folder / "model.safetensors", save(halves))
