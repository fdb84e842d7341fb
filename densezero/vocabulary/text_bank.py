"""The text bank: one unit vector for each word of a class list, computed once and kept on disk by content."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from densezero.encoders.base import DenseEncoder
from densezero.encoders.device import plain_torch, to_numpy
from densezero.encoders.products import linear
from densezero.errors import VocabularyError
from densezero.vocabulary.templates import Templates
from densezero.vocabulary.text_cache import bank_file, read_vectors, write_vectors
from densezero.vocabulary.text_limits import refuse_equal_classes, tell_of_cut_words

PROMPTS_AT_ONCE = 512


@dataclass(frozen=True)
class TextBank:
    """Unit text vectors, and the class that each belongs to.

    Args:
        vectors: (P, D) float32 of length 1, one row for each word. Rows made from examples may have another length.
        class_of: (P,) int64 class index of each row, rising; a class may have no row.
        classes: number of classes C.
        offsets: (P,) added to the cosines of each row; None adds nothing.
    """

    vectors: Tensor
    class_of: Tensor
    classes: int
    offsets: Tensor | None = None

    def to(self, device: torch.device) -> TextBank:
        """Copy the bank to another device; return the bank itself where it is there already."""
        if self.vectors.device == self.class_of.device == device:
            return self
        offsets = None if self.offsets is None else self.offsets.to(device)
        return TextBank(self.vectors.to(device), self.class_of.to(device), self.classes, offsets)

    def cosines(self, features: Tensor) -> Tensor:
        """Compute the cosine of every feature with every word.

        Args:
            features: (..., D) float32 of any length, on the bank's device.

        Returns:
            (..., P) float32, for words in [-1, 1]; 0 for a feature of length 0.
        """
        products = linear(F.normalize(features, dim=-1), self.vectors)
        return products if self.offsets is None else products + self.offsets

    def best_of_class(self, scores: Tensor) -> Tensor:
        """Take the maximum over the words of each class, for the F classes that have words.

        Args:
            scores: (..., P) of every word.

        Returns:
            (..., F) in label order.
        """
        if len(self.worded_classes) == len(self.class_of):
            return scores
        best = scores[..., self._first_word]
        for columns, words in self._synonyms:
            best[..., columns] = torch.maximum(best[..., columns], scores[..., words])
        return best

    def scatter(self, scores: Tensor) -> Tensor:
        """Put the scores of the classes with words in their places; classes without words get minus infinity.

        Args:
            scores: (..., F) as ``best_of_class`` gives them.

        Returns:
            (..., C).
        """
        if len(self.worded_classes) == self.classes:
            return scores
        placed = scores.new_full((*scores.shape[:-1], self.classes), -torch.inf)
        placed[..., self.worded_classes] = scores
        return placed

    @property
    def units(self) -> Tensor:
        """(P, D) the rows at length 1. Those of words have it already, and stay as they are."""
        return self.vectors if self.offsets is None else F.normalize(self.vectors, dim=1)

    @cached_property
    def worded_classes(self) -> Tensor:
        """(F,) int64 index of each class that has a word, rising."""
        return self.class_of.bincount(minlength=self.classes).nonzero().flatten()

    @cached_property
    def _first_word(self) -> Tensor:
        """(F,) row of the first word of each class that has one."""
        return torch.searchsorted(self.class_of, self.worded_classes)

    @cached_property
    def _synonyms(self) -> list[tuple[Tensor, Tensor]]:
        """For the second word of the classes, the third and so on: places of the classes that have it, and its row."""
        rows = torch.arange(len(self.class_of), device=self.class_of.device)
        place = torch.searchsorted(self.worded_classes, self.class_of)  # (P,) of each word's class, among F
        rank = rows - self._first_word[place]
        return [(place[rank == k], rows[rank == k]) for k in range(1, int(rank.max()) + 1)]


@plain_torch()
def cosine(features: Tensor, text: Tensor) -> Tensor:
    """Compute the cosine of every patch with every text vector.

    Args:
        features: (B, gh, gw, D), of any length.
        text: (P, D), of any length.

    Returns:
        (B, P, gh, gw) float32 in [-1, 1], a view of (B, gh, gw, P); 0 for a feature of length 0.
    """
    units = F.normalize(features.float(), dim=-1)
    similarity = units @ F.normalize(text.float().to(units.device), dim=-1).T  # (B, gh, gw, P)
    return similarity.permute(0, 3, 1, 2)


@plain_torch()
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
        VocabularyError: if the model cannot tell two classes apart.
    """
    flat = [word for of_class in words for word in of_class]
    class_of = torch.tensor([index for index, of_class in enumerate(words) for _ in of_class], dtype=torch.int64)
    vectors = recall_words(encoder, flat, templates, progress)
    tell_of_cut_words(encoder, flat, templates)
    refuse_equal_classes(words, vectors)
    return TextBank(vectors, class_of, len(words)).to(encoder.device)


def recall_words(
    encoder: DenseEncoder,
    words: Sequence[str],
    templates: Templates,
    progress: Callable[[int, int], None] | None = None,
) -> Tensor:
    """Read the vectors of words from disk, or embed them and keep them there: (P, D) float32 unit vectors.

    The device is the CPU if they are read, else the encoder's.
    """
    file = bank_file(encoder.text_hash, words, templates)
    vectors = read_vectors(file, (len(words), encoder.width))
    if vectors is None:
        vectors = embed_words(encoder, words, templates, progress)
        write_vectors(file, vectors.cpu())
    return vectors


@plain_torch()
def embed_words(
    encoder: DenseEncoder,
    words: Sequence[str],
    templates: Templates,
    progress: Callable[[int, int], None] | None = None,
) -> Tensor:
    """Embed words without the cache: (P, D) float32 unit vectors on the encoder's device."""
    at_once = max(1, PROMPTS_AT_ONCE // len(templates))
    parts = [torch.empty(0, encoder.width, device=encoder.device)]
    if progress is not None:
        progress(0, len(words))
    for start in range(0, len(words), at_once):
        chosen = words[start : start + at_once]
        prompts = [prompt for word in chosen for prompt in templates.fill(word)]
        embeddings = encoder.encode_text(prompts).float()  # (words * templates, D)
        units = F.normalize(embeddings, dim=-1).reshape(len(chosen), len(templates), -1)
        parts.append(F.normalize(units.mean(1), dim=-1))
        if progress is not None:
            progress(start + len(chosen), len(words))
    return torch.cat(parts)


@plain_torch()
def bank_from_vectors(
    encoder: DenseEncoder, words: Sequence[Sequence[str]], vectors: NDArray[np.floating] | Tensor | TextBank
) -> TextBank:
    """Make a text bank of a user's own vectors.

    Args:
        encoder: its patch features are compared with the vectors.
        words: the words of each class. A class that the background threshold alone finds has none, and gets no vector.
        vectors: (P, D) one row for each word, or one row for each class that has words, in their order; of any length.
            A bank is taken as it is.

    Returns:
        The bank, on the encoder's device.

    Raises:
        VocabularyError: for another shape, or a row that is zero or not finite.
    """
    if isinstance(vectors, TextBank):
        return vectors.to(encoder.device)
    rows = torch.as_tensor(vectors, device="cpu").detach().to(torch.float32)
    worded = [index for index, of_class in enumerate(words) if of_class]
    of_words = [index for index, of_class in enumerate(words) for _ in of_class]
    if rows.ndim != 2 or len(rows) not in (len(worded), len(of_words)) or rows.shape[1] != encoder.width:
        raise VocabularyError(
            f"Expected text embeddings ({len(worded)}, {encoder.width}), one row for each class, or ({len(of_words)}, "
            f"{encoder.width}), one row for each word; got {tuple(rows.shape)}."
        )
    if not bool((rows.norm(dim=1) > 0).all()) or not bool(rows.isfinite().all()):
        raise VocabularyError("Expected text embeddings of finite numbers, none of them zero; got a row that is not.")
    class_of = torch.tensor(of_words if len(rows) == len(of_words) else worded, dtype=torch.int64, device="cpu")
    return TextBank(F.normalize(rows, dim=-1), class_of, len(words)).to(encoder.device)


def vectors_sha256(vectors: Tensor) -> str:
    """Hash text vectors, for a report: hexadecimal SHA-256 of their float32 bytes."""
    return hashlib.sha256(to_numpy(vectors).tobytes()).hexdigest()
