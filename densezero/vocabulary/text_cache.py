"""Word vectors on disk. The name of a file is a hash of everything that the vectors are made with."""

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

LAYOUT = 2  # raised whenever the same key would mean other numbers


def bank_file(text_hash: str, words: Sequence[str], templates: Templates) -> Path:
    """Give the file of the vectors of a text encoder, words (of all classes, in their order) and templates."""
    content = json.dumps([LAYOUT, text_hash, list(words), templates.sha256])
    return cache_folder() / "text" / f"{hashlib.sha256(content.encode()).hexdigest()}.safetensors"


def read_vectors(file: Path, shape: tuple[int, int]) -> Tensor | None:
    """Read kept vectors. None if the file is missing or damaged, or holds another shape."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        vectors = load_file(file)["vectors"]
    except (OSError, SafetensorError, KeyError):
        return None
    return vectors if tuple(vectors.shape) == shape and vectors.dtype == torch.float32 else None


def write_vectors(file: Path, vectors: Tensor) -> None:
    """Keep the vectors. A full or read-only disk is not an error: they are computed again next time."""
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
