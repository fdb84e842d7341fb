"""What a check of a class list may find: the kinds, and the findings that need no model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Final, NamedTuple

from densezero.vocabulary.classes import ClassList
from densezero.vocabulary.entries import ClassEntry, fold_word
from densezero.vocabulary.known_words import correct_typing, plain_spelling, thing_key, word_key
from densezero.vocabulary.templates import PLACE, Templates


class Kind(NamedTuple):
    """A kind of finding: its title, and what it means."""

    title: str
    why: str


KINDS: Final = {
    "one-class": Kind("One class only", "Every pixel gets it, whatever is there."),
    "same": Kind(
        "The same thing twice", "Two classes have words for one thing, so chance decides which one a pixel gets."
    ),
    "near": Kind(
        "Hard to tell apart", "The model hardly sees a difference between two classes, or does not know them."
    ),
    "cut": Kind("Cut off", "The model reads only the beginning of a long text."),
    "typing": Kind("Typing error?", "Words that densezero does not know, one letter away from a known word."),
    "spelling": Kind("Written as in a data file", "Models learned from captions, which have spaces between words."),
    "long": Kind("Long for a template", "Templates are made for the name of a thing, not for a description."),
    "far": Kind(
        "Unlike its synonyms", "A word that is hardly closer to the other words of its class than unrelated words are."
    ),
    "often": Kind("Wins very often", "If something without a class of its own is there, such a word gets its pixels."),
    "never": Kind("Never wins", "Classes that get no pixel."),
    "spare": Kind("Synonym never wins", "Words that get no pixel, while other words of their class do."),
}
"""Every kind of finding, the most serious first."""

LONG_WORDS: Final = 8
"""A name of more words is a description, and templates such as "a photo of a {}." are made for names."""

MERGE_LETTERS: Final = 60
"""A longer merged class is not written out."""


SHOWN_LETTERS: Final = 40
"""Letters of a description that a finding shows."""


@dataclass(frozen=True)
class Finding:
    """Something in a class list that may cost accuracy.

    Args:
        kind: a key of ``KINDS``.
        classes: names of the classes that it is about.
        words: the words of these classes that it is about.
        seen: what was seen.
        suggestion: what to do, in a sentence.
        cosine: of two words that are close, or of a word and the closest synonym; else None.
    """

    kind: str
    classes: tuple[str, ...]
    words: tuple[str, ...]
    seen: str
    suggestion: str
    cosine: float | None = None


def check_spelling(classes: ClassList, templates: Templates) -> Iterator[Finding]:
    """Check the words of a list as text: one class only, one thing in two classes, typing errors, names of data files.

    Args:
        classes: the list.
        templates: that the words are put into.
    """
    if len(classes) == 1:
        advice = "Name what else is in the images, such as wall, floor, sky; or ask for a background."
        yield Finding("one-class", classes.names, (), "the only class", advice)
    yield from _find_same(classes)
    yield from _find_slips(classes)
    yield from _find_file_names(classes)
    if templates.texts != (PLACE,):
        yield from _find_long(classes, templates)


def merged(first: ClassEntry, second: ClassEntry) -> str:
    """Write two classes as one, as a class list has it; empty if that is long or holds signs with a meaning there.

    Example:
        >>> merged(ClassEntry("sofa"), ClassEntry("couch", ("couch", "settee")))
        'sofa=couch|settee'
    """
    words = dict.fromkeys((*first.words, *second.words))
    text = f"{first.name}={'|'.join(word for word in words if fold_word(word) != fold_word(first.name))}"
    return "" if len(text) > MERGE_LETTERS or any(sign in "".join((first.name, *words)) for sign in ",;=|#") else text


def _find_same(classes: ClassList) -> Iterator[Finding]:
    """Find pairs of classes with words for the same thing. Each pair is found once, by its first such words."""
    owners: dict[str, dict[int, str]] = {}  # what a word names, to the classes that have it, each with the word
    for index, words in enumerate(classes.words):
        for word in words:
            owners.setdefault(thing_key(word), {}).setdefault(index, word)
    found: dict[tuple[int, int], tuple[str, str]] = {}
    for of_thing in owners.values():
        for (a, word_a), (b, word_b) in combinations(sorted(of_thing.items()), 2):
            found.setdefault((a, b), (word_a, word_b))
    for (a, b), (word_a, word_b) in sorted(found.items()):
        first, second = classes.entries[a], classes.entries[b]
        advice = merge_advice(first, second)
        if fold_word(word_a) == fold_word(word_b):
            seen, advice = f"{word_a!r} stands in both; its pixels go to the first", "Leave it out of one of them."
        elif word_key(word_a) == word_key(word_b):
            seen = f"{word_a!r} and {word_b!r} are one word, spelled in two ways"
        else:
            seen = f"{word_a!r} and {word_b!r} mean the same thing"
        yield Finding("same", (first.name, second.name), (word_a, word_b), seen, advice)


def merge_advice(first: ClassEntry, second: ClassEntry) -> str:
    """Say how to make one class of two."""
    text = merged(first, second)
    return f"Make one class of them: {text}" if text else "Make one class of them, or leave one out."


def _find_slips(classes: ClassList) -> Iterator[Finding]:
    """Find words that are one letter away from a known word."""
    given = {fold_word(word) for words in classes.words for word in words}
    for entry in classes.entries:
        for word in entry.words:
            right = correct_typing(word)
            if right is None:
                continue
            if right in given:
                advice = f"Remove {word!r} if that is meant, because {right!r} stands in the list already."
            else:
                advice = f"Write {right!r} if that is meant. Else keep {word!r}."
            yield Finding("typing", (entry.name,), (word,), f"{word!r}: did you mean {right!r}?", advice)


def _find_file_names(classes: ClassList) -> Iterator[Finding]:
    """Find names that were made for data files, all of them as one finding."""
    plain = {word: right for words in classes.words for word in words if (right := plain_spelling(word)) is not None}
    if plain:
        owners = [entry.name for entry in classes.entries if set(entry.words) & set(plain)]
        pairs = [f"{right!r} for {word!r}" for word, right in plain.items()]
        advice = f"Write {name_some(pairs)}."
        yield Finding("spelling", tuple(owners), tuple(plain), name_some(list(map(repr, plain))), advice)


def _find_long(classes: ClassList, templates: Templates) -> Iterator[Finding]:
    for entry in classes.entries:
        for word in entry.words:
            count = len(word.split())
            if count > LONG_WORDS:
                seen = f"{shorten(word)}: {count} words in {templates.texts[0]!r}"
                advice = "Use the name of the thing alone, or take descriptions as they are: --templates plain"
                yield Finding("long", (entry.name,), (word,), seen, advice)


def name_some(names: Sequence[str], most: int = 4) -> str:
    """Name the first few of many.

    Example:
        >>> name_some(["sky", "sea", "sand"], 2)
        'sky, sea and 1 more'
    """
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"


def shorten(text: str) -> str:
    """Quote a word, or the beginning of a description."""
    return repr(text if len(text) <= SHOWN_LETTERS else f"{text[:SHOWN_LETTERS]}...")
