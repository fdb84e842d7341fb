"""Writes trained towers to a model folder: ``model.safetensors`` in float16, ``tokenizer.model``, ``config.json``."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import torch
from safetensors.torch import save_file

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
    """
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {f"vision_encoder.{name}": value for name, value in vision.state_dict().items()}
    tensors |= {f"text_encoder.{name}": value for name, value in text.state_dict().items()}
    tensors["text_encoder.temperature"] = torch.tensor(temperature)
    halves = {name: value.detach().to(torch.float16).contiguous() for name, value in tensors.items()}
    save_file(halves, folder / "model.safetensors")
    (folder / "model.safetensors").chmod(0o644)  # safetensors lets only the owner read it
    config = {"vision_heads": vision.config.heads, "text_heads": text.config.heads}
    (folder / "config.json").write_text(json.dumps(config, indent=1) + "\n")
    shutil.copyfile(tokenizer_file, folder / "tokenizer.model")
