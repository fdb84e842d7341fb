"""Checkpoints: written whole and durably, read without running any code in them, refused for another run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch

from densezero.atomic import write_atomically
from densezero.errors import ModelError
from densezero.pretrain.settings import PretrainSettings

_HOW_OFTEN = ("save_every", "log_every", "picture_every")  # they change no weight


def save_checkpoint(file: Path, state: dict[str, Any], settings: PretrainSettings) -> None:
    """Write a checkpoint; the one before it stays until the new one is whole.

    Raises:
        OutputError: if it cannot be written, for example because the device is full.
    """
    stored = {**state, "settings": settings.to_json()}
    write_atomically(file, lambda out: torch.save(stored, out), durable=True)


def load_checkpoint(file: Path, settings: PretrainSettings, device: torch.device) -> dict[str, Any] | None:
    """Read a checkpoint of the same run; None if there is none.

    Raises:
        ModelError: if it cannot be read, or is of a run with other settings.
    """
    if not file.exists():
        return None
    try:
        state: dict[str, Any] = torch.load(file, map_location=device, weights_only=True)
        stored = _decisive(json.loads(state["settings"]))
    except Exception as error:  # whatever a damaged file makes torch raise
        raise ModelError(
            f"Expected the checkpoint of a pretraining run in {file}; it cannot be read: {error}"
        ) from None
    if changed := sorted(_differences(stored, _decisive(json.loads(settings.to_json())))):
        raise ModelError(
            f"{file} is of a run with other settings: {', '.join(changed)}. Go on with the old ones, or choose "
            "another --out."
        )
    return state


def _decisive(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name not in _HOW_OFTEN}


def _differences(old: dict[str, Any], new: dict[str, Any], above: str = "") -> list[str]:
    """Names of the settings that differ."""
    found = []
    for name in old.keys() | new.keys():
        first, second = old.get(name), new.get(name)
        if isinstance(first, dict) and isinstance(second, dict):
            found += _differences(first, second, f"{above}{name}.")
        elif first != second:
            found.append(f"{above}{name} ({first!r} before, {second!r} now)")
    return found
