"""Checks a class list: what in it may cost accuracy, and what to do about it."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from densezero.errors import VocabularyError
from densezero.vocabulary.classes import ClassList
from densezero.vocabulary.closeness import Closeness, Synonyms, class_of_rows, find_near_pairs, measure_synonyms
from densezero.vocabulary.entries import ClassEntry
from densezero.vocabulary.findings import KINDS, Finding, check_spelling, merged, name_some, shorten
from densezero.vocabulary.templates import Templates
from densezero.vocabulary.text_limits import CutWord

_EQUAL = 1e-6  # cosines this close to 1 are those of equal vectors


@dataclass(frozen=True)
class SynonymRow:
    """How far apart the words of a class lie.

    Args:
        name: of the class.
        words: number of its words.
        pair: the two words that lie farthest apart.
        cosine: of this pair.
        share: of the pairs of ordinary words that are less close, 0 to 1.
    """

    name: str
    words: int
    pair: tuple[str, str]
    cosine: float
    share: float


@dataclass(frozen=True)
class Check:
    """The result of a check.

    Attributes:
        findings: the most serious first.
        synonyms: a row for each class with several words, the farthest apart first.
    """

    findings: tuple[Finding, ...]
    synonyms: tuple[SynonymRow, ...]


def check_classes(
    classes: ClassList,
    vectors: NDArray[np.float32],
    scale: Closeness,
    templates: Templates,
    cut: Sequence[CutWord] = (),
) -> Check:
    """Check a class list by its words and their vectors.

    Two classes nearly coincide, and a synonym is far off, by comparison with pairs of ordinary words in the same model,
    because cosines of different models cannot be compared.

    Args:
        classes: the list.
        vectors: (P, D) float32 unit vectors, one row for each word of the classes in their order.
        scale: of the same model and templates.
        templates: that the words are put into.
        cut: the words that the model does not read to their end.

    Raises:
        VocabularyError: for another number of vectors.
    """
    class_of = class_of_rows(classes.words)
    if len(vectors) != len(class_of):
        raise VocabularyError(f"Expected {len(class_of)} vectors, one for each word; got {len(vectors)}.")
    spelling = list(check_spelling(classes, templates))
    synonyms = list(measure_synonyms(class_of, vectors))
    same = {finding.classes for finding in spelling if finding.kind == "same"}
    cut_words = {word for word, _, _ in cut}
    findings = [
        *(each for each in spelling if each.kind != "long" or each.words[0] not in cut_words),
        *_near(classes, vectors, scale, same),
        *_cut(classes, cut),
        *_far(classes, synonyms, scale),
    ]
    order = list(KINDS)
    findings.sort(key=lambda finding: order.index(finding.kind))  # findings of a kind keep their order
    return Check(tuple(findings), tuple(sorted(_synonym_rows(classes, synonyms, scale), key=lambda row: row.cosine)))


def say_share(share: float, pairs: int) -> str:
    """Say how close two words are by the share of the pairs of ordinary words that are less close.

    Example:
        >>> say_share(0.9987, 11175), say_share(1.0, 11175)
        ('closer than 99.8 % of ordinary pairs', 'closer than every ordinary pair')
    """
    if share * pairs >= pairs - 0.5:
        return "closer than every ordinary pair"
    return f"closer than {np.floor(1000 * share) / 10:.1f} % of ordinary pairs"


def _near(
    classes: ClassList, vectors: NDArray[np.float32], scale: Closeness, known: Collection[tuple[str, ...]]
) -> Iterator[Finding]:
    """Find the classes that nearly coincide, apart from the pairs that are known to be the same thing."""
    words = [word for of_class in classes.words for word in of_class]
    for (a, b), (row_a, row_b), cosine in find_near_pairs(class_of_rows(classes.words), vectors, scale.near):
        first, second = classes.entries[a], classes.entries[b]
        if (first.name, second.name) in known:
            continue
        pair = words[row_a], words[row_b]
        if cosine >= 1 - _EQUAL:
            seen = "the model reads both as the same words"
        else:
            seen = f"cosine {cosine:.3f}, {say_share(scale.share(cosine), len(scale.cosines))}"
        if pair != (first.name, second.name):
            seen = f"{shorten(pair[0])} and {shorten(pair[1])}: {seen}"
        yield Finding("near", (first.name, second.name), pair, seen, _advice(first, second, pair), cosine)


def _advice(first: ClassEntry, second: ClassEntry, pair: tuple[str, str]) -> str:
    """Advise what to do with two classes that are close by these words."""
    synonyms = [word for entry, word in zip((first, second), pair, strict=True) if word != entry.words[0]]
    if synonyms:
        return f"Leave out the synonym {shorten(synonyms[-1])}, or use words that differ more."
    text = merged(first, second)
    return (
        f"Two things? Use words that differ more. One thing? {f'Write {text}' if text else 'Make one class of them.'}"
    )


def _cut(classes: ClassList, cut: Sequence[CutWord]) -> Iterator[Finding]:
    for word, read, rest in cut:
        owners = tuple(entry.name for entry in classes.entries if word in entry.words)
        count, ignored = len(word.split()), len(rest.split())
        part = f"{ignored} of its {count} words are" if ignored > 1 else "its end is"
        seen = f"{shorten(word)}: read up to '... {read[-20:].split(' ', 1)[-1]}'; {part} ignored: {shorten(rest)}"
        yield Finding("cut", owners, (word,), seen, "Shorten it, or put what matters at its beginning.")


def _far(classes: ClassList, synonyms: Sequence[Synonyms], scale: Closeness) -> Iterator[Finding]:
    """Find synonyms that no other word of their class is close to. Words for background have nothing in common."""
    words = [word for of_class in classes.words for word in of_class]
    background = classes.background_index
    for each in synonyms:
        if each.class_index == background:
            continue
        far = [(words[row], best) for row, best in zip(each.rows, each.closest, strict=True) if best < scale.far]
        if len(far) == len(each.rows):
            far = far[1:]  # all lie apart: the first word stays
        if not far:
            continue
        name, named = classes.entries[each.class_index].name, name_some([shorten(word) for word, _ in far])
        closest = min(best for _, best in far)
        closer = f"{100 * (1 - scale.share(closest)):.0f} % of ordinary pairs of words are closer"
        seen = f"{named} beside the other words: {closer} (cosine {closest:.3f})"
        it = "it" if len(far) == 1 else "them"
        advice = f"Keep {it} if {name!r} shall mean this too. Else leave {it} out."
        yield Finding("far", (name,), tuple(word for word, _ in far), seen, advice, closest)


def _synonym_rows(classes: ClassList, synonyms: Sequence[Synonyms], scale: Closeness) -> Iterator[SynonymRow]:
    words = [word for of_class in classes.words for word in of_class]
    for each in synonyms:
        pair = words[each.pair[0]], words[each.pair[1]]
        name = classes.entries[each.class_index].name
        yield SynonymRow(name, len(each.rows), pair, each.cosine, scale.share(each.cosine))
