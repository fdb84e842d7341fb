"""Background words that a model chooses itself: words of a lexicon that cover what the user's words leave out.

They are chosen by facility location: each word adds what it covers of the lexicon, less what resembles earlier choices.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from densezero.encoders.base import DenseEncoder
from densezero.encoders.device import to_numpy
from densezero.errors import VocabularyError
from densezero.vocabulary.background import AUTO, Background
from densezero.vocabulary.classes import ClassList
from densezero.vocabulary.entries import fold_word
from densezero.vocabulary.lexicon import lexicon, refuse_stuff
from densezero.vocabulary.templates import Templates
from densezero.vocabulary.text_bank import recall_words

COUNT: Final = 64
NEAR_SHARE: Final = 0.99
"""A word is too close to a user's word if at most 1 in 100 pairs of the lexicon is closer. Cosines
differ between encoders, so one cosine for all of them would not do."""

_PENALTY = 0.5
_DECIMALS = 6  # float32 vectors differ by less between machines


def choose_background_words(
    encoder: DenseEncoder,
    classes: ClassList,
    background: Background,
    templates: Templates,
    progress: Callable[[int, int], None] | None = None,
) -> Background:
    """Choose the words of a background whose words are ``"auto"`` or ``"auto-anyway"``; give back any other.

    Args:
        encoder: embeds the words.
        classes: the user's list. The words of its class called background do not count: the chosen ones replace them.
        background: what was asked for.
        templates: the sentences that each word is set into.
        progress: called with the words done and all words.

    Raises:
        VocabularyError: if the list names stuff and the words are not forced, or no word is left.
        ModelError: if the encoder has no text tower.
    """
    if not isinstance(background.words, str):
        return background
    if background.words == AUTO:
        refuse_stuff(classes)
    own = [word for index, words in enumerate(classes.words) if index != classes.background_index for word in words]
    words, folded = lexicon(), {fold_word(word) for word in (*own, *classes.names)}
    vectors = to_numpy(recall_words(encoder, words, templates, progress))  # (N, D)
    far = far_from(vectors, to_numpy(recall_words(encoder, own, templates, progress)))  # (N,)
    free = np.array([word not in folded for word in words])
    candidates = np.flatnonzero(far & free)
    if not len(candidates):
        raise VocabularyError(
            f"Expected words of the lexicon that {encoder.name} can tell from these classes; it has none. Write "
            "background words yourself."
        )
    chosen = candidates[choose_negative_words(vectors[candidates])]
    return replace(background, words=tuple(words[index] for index in chosen))


def far_from(
    vectors: NDArray[np.float32], user_vectors: NDArray[np.float32], near_share: float = NEAR_SHARE
) -> NDArray[np.bool_]:
    """Find the words of a lexicon that are not too close to any of the user's words.

    Args:
        vectors: (N, D) unit vectors of the lexicon, two words or more.
        user_vectors: (U, D) unit vectors of the user's words; U may be 0.
        near_share: the quantile of the cosines between the lexicon's own words from which a word is too close.

    Returns:
        (N,) True where the highest cosine with a user's word is below that quantile.
    """
    first, second = np.triu_indices(len(vectors), 1)
    limit = np.quantile(_cosines(vectors, vectors)[first, second], near_share).round(_DECIMALS)
    highest = _cosines(vectors, user_vectors).max(axis=1, initial=-1.0)  # (N,)
    return np.asarray(highest.round(_DECIMALS) < limit)


def choose_negative_words(vectors: NDArray[np.float32], count: int = COUNT) -> list[int]:
    """Choose words by facility location, so that every word has a chosen one that is close to it.

    The gain of a word i is mean_j max(S_ij - covered_j, 0) - 0.5 max(0, highest cosine with a chosen word) m, where S
    are the cosines between the words, covered_j is the highest cosine of word j with a chosen word (0 at first), and m
    is the mean of the first term over all words. Gains are rounded to 1e-6, and the first of equal ones is taken, so
    that the choice is the same on every machine.

    Args:
        vectors: (N, D) unit vectors.
        count: number of words to choose; all of them if there are fewer.

    Returns:
        Rows in the order of their choice. The first one is the word with the highest mean of positive cosines.

    Example:
        >>> choose_negative_words(np.array([[1, 0], [0.8, 0.6], [0, 1]], np.float32), count=2)
        [1, 2]
    """
    cosines = _cosines(vectors, vectors)  # (N, N)
    covered = np.zeros(len(vectors))
    chosen: list[int] = []
    for _ in range(min(count, len(vectors))):
        new = np.maximum(cosines - covered, 0).mean(1)  # (N,) what each word would cover in addition
        gains = (new - _PENALTY * covered * new.mean()).round(_DECIMALS)
        gains[chosen] = -np.inf
        chosen.append(int(gains.argmax()))
        covered = np.maximum(covered, cosines[chosen[-1]])
    return chosen


def _cosines(some: NDArray[np.float32], others: NDArray[np.float32]) -> NDArray[np.float64]:
    """Multiply in float64, where the order of sums does not reach the rounding."""
    return np.asarray(some.astype(np.float64) @ others.astype(np.float64).T)
