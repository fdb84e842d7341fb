"""What a check of a class list may find: the kinds, and the findings that need no model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from densezero.vocabulary.classes import ClassList
from densezero.vocabulary.entries import ClassEntry, fold_word
from densezero.vocabulary.known_words import correct_typing, find_slip, plain_spelling, thing_key, word_key
from densezero.vocabulary.templates import PLACE, Templates


class Kind(NamedTuple):
    """A kind of finding: its title, and what it means."""

    title: str
    why: str


KINDS: Final = {
    "refused": Kind(
        "Not allowed", "Other commands refuse the list until this is mended. The check went on without the second one."
    ),
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

NAMES: Final = 4
"""Classes that are named beside a finding."""

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
        lines: of these classes in their file, from 1; empty where there is none.
    """

    kind: str
    classes: tuple[str, ...]
    words: tuple[str, ...]
    seen: str
    suggestion: str
    cosine: float | None = None
    lines: tuple[int, ...] = ()


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


def merged(entries: Sequence[ClassEntry]) -> str:
    """Write classes as one, as a class list has it; empty if that is long or holds signs with a meaning there.

    Example:
        >>> merged([ClassEntry("sofa"), ClassEntry("couch", ("couch", "settee"))])
        'sofa=couch|settee'
    """
    name = entries[0].name
    words = dict.fromkeys(word for entry in entries for word in entry.words)
    text = f"{name}={'|'.join(word for word in words if fold_word(word) != fold_word(name))}"
    return "" if len(text) > MERGE_LETTERS or any(sign in "".join((name, *words)) for sign in ",;=|#") else text


def merge_advice(entries: Sequence[ClassEntry]) -> str:
    """Say how to make one class of several."""
    text = merged(entries)
    keep_one = "or leave one out" if len(entries) == 2 else "or keep one of them"
    return f"Make one class of them: {text}" if text else f"Make one class of them, {keep_one}."


def _find_same(classes: ClassList) -> Iterator[Finding]:
    """Find classes with words for the same thing. The same classes are found once, by their first such words."""
    owners: dict[str, dict[int, str]] = {}  # what a word names, to the classes that have it, each with the word
    for index, words in enumerate(classes.words):
        for word in words:
            owners.setdefault(thing_key(word), {}).setdefault(index, word)
    found: dict[tuple[int, ...], tuple[str, ...]] = {}
    for of_thing in sorted((each for each in owners.values() if len(each) > 1), key=len, reverse=True):
        if not any(set(of_thing) <= set(larger) for larger in found):
            found[tuple(sorted(of_thing))] = tuple(of_thing[index] for index in sorted(of_thing))
    for indices, same_words in sorted(found.items()):
        entries = [classes.entries[index] for index in indices]
        advice = merge_advice(entries)
        if len(set(map(fold_word, same_words))) == 1:
            seen = f"{same_words[0]!r} stands in both; its pixels go to the first"
            advice = "Leave it out of one of them."
        elif len(set(map(word_key, same_words))) == 1:
            seen = (
                f"{join_words(same_words)} are one word, spelled in {'two' if len(same_words) == 2 else 'several'} ways"
            )
        else:
            seen = f"{join_words(same_words)} mean the same thing"
        yield Finding("same", tuple(entry.name for entry in entries), same_words, seen, advice)


def _find_slips(classes: ClassList) -> Iterator[Finding]:
    """Find words that are one letter away from a known word."""
    given = {fold_word(word) for words in classes.words for word in words}
    for entry in classes.entries:
        for word in entry.words:
            slip = find_slip(word)
            if slip is None:
                continue
            right, where = correct_typing(word), ""
            if len(word) > SHOWN_LETTERS:  # the one word of the description is enough
                right, where = slip.right, f" in {shorten(word)}"
            wrong = slip.token if where else word
            if right in given and not where:
                advice = f"Remove {wrong!r} if that is meant, because {right!r} stands in the list already."
            else:
                advice = f"Write {right!r} if that is meant. Else keep {wrong!r}."
            yield Finding("typing", (entry.name,), (word,), f"{wrong!r}{where}: did you mean {right!r}?", advice)


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


def join_words(words: Sequence[str]) -> str:
    """Write words as a list.

    Example:
        >>> join_words(["sofa", "couch", "settee"])
        "'sofa', 'couch' and 'settee'"
    """
    return f"{', '.join(map(shorten, words[:-1]))} and {shorten(words[-1])}"


def shorten(text: str) -> str:
    """Quote a word, or the beginning of a description."""
    return repr(text if len(text) <= SHOWN_LETTERS else f"{text[:SHOWN_LETTERS]}...")
