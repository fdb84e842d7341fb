"""One class of a list: its name, the words that are prompted for it, and its colour."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from densezero.errors import VocabularyError, did_you_mean

ENTRY_FIELDS = ["name", "words", "synonyms", "colour", "color"]
UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


@dataclass(frozen=True)
class ClassEntry:
    """One class of a list.

    Args:
        name: what tables, legends and files call it.
        words: what is prompted for it; ``(name,)`` where none are given. The name is prompted only if it stands here.
        colour: RGB in 0..255, or None for one of the fixed palette.

    Raises:
        VocabularyError: a name or word is empty, padded with spaces, unprintable or given twice; a colour is none.
    """

    name: str
    words: tuple[str, ...] = ()
    colour: tuple[int, int, int] | None = None

    def __post_init__(self) -> None:
        _check_word(self.name, "a class name")
        if not self.words:
            object.__setattr__(self, "words", (self.name,))
        _check_words(self.name, self.words)
        _check_colour(self.name, self.colour)

    @classmethod
    def from_words(cls, words: Sequence[str], colour: tuple[int, int, int] | None = None) -> ClassEntry:
        """Make a class from its name and its synonyms, all of them prompted; a repeated word counts once."""
        for word in words:
            _check_word(word, "a word")
        if not words:
            raise VocabularyError("Expected a class name, perhaps with synonyms, got an empty list. Take it out.")
        kept: dict[str, str] = {}
        for word in words:
            kept.setdefault(fold_word(word), word)
        return cls(words[0], tuple(kept.values()), colour)

    @classmethod
    def from_fields(cls, fields: Mapping[str, Any]) -> ClassEntry:
        """Make a class from ``name``, ``words`` (all that is prompted) or ``synonyms`` (beside the name), ``colour``.

        Raises:
            VocabularyError: the name is missing, a field is unknown, or one has the wrong type.
        """
        for field in fields:
            if field not in (*ENTRY_FIELDS, "index"):  # the place in the list is the index
                raise VocabularyError(f"A class has no field {field!r}. {did_you_mean(field, ENTRY_FIELDS)}")
        if "name" not in fields or ("words" in fields and "synonyms" in fields):
            raise VocabularyError(f'Expected "name" and either "words" or "synonyms" of a class, got {dict(fields)!r}.')
        name, colour = fields["name"], _colour_from(fields.get("colour", fields.get("color")))
        if "words" in fields:
            return cls(name, texts_from(fields["words"], f"the words of {name!r}"), colour)
        return cls.from_words((name, *texts_from(fields.get("synonyms"), f"the synonyms of {name!r}")), colour)


def fold_word(word: str) -> str:
    """Reduce a word to what decides whether two are the same: letters without case, single spaces."""
    return " ".join(word.split()).casefold()


def texts_from(value: object, what: str) -> tuple[str, ...]:
    """Check that a value read from JSON is a list of text, or absent, and give it as a tuple."""
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(word, str) for word in value):
        raise VocabularyError(f"Expected {what} as a list of text, got {value!r}.")
    return tuple(value)


def _check_word(word: object, what: str) -> None:
    if not isinstance(word, str):
        raise VocabularyError(f"Expected {what} to be text, got {word!r}. Put it in quotation marks.")
    if not word.strip():
        raise VocabularyError(f"Expected {what}, got empty text. Write the word or take the place out.")
    if word != word.strip() or UNPRINTABLE.search(word):
        raise VocabularyError(
            f"Expected {what} on one line without spaces around it, got {word!r}. Take those characters out."
        )


def _check_words(name: str, words: object) -> None:
    if not isinstance(words, tuple):
        raise VocabularyError(f"Expected the words of {name!r} as a tuple of text, got {words!r}.")
    seen: set[str] = set()
    for word in words:
        _check_word(word, f"a word of {name!r}")
        if fold_word(word) in seen:
            raise VocabularyError(f"Class {name!r} has the word {word!r} twice. Take one of them out.")
        seen.add(fold_word(word))


def _check_colour(name: str, colour: object) -> None:
    if colour is None:
        return
    fits = isinstance(colour, tuple) and len(colour) == 3 and all(type(level) is int for level in colour)
    if not fits or not all(0 <= level <= 255 for level in colour):  # type: ignore[attr-defined]  # a tuple by now
        raise VocabularyError(f"Expected the colour of {name!r} as three integers in 0..255, got {colour!r}.")


def _colour_from(value: object) -> tuple[int, int, int] | None:
    return tuple(value) if isinstance(value, list) else value  # type: ignore[return-value]  # ClassEntry checks it
