"""Checks a class list: what in it may cost accuracy, and what to do about it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from densezero.errors import VocabularyError
from densezero.vocabulary.classes import ClassList
from densezero.vocabulary.closeness import (
    Closeness,
    NearPair,
    Synonyms,
    class_of_rows,
    find_near_pairs,
    group_near_pairs,
    measure_synonyms,
)
from densezero.vocabulary.entries import ClassEntry
from densezero.vocabulary.findings import KINDS, NAMES, Finding, check_spelling, join_words, merged, name_some, shorten
from densezero.vocabulary.known_words import thing_key
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
    """Find the classes that nearly coincide, apart from those that are known to be the same thing."""
    names = classes.names
    pairs = [
        pair
        for pair in find_near_pairs(class_of_rows(classes.words), vectors, scale.near)
        if not any({names[index] for index in pair.classes} <= set(same) for same in known)
    ]
    for group in group_near_pairs(pairs):
        yield _near_finding(classes, group, scale)


def _near_finding(classes: ClassList, pairs: Sequence[NearPair], scale: Closeness) -> Finding:
    """Describe classes that nearly coincide; each of them is in one of the pairs at least."""
    words = [word for of_class in classes.words for word in of_class]
    rows = {index: row for pair in reversed(pairs) for index, row in zip(pair.classes, pair.rows, strict=True)}
    entries = [classes.entries[index] for index in sorted(rows)]
    close = tuple(words[rows[index]] for index in sorted(rows))
    names = tuple(entry.name for entry in entries)
    least = min(max(pair.cosine for pair in pairs if index in pair.classes) for index in rows)
    if least >= 1 - _EQUAL:
        seen = f"the model reads {'both' if len(names) == 2 else 'all of them'} as the same words"
    else:
        cosine = f"cosine {least:.3f}" if len(names) == 2 else f"cosine {least:.3f} or more from each to another"
        seen = f"{cosine}, {say_share(scale.share(least), len(scale.cosines))}"
    if close != names or len(names) > NAMES:
        seen = f"{join_words(close)}: {seen}"
    return Finding("near", names, close, seen, _advice(entries, close), max(pair.cosine for pair in pairs))


def _advice(entries: Sequence[ClassEntry], close: Sequence[str]) -> str:
    """Advise what to do with classes that are close by these words."""
    synonyms = [word for entry, word in zip(entries, close, strict=True) if word != entry.words[0]]
    if synonyms:
        return f"Leave out the synonym {shorten(synonyms[-1])}, or use words that differ more."
    text = merged(entries)
    one = f"Write {text}" if text else "Make one class of them."
    return f"Different things? Use words that differ more, or a model that knows them. One thing? {one}"


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
        things = Counter(thing_key(words[row]) for row in each.rows)  # sofa and settee are one, whatever the model says
        far = [
            (words[row], best)
            for row, best in zip(each.rows, each.closest, strict=True)
            if best < scale.far and things[thing_key(words[row])] == 1
        ]
        if len(far) == len(each.rows):
            far = far[1:]  # all lie apart: the first word stays
        if not far:
            continue
        name, named = classes.entries[each.class_index].name, name_some([shorten(word) for word, _ in far])
        closest = min(best for _, best in far)
        closer = f"{100 * (1 - scale.share(closest)):.0f} % of ordinary pairs of words are closer"
        it = "it" if len(far) == 1 else "them"
        seen = f"{named} {'is' if it == 'it' else 'are'} far from the other words: {closer} (cosine {closest:.3f})"
        advice = f"Keep {it} if {name!r} shall mean this too. Else leave {it} out."
        yield Finding("far", (name,), tuple(word for word, _ in far), seen, advice, closest)


def _synonym_rows(classes: ClassList, synonyms: Sequence[Synonyms], scale: Closeness) -> Iterator[SynonymRow]:
    words = [word for of_class in classes.words for word in of_class]
    for each in synonyms:
        pair = words[each.pair[0]], words[each.pair[1]]
        name = classes.entries[each.class_index].name
        yield SynonymRow(name, len(each.rows), pair, each.cosine, scale.share(each.cosine))
