"""The text bank: one unit vector for each word of a class list, computed once and kept on disk by content."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from densezero.encoders.base import DenseEncoder
from densezero.encoders.digest import cache_folder
from densezero.vocabulary.templates import Templates

PROMPTS_AT_ONCE = 4096
LAYOUT = 1  # raised whenever the same key would mean other numbers


@dataclass(frozen=True)
class TextBank:
    """Unit text vectors, and the class that each belongs to.

    Args:
        vectors: (P, D) float32, one row for each word, of length 1.
        class_of: (P,) int64 class index of each row, rising; a class without a row is never found by its words.
        classes: number of classes C.
    """

    vectors: Tensor
    class_of: Tensor
    classes: int

    def to(self, device: torch.device) -> TextBank:
        """The same bank on another device."""
        return TextBank(self.vectors.to(device), self.class_of.to(device), self.classes)

    def best_of_class(self, rows: Tensor, dim: int) -> Tensor:
        """Take the maximum over each class's words.

        Args:
            rows: any shape with P at ``dim``.
            dim: the dimension of the words.

        Returns:
            The same shape with C at ``dim``; minus infinity where a class has no word.
        """
        if self.classes == len(self.class_of):
            return rows
        shape = list(rows.shape)
        shape[dim] = self.classes
        best = rows.new_full(shape, float("-inf"))
        by_class, by_row = best.movedim(dim, 0), rows.movedim(dim, 0)
        for classes, words in self._rounds:
            by_class[classes] = torch.maximum(by_class[classes], by_row[words])
        return best

    @cached_property
    def _rounds(self) -> list[tuple[Tensor, Tensor]]:
        """The classes that have a first word and where it is, those that have a second, and so on."""
        rank = torch.zeros_like(self.class_of)
        for row in range(1, len(self.class_of)):
            rank[row] = rank[row - 1] + 1 if self.class_of[row] == self.class_of[row - 1] else 0
        rows = torch.arange(len(self.class_of), device=self.class_of.device)
        most = int(rank.max()) + 1 if len(rank) else 0
        return [(self.class_of[rank == k], rows[rank == k]) for k in range(most)]


def build_text_bank(
    encoder: DenseEncoder,
    words: Sequence[Sequence[str]],
    templates: Templates,
    progress: Callable[[int, int], None] | None = None,
) -> TextBank:
    """Embed every word of every class: prompts, unit norm, mean over the templates, unit norm.

    Args:
        encoder: gives the embeddings and names its weights.
        words: for each class the words it is prompted with; a class may have none.
        templates: the sentences that each word is set into.
        progress: called with the words done and all words, whenever a batch is done.

    Returns:
        The bank, on the encoder's device. The same weights, words and templates are read from disk the next time.

    Raises:
        ModelError: if the encoder has no text tower.
    """
    flat = [word for of_class in words for word in of_class]
    class_of = torch.tensor([index for index, of_class in enumerate(words) for _ in of_class], dtype=torch.int64)
    file = _bank_file(encoder.weights_hash, flat, templates)
    vectors = _read_vectors(file, (len(flat), encoder.width))
    if vectors is None:
        vectors = embed_words(encoder, flat, templates, progress)
        _write_vectors(file, vectors)
    return TextBank(vectors, class_of, len(words)).to(encoder.device)


def embed_words(
    encoder: DenseEncoder,
    words: Sequence[str],
    templates: Templates,
    progress: Callable[[int, int], None] | None = None,
) -> Tensor:
    """Embed words without the cache: (P, D) float32 unit vectors on the processor."""
    at_once = max(1, PROMPTS_AT_ONCE // len(templates))
    parts = [torch.empty(0, encoder.width)]
    for start in range(0, len(words), at_once):
        chosen = words[start : start + at_once]
        prompts = [prompt for word in chosen for prompt in templates.fill(word)]
        embeddings = encoder.encode_text(prompts).float().cpu()  # (words * templates, D)
        units = F.normalize(embeddings, dim=-1).reshape(len(chosen), len(templates), -1)
        parts.append(F.normalize(units.mean(1), dim=-1))
        if progress is not None:
            progress(start + len(chosen), len(words))
    return torch.cat(parts)


def _bank_file(weights_hash: str, words: Sequence[str], templates: Templates) -> Path:
    content = json.dumps([LAYOUT, weights_hash, list(words), templates.sha256])
    return cache_folder() / "text" / f"{hashlib.sha256(content.encode()).hexdigest()}.safetensors"


def _read_vectors(file: Path, shape: tuple[int, int]) -> Tensor | None:
    """Read a kept bank; one that is damaged is computed again."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        vectors = load_file(file)["vectors"]
    except (OSError, SafetensorError, KeyError):
        return None
    return vectors if tuple(vectors.shape) == shape and vectors.dtype == torch.float32 else None


def _write_vectors(file: Path, vectors: Tensor) -> None:
    """Keep the bank if the disk lets us; a full or read-only disk only costs time."""
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    aside = file.with_suffix(f".{os.getpid()}.tmp")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        save_file({"vectors": vectors.contiguous()}, aside)
        aside.replace(file)
    except (OSError, SafetensorError):
        aside.unlink(missing_ok=True)
