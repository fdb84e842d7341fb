"""One class of a list: its name, the words that are prompted for it, and its colour."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from densezero.errors import VocabularyError, did_you_mean

ENTRY_FIELDS = ["name", "words", "synonyms", "colour", "color"]
UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


@dataclass(frozen=True)
class ClassEntry:
    """One class of a list.

    Args:
        name: its name in tables, legends and files.
        words: the words that are prompted for it, by default ``(name,)``. The name is prompted only if it is one of
            them.
        colour: RGB in 0..255; None takes a colour from the palette.

    Raises:
        VocabularyError: a name or word is empty, has spaces around it, is not printable or is given twice, or the
            colour is not an RGB triple.
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
        """Make a class from its name and its synonyms. All of them are prompted, repeated words once."""
        for word in words:
            _check_word(word, "a word")
        if not words:
            raise VocabularyError("Expected a class name and optional synonyms, got an empty list. Remove it.")
        kept: dict[str, str] = {}
        for word in words:
            kept.setdefault(fold_word(word), word)
        return cls(words[0], tuple(kept.values()), colour)

    @classmethod
    def from_fields(cls, fields: Mapping[str, Any]) -> ClassEntry:
        """Make a class from the fields ``name``, ``words`` or ``synonyms``, and ``colour``.

        ``words`` are all the words that are prompted; ``synonyms`` are prompted together with the name.

        Raises:
            VocabularyError: the name is missing, a field is unknown, or a field has the wrong type.
        """
        for field in fields:  # classes.json of a run has "index" too, which is the position in the list
            if field not in (*ENTRY_FIELDS, "index"):
                raise VocabularyError(f"A class has no field {field!r}. {did_you_mean(field, ENTRY_FIELDS)}")
        if "name" not in fields or ("words" in fields and "synonyms" in fields):
            raise VocabularyError(f'Expected "name" and either "words" or "synonyms" of a class, got {dict(fields)!r}.')
        name, colour = fields["name"], _colour_from(fields.get("colour", fields.get("color")))
        if "words" in fields:
            return cls(name, texts_from(fields["words"], f"the words of {name!r}"), colour)
        return cls.from_words((name, *texts_from(fields.get("synonyms"), f"the synonyms of {name!r}")), colour)


def fold_word(word: str) -> str:
    """Normalise a word for comparison: lower case and single spaces."""
    return " ".join(word.split()).casefold()


def list_in_order(values: object, what: str) -> list[Any]:
    """List the items of an iterable whose order has a meaning.

    Args:
        values: any iterable except text, a set and a mapping.
        what: name of the values for the message.

    Raises:
        VocabularyError: the values are none of these.
    """
    if isinstance(values, (set, frozenset)):
        raise VocabularyError(f"Expected {what} in a fixed order, got a set, whose order is arbitrary. Pass a list.")
    if isinstance(values, Mapping):
        raise VocabularyError(
            f"Expected {what}, got a mapping. Pass its keys, or a list of [name, synonym, ...] for every class."
        )
    if not isinstance(values, Iterable) or isinstance(values, (str, bytes)) or getattr(values, "shape", None) == ():
        raise VocabularyError(f"Expected {what}, got {values!r}.")
    return list(values)


def texts_from(value: object, what: str) -> tuple[str, ...]:
    """Return a list of text from JSON as a tuple; an absent value gives an empty one."""
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(word, str) for word in value):
        raise VocabularyError(f"Expected {what} as a list of text, got {value!r}.")
    return tuple(value)


def _check_word(word: object, what: str) -> None:
    if not isinstance(word, str):
        raise VocabularyError(f"Expected {what} to be text, got {word!r}. Write it in quotation marks.")
    if not word.strip():
        raise VocabularyError(f"Expected {what}, got empty text. Write the word, or remove the empty place.")
    if word != word.strip() or UNPRINTABLE.search(word):
        raise VocabularyError(
            f"Expected {what} on one line without spaces around it, got {word!r}. Remove those characters."
        )


def _check_words(name: str, words: object) -> None:
    if not isinstance(words, tuple):
        raise VocabularyError(f"Expected the words of {name!r} as a tuple of text, got {words!r}.")
    seen: set[str] = set()
    for word in words:
        _check_word(word, f"a word of {name!r}")
        if fold_word(word) in seen:
            raise VocabularyError(f"Class {name!r} has the word {word!r} twice. Remove one of them.")
        seen.add(fold_word(word))


def _check_colour(name: str, colour: object) -> None:
    if colour is None:
        return
    fits = isinstance(colour, tuple) and len(colour) == 3 and all(type(level) is int for level in colour)
    if not fits or not all(0 <= level <= 255 for level in colour):  # type: ignore[attr-defined]  # a tuple by now
        raise VocabularyError(f"Expected the colour of {name!r} as three integers in 0..255, got {colour!r}.")


def _colour_from(value: object) -> tuple[int, int, int] | None:
    return tuple(value) if isinstance(value, list) else value  # type: ignore[return-value]  # ClassEntry checks it
