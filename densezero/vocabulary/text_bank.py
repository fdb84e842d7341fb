"""The text bank: one unit vector for each word of a class list, computed once and kept on disk by content."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
import torch.nn.functional as F
from torch import Tensor

from densezero.encoders.base import DenseEncoder
from densezero.encoders.products import linear
from densezero.vocabulary.templates import Templates
from densezero.vocabulary.text_cache import bank_file, read_vectors, write_vectors

PROMPTS_AT_ONCE = 512


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
        """The same bank on another device; itself where it is there already."""
        if self.vectors.device == self.class_of.device == device:
            return self
        return TextBank(self.vectors.to(device), self.class_of.to(device), self.classes)

    def cosines(self, features: Tensor) -> Tensor:
        """Cosine of every feature with every word.

        Args:
            features: (..., D) float32 of any length, on the bank's device.

        Returns:
            (..., P) float32 in [-1, 1]; 0 for a feature of length nought.
        """
        return linear(F.normalize(features, dim=-1), self.vectors)

    def best_of_class(self, rows: Tensor, dim: int) -> Tensor:
        """Take the maximum over each class's words.

        Args:
            rows: any shape with P at ``dim``.
            dim: the dimension of the words.

        Returns:
            The same shape with C at ``dim``; minus infinity where a class has no word.
        """
        return self.spread(self.best_of_found(rows, dim), dim)

    def best_of_found(self, rows: Tensor, dim: int) -> Tensor:
        """Take the maximum over each class's words, for the classes that have words and for no other.

        Blending rows needs finite scores, so the classes without words are spread in after it.

        Args:
            rows: any shape with P at ``dim``.
            dim: the dimension of the words.

        Returns:
            The same shape with one entry at ``dim`` for each class that has a word, in label order.
        """
        if len(self.found) == len(self.class_of):
            return rows
        best = rows.index_select(dim, self._first_row)
        by_class, by_row = best.movedim(dim, 0), rows.movedim(dim, 0)
        for places, words in self._synonyms:
            by_class[places] = torch.maximum(by_class[places], by_row[words])
        return best

    def spread(self, scores: Tensor, dim: int) -> Tensor:
        """Put the scores of the classes that have words in their places, and minus infinity into the others.

        Args:
            scores: as ``best_of_found`` gives them.
            dim: the dimension of the classes.

        Returns:
            The same shape with C at ``dim``.
        """
        if len(self.found) == self.classes:
            return scores
        shape = list(scores.shape)
        shape[dim] = self.classes
        return scores.new_full(shape, float("-inf")).index_copy_(dim, self.found, scores)

    @cached_property
    def found(self) -> Tensor:
        """Label of each class that has a word, rising, int64."""
        return self.class_of.bincount(minlength=self.classes).nonzero().flatten()

    @cached_property
    def _first_row(self) -> Tensor:
        """Row of the first word of each class that has one."""
        return torch.searchsorted(self.class_of, self.found)

    @cached_property
    def _synonyms(self) -> list[tuple[Tensor, Tensor]]:
        """Which classes (by their place in ``found``) have a second word and where it is, a third, and so on."""
        rows = torch.arange(len(self.class_of), device=self.class_of.device)
        place = torch.searchsorted(self.found, self.class_of)
        rank = rows - self._first_row[place]
        return [(place[rank == k], rows[rank == k]) for k in range(1, int(rank.max()) + 1)]


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
        progress: called with the words done and all words, at the start and whenever a batch is done.

    Returns:
        The bank, on the encoder's device. The same weights, words and templates are read from disk the next time.

    Raises:
        ModelError: if the encoder has no text tower.
    """
    flat = [word for of_class in words for word in of_class]
    class_of = torch.tensor([index for index, of_class in enumerate(words) for _ in of_class], dtype=torch.int64)
    file = bank_file(encoder.weights_hash, flat, templates)
    vectors = read_vectors(file, (len(flat), encoder.width))
    if vectors is None:
        vectors = embed_words(encoder, flat, templates, progress)
        write_vectors(file, vectors)
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
    if progress is not None:
        progress(0, len(words))
    for start in range(0, len(words), at_once):
        chosen = words[start : start + at_once]
        prompts = [prompt for word in chosen for prompt in templates.fill(word)]
        embeddings = encoder.encode_text(prompts).float().cpu()  # (words * templates, D)
        units = F.normalize(embeddings, dim=-1).reshape(len(chosen), len(templates), -1)
        parts.append(F.normalize(units.mean(1), dim=-1))
        if progress is not None:
            progress(start + len(chosen), len(words))
    return torch.cat(parts)
