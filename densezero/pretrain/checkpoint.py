"""Checkpoints: written whole and durably, read without running any code in them, refused for another run."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import torch

from densezero.atomic import write_bytes
from densezero.errors import ModelError
from densezero.pretrain.settings import PretrainSettings

_NO_WEIGHT = ("save_every", "log_every", "picture_every", "data.words")  # settings that change no weight


def save_checkpoint(file: Path, state: dict[str, Any], settings: PretrainSettings) -> None:
    """Write a checkpoint; the one before it stays until the new one is whole.

    Raises:
        OutputError: if it cannot be written, for example because the device is full.
    """
    content = io.BytesIO()  # torch hides the reason if it cannot write to a file
    torch.save({**state, "settings": settings.to_json()}, content)
    write_bytes(file, content.getvalue())


def read_state(file: Path, device: torch.device) -> dict[str, Any]:
    """Read the state in a checkpoint, and compare the checksums of its parts, which ``torch.load`` does not.

    Raises:
        Exception: of many kinds, if the file is damaged or no checkpoint.
    """
    with zipfile.ZipFile(file) as parts:
        if (wrong := parts.testzip()) is not None:
            raise ValueError(f"the checksum of {wrong} is wrong")
    state: dict[str, Any] = torch.load(file, map_location=device, weights_only=True)
    return state


def load_checkpoint(file: Path, settings: PretrainSettings, device: torch.device) -> dict[str, Any] | None:
    """Read a checkpoint of the same run; None if there is none.

    Raises:
        ModelError: if it cannot be read, or is of a run with other settings.
    """
    if not file.exists():
        return None
    try:
        state = read_state(file, device)
        stored = json.loads(state["settings"])
    except Exception as error:  # whatever a damaged file makes torch raise
        raise damaged(file, error) from None
    if changed := sorted(_differences(stored, json.loads(settings.to_json()))):
        raise ModelError(
            f"{file} is of a run with other settings: {', '.join(changed)}. Go on with the old ones, or choose "
            "another --out."
        )
    return state


def damaged(file: Path, error: Exception) -> ModelError:
    """Make the error for a checkpoint that cannot be used."""
    reason = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else 'it is cut'}"
    return ModelError(
        f"Expected the checkpoint of a pretraining run in {file}; it cannot be read ({reason}). Move it away to begin "
        "anew, or choose another --out."
    )


def _differences(old: dict[str, Any], new: dict[str, Any], above: str = "") -> list[str]:
    """Names of the settings that differ."""
    found = []
    for name in old.keys() | new.keys():
        first, second = old.get(name), new.get(name)
        if isinstance(first, dict) and isinstance(second, dict):
            found += _differences(first, second, f"{above}{name}.")
        elif first != second and f"{above}{name}" not in _NO_WEIGHT:
            found.append(f"{above}{name} ({first!r} before, {second!r} now)")
    return found
