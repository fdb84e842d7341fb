"""Word vectors kept on disk by content: what they are made with decides the name of their file."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import torch
from torch import Tensor

from densezero.encoders.file_hash import cache_folder
from densezero.vocabulary.templates import Templates

LAYOUT = 1  # raised whenever the same key would mean other numbers


def bank_file(weights_hash: str, words: Sequence[str], templates: Templates) -> Path:
    """File of the vectors of these weights, words (of all classes, in order) and templates."""
    content = json.dumps([LAYOUT, weights_hash, list(words), templates.sha256])
    return cache_folder() / "text" / f"{hashlib.sha256(content.encode()).hexdigest()}.safetensors"


def read_vectors(file: Path, shape: tuple[int, int]) -> Tensor | None:
    """Read kept vectors; None where there are none, or none of this shape, or the file is damaged."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        vectors = load_file(file)["vectors"]
    except (OSError, SafetensorError, KeyError):
        return None
    return vectors if tuple(vectors.shape) == shape and vectors.dtype == torch.float32 else None


def write_vectors(file: Path, vectors: Tensor) -> None:
    """Keep the vectors if the disk lets us; a full or read-only disk only costs time."""
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    aside = file.with_suffix(f".{os.getpid()}.tmp")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        save_file({"vectors": vectors.contiguous()}, aside)
        aside.replace(file)
    except (OSError, SafetensorError):
        with suppress(OSError):
            aside.unlink(missing_ok=True)
