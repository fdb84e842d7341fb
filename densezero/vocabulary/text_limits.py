"""Words that a text tower does not read to their end, and classes that it cannot tell apart."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from densezero.encoders.base import DenseEncoder
from densezero.errors import DenseZeroWarning, VocabularyError
from densezero.vocabulary.entries import fold_word
from densezero.vocabulary.templates import Templates

LONG = 60
"""Shorter words, in characters, are read whole by every tower."""

_MORE = " zebra"
_SHOWN = 60


class CutWord(NamedTuple):
    """A word that is longer than the text tower reads.

    Args:
        word: the whole word.
        read: its beginning, which the tower reads.
        cut: the rest, which decides nothing.
    """

    word: str
    read: str
    cut: str


def refuse_equal_classes(words: Sequence[Sequence[str]], vectors: Tensor) -> None:
    """Refuse a class that no pixel can get, because each of its words has the vector of an earlier class's word.

    Args:
        words: of each class.
        vectors: (P, D) one row for each word, in their order.

    Raises:
        VocabularyError: naming both classes.
    """
    rows = [(index, word) for index, of_class in enumerate(words) for word in of_class]
    first: dict[bytes, tuple[int, str]] = {}
    owners: dict[int, list[tuple[int, str]]] = {}
    for (index, word), vector in zip(rows, vectors.cpu(), strict=True):
        other = first.setdefault(vector.numpy().tobytes(), (index, word))
        owners.setdefault(index, []).append(other)
    for index, others in owners.items():
        word = others[0][1]
        same_word = {fold_word(text) for text in words[index]} & {fold_word(text) for _, text in others}
        if all(owner != index for owner, _ in others) and not same_word:
            raise VocabularyError(
                f"The model reads {_short(words[index][0])} and {_short(word)} as the same words, so the second one of "
                "these classes would never be found. Shorten them, or use other words."
            )


def tell_of_cut_words(encoder: DenseEncoder, words: Sequence[str], templates: Templates) -> None:
    """Warn of words that are longer than the text tower reads: what follows its limit decides nothing."""
    for word, read, cut in find_cut_words(encoder, words, templates):
        warnings.warn(
            f"the model reads {_short(word)} up to {read[-20:]!r}; cut off is {_short(cut)}",
            DenseZeroWarning,
            stacklevel=2,
        )


def find_cut_words(encoder: DenseEncoder, words: Sequence[str], templates: Templates) -> Iterator[CutWord]:
    """Find the words that are longer than the text tower reads, in the first of the templates.

    Args:
        encoder: its text tower reads the words.
        words: of a class list; those under ``LONG`` characters are not tried.
        templates: the first one is used.
    """
    for word in words:
        if len(word) < LONG:
            continue
        read = _read_part(encoder, word, templates)
        if read != word:
            yield CutWord(word, read, word[len(read) :].strip())


def _read_part(encoder: DenseEncoder, word: str, templates: Templates) -> str:
    """The beginning of a word that decides its vector: where more words change nothing, the limit was reached."""
    parts = word.split()

    def is_beyond(count: int) -> bool:
        text = " ".join(parts[:count])
        plain, more = encoder.encode_text([templates.fill(word)[0], templates.fill(text + _MORE)[0]])
        return bool(torch.allclose(plain, more, atol=1e-5))

    if not is_beyond(len(parts)):
        return word
    low, high = 0, len(parts)  # not beyond, beyond
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if is_beyond(middle) else (middle, high)
    return " ".join(parts[:high])


def _short(text: str) -> str:
    return repr(text if len(text) <= _SHOWN else f"{text[:_SHOWN]}...")
