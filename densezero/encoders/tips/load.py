"""Loads TIPS models: the published ``.npz`` pair, or a folder with ``model.safetensors`` and ``tokenizer.model``."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from densezero.encoders.device import pick_device, pick_dtype, plain_torch
from densezero.encoders.tips.backbone import BACKBONE, HubBackbone, backbone_heads
from densezero.encoders.tips.checkpoint import open_tensors
from densezero.encoders.tips.config import PUBLISHED_SIZES
from densezero.encoders.tips.config_json import read_config_json
from densezero.encoders.tips.encoder import TipsEncoder
from densezero.encoders.tips.image_encoder import TipsImageEncoder
from densezero.encoders.tips.layout import (
    TEMPERATURE,
    check_layout,
    check_same_width,
    empty_towers,
    empty_vision_tower,
    read_text_config,
    read_vision_config,
)
from densezero.encoders.tips.read_weights import TowerSource, read_weights
from densezero.errors import ModelError

TOKENIZER = "tokenizer.model"
SAFETENSORS = "model.safetensors"
CONFIG = "config.json"
MAX_TEMPERATURE = 1000  # published ones are near 0.005
VISION_SUFFIX, TEXT_SUFFIX = "_vision.npz", "_text.npz"


@dataclass(frozen=True)
class TipsOptions:
    """How to load, apart from the files.

    Args:
        name: the model's name in reports; None takes the name of the file or folder.
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:N`` or ``mps``.
        dtype: ``auto``, ``float32``, ``bfloat16`` or ``float16``, of the vision tower.
        vision_heads: attention heads of the vision tower, if its width is not a published one.
        text_heads: attention heads of the text tower, if its width is not a published one.
        temperature: of the contrastive loss, if the files do not state it.
        note: one line that the user should read.
    """

    name: str | None = None
    device: str = "auto"
    dtype: str = "auto"
    vision_heads: int | None = None
    text_heads: int | None = None
    temperature: float | None = None
    note: str | None = None


def load_tips(
    vision_file: str | Path, text_file: str | Path, tokenizer_file: str | Path, options: TipsOptions | None = None
) -> TipsEncoder:
    """Load the published pair of ``.npz`` files.

    Args:
        vision_file: ``*_vision.npz``.
        text_file: ``*_text.npz``.
        tokenizer_file: ``tokenizer.model``.
        options: name, device, numeric type, and what the files do not state.

    Raises:
        ModelError: if a file is missing, damaged or incomplete, or if the files belong to different models.
    """
    vision, text = open_tensors(Path(vision_file)), open_tensors(Path(text_file))
    name = Path(vision_file).name.removesuffix(VISION_SUFFIX)
    return _load(TowerSource(vision), TowerSource(text), Path(tokenizer_file), options or TipsOptions(), name)


def load_tips_folder(folder: str | Path, options: TipsOptions | None = None) -> TipsImageEncoder:
    """Load a folder that holds ``model.safetensors`` or one published pair, and ``tokenizer.model``.

    From the folder of a repository with heads, whose name ends in -dpt, the encoder is the vision tower alone.

    Raises:
        ModelError: as for ``load_tips``, and if the folder holds neither or several.
    """
    folder, options = Path(folder), options or TipsOptions()
    names = _names_in(folder)
    if SAFETENSORS in names:
        options = _with_config(folder / CONFIG, options)
        tensors = open_tensors(folder / SAFETENSORS)
        if any(name.startswith(BACKBONE) for name in tensors.shapes):
            options = replace(options, vision_heads=options.vision_heads or backbone_heads(folder / CONFIG))
            return _load_image_encoder(TowerSource(HubBackbone(tensors)), options, folder.resolve().name)
        vision, text = TowerSource(tensors, "vision_encoder."), TowerSource(tensors, "text_encoder.")
        return _load(vision, text, folder / TOKENIZER, options, folder.resolve().name)
    pairs = [name for name in names if name.endswith(VISION_SUFFIX)]
    if len(pairs) != 1:
        found = ", ".join(pairs) or "none"
        raise ModelError(
            f"Expected {folder} to hold {SAFETENSORS}, or exactly one *{VISION_SUFFIX} with its *{TEXT_SUFFIX}; "
            f"found: {found}. Give the path of the *{VISION_SUFFIX} itself where there are several."
        )
    return load_tips_pair(folder / pairs[0], options)


def load_tips_pair(vision_file: Path, options: TipsOptions | None = None) -> TipsEncoder:
    """Load a published pair by its vision file. The other files are in the same folder.

    Raises:
        ModelError: as for ``load_tips``.
    """
    if not vision_file.name.endswith(VISION_SUFFIX):
        raise ModelError(
            f"Expected the vision file of a published pair (*{VISION_SUFFIX}); got {vision_file}. "
            f"Give that file, or the folder that holds {SAFETENSORS} or the pair."
        )
    text_file = vision_file.with_name(vision_file.name.removesuffix(VISION_SUFFIX) + TEXT_SUFFIX)
    options = _with_config(vision_file.with_name(CONFIG), options or TipsOptions())
    return load_tips(vision_file, text_file, vision_file.with_name(TOKENIZER), options)


def _names_in(folder: Path) -> list[str]:
    try:
        return sorted(entry.name for entry in folder.iterdir())
    except OSError as error:
        raise ModelError(
            f"Expected a folder with a model at {folder}; it cannot be opened ({error.strerror}). "
            "Check the path and its permissions."
        ) from None


@plain_torch(inference=False)
def _load(vision: TowerSource, text: TowerSource, tokenizer: Path, options: TipsOptions, name: str) -> TipsEncoder:
    device = pick_device(options.device)
    dtype = pick_dtype(options.dtype, device)
    if not tokenizer.is_file():
        raise ModelError(
            f"Expected the SentencePiece model {tokenizer} beside the weights; it is missing. "
            "It is published with them; all sizes share one file."
        )
    vision_file, text_file = vision.tensors.file, text.tensors.file
    vision_shapes, text_shapes = (s.tensors.shapes_under(s.prefix) for s in (vision, text))
    vision_config = read_vision_config(vision_shapes, vision_file, options.vision_heads)
    text_config = read_text_config(text_shapes, text_file, options.text_heads)
    check_same_width(vision_config, text_config, vision_file, text_file)
    vision_tower, text_tower = empty_towers(vision_config, text_config)
    check_layout(vision_tower, vision_shapes, vision_file)
    check_layout(text_tower, text_shapes, text_file)
    read_weights(vision_tower.to(dtype).requires_grad_(False), vision, device)
    files = (vision_file,) if vision_file == text_file else (vision_file, text_file)
    return TipsEncoder(
        options.name or name,
        vision_tower,
        text_tower,
        text,
        tokenizer,
        _temperature(text, vision_config.width, options),
        files,
        device,
        dtype,
        options.note,
    )


@plain_torch(inference=False)
def _load_image_encoder(vision: TowerSource, options: TipsOptions, name: str) -> TipsImageEncoder:
    device = pick_device(options.device)
    dtype = pick_dtype(options.dtype, device)
    file, shapes = vision.tensors.file, vision.tensors.shapes
    tower = empty_vision_tower(read_vision_config(shapes, file, options.vision_heads))
    check_layout(tower, shapes, file)
    read_weights(tower.to(dtype).requires_grad_(False), vision, device)
    return TipsImageEncoder(options.name or name, tower, (file,), device, dtype)


def _temperature(text: TowerSource, width: int, options: TipsOptions) -> float | None:
    if TEMPERATURE in text.tensors.shapes_under(text.prefix):
        stored = text.tensors.load(text.prefix + TEMPERATURE)[""]
        value = float(stored) if stored.numel() == 1 else math.nan
        return _checked_temperature(value, text.tensors.file)
    if options.temperature is not None:
        return options.temperature
    return next((size.temperature for size in PUBLISHED_SIZES.values() if size.vision.width == width), None)


def _with_config(file: Path, options: TipsOptions) -> TipsOptions:
    """Take from ``config.json`` what shapes do not tell. Other keys are ignored."""
    config = read_config_json(file)
    temperature = config.get("temperature", options.temperature)
    return replace(
        options,
        vision_heads=options.vision_heads or _whole_number(config, "vision_heads", file),
        text_heads=options.text_heads or _whole_number(config, "text_heads", file),
        temperature=None if temperature is None else _checked_temperature(temperature, file),
    )


def _whole_number(config: dict[str, Any], key: str, file: Path) -> int | None:
    value = config.get(key)
    if value is not None and (type(value) is not int or value < 1):
        raise ModelError(f"Expected a whole number of at least 1 for {key!r} in {file}; got {value!r}. Correct it.")
    return value


def _checked_temperature(value: object, file: Path) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value <= MAX_TEMPERATURE:
        return float(value)
    raise ModelError(
        f"Expected one number above 0 and up to {MAX_TEMPERATURE} as the temperature in {file}; got {value!r}. "
        "Correct the file, or download it again."
    )
