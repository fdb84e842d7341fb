"""Reads the ``config.json`` beside weights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from densezero.errors import ModelError


def read_config_json(file: Path) -> dict[str, Any]:
    """Read a JSON file of settings. A missing file gives an empty dictionary.

    Raises:
        ModelError: if it cannot be read, or holds no JSON object.
    """
    try:
        config: Any = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(f"{file} cannot be read as JSON ({error}). Delete it or download it again.") from None
    if not isinstance(config, dict):
        raise ModelError(
            f"Expected a JSON object in {file}; got {type(config).__name__}. Delete it or download it again."
        )
    return config
