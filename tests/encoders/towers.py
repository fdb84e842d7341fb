"""Small towers with golden or random weights, for tests."""

import json
import shutil

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

import densezero
from densezero.encoders.base import DenseEncoder, stretch_to_patch
from densezero.encoders.tips import TextConfig, TextTower, VisionConfig, VisionTower
from densezero.errors import ModelError


def golden_vision(weights, io):
    config = json.loads(str(io["config"]))
    swiglu = config["ffn"] == "swiglu"
    mlp_width = weights["blocks.0.mlp.w3.weight"].shape[1] if swiglu else weights["blocks.0.mlp.fc1.bias"].shape[0]
    tower = VisionTower(
        VisionConfig(
            config["embed_dim"], config["depth"], config["num_heads"], mlp_width, config["ffn"], 14, config["img"]
        )
    )
    tower.load_state_dict({name: torch.from_numpy(value) for name, value in weights.items()}, strict=True)
    return tower.eval()


def golden_text(weights, io):
    config = json.loads(str(io["config"]))
    vocab_size = weights["token_embedding.weight"].shape[0]
    tower = TextTower(
        TextConfig(config["hidden_size"], config["num_layers"], config["num_heads"], config["mlp_dim"], vocab_size)
    )
    layers = {name: torch.from_numpy(value) for name, value in weights.items() if name != "temperature"}
    tower.load_state_dict(layers, strict=True)
    return tower.eval()


def fill_randomly(module, seed=0):
    """Random weights of a size that keeps features lively through any depth."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in module.parameters():
            scale = 0.5 / max(parameter.shape[-1], 1) ** 0.5 if parameter.ndim > 1 else 0.1
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * scale)
            if parameter.ndim == 1:
                parameter.add_(0.5)
    return module.eval()


def small_pair(ffn="mlp", seed=0, vocab_size=512):
    """A vision and a text tower of width 24 with two heads each, random weights."""
    vision = VisionTower(VisionConfig(24, 2, 2, 48, ffn, 14, 56))
    return fill_randomly(vision, seed), fill_randomly(TextTower(TextConfig(24, 2, 2, 48, vocab_size)), seed + 1)


def arrays_of(tower):
    return {name: value.numpy() for name, value in tower.state_dict().items()}


def write_pair(folder, towers, tokenizer_file, stem="small", config=None, temperature=0.0125):
    """Write the published pair of .npz files with the temperature in the text file; returns the vision file."""
    vision, text = towers
    extra = {} if temperature is None else {"temperature": np.float32(temperature)}
    np.savez(folder / f"{stem}_vision.npz", **arrays_of(vision))
    np.savez(folder / f"{stem}_text.npz", **arrays_of(text), **extra)
    return _write_rest(folder, tokenizer_file, config) / f"{stem}_vision.npz"


def write_folder(folder, towers, tokenizer_file, config=None, temperature=0.0125):
    """Write model.safetensors, tokenizer.model and config.json as the hub has them; returns the folder."""
    vision, text = towers
    tensors = {f"vision_encoder.{name}": value for name, value in vision.state_dict().items()}
    tensors |= {f"text_encoder.{name}": value for name, value in text.state_dict().items()}
    if temperature is not None:
        tensors["text_encoder.temperature"] = torch.tensor(temperature)
    save_file(tensors, folder / "model.safetensors")
    return _write_rest(folder, tokenizer_file, config)


def _write_rest(folder, tokenizer_file, config):
    shutil.copyfile(tokenizer_file, folder / "tokenizer.model")
    (folder / "config.json").write_text(json.dumps({"vision_heads": 2, "text_heads": 2} if config is None else config))
    return folder


def refusal(path):
    """The sentence with which a model is refused, at the latest when it is used."""
    with pytest.raises(ModelError) as caught:
        encoder = densezero.load_encoder(path, device="cpu", dtype="float32")
        encoder.encode_text(["sky"])
    return str(caught.value)


class TowerEncoder(DenseEncoder):
    """A vision tower alone behind the encoder interface, with random text vectors."""

    weights_hash = "0" * 64

    def __init__(self, tower, temperature=0.01):
        self.name = "tower"
        self.tower = tower
        self.patch_px, self.native_px = tower.config.patch_px, tower.config.native_px
        self.width, self.temperature = tower.config.width, temperature
        self.device, self.dtype = torch.device("cpu"), torch.float32

    @torch.inference_mode()
    def encode_dense(self, pixels, readout="value"):
        return self.tower(stretch_to_patch(pixels, self.patch_px), readout).grid

    def encode_text(self, prompts):
        rows = []
        for prompt in prompts:
            seed = sum(ord(letter) * 31**place for place, letter in enumerate(prompt)) % 2**31
            rows.append(torch.randn(self.width, generator=torch.Generator().manual_seed(seed)))
        return torch.stack(rows)
