"""What words say without a model: that two name the same thing, typing errors, names that were made for data files."""

from __future__ import annotations

import re
from functools import cache
from importlib import resources
from string import ascii_lowercase
from typing import Final, NamedTuple

from densezero.vocabulary.catalog import CATALOG, load_packaged
from densezero.vocabulary.entries import fold_word
from densezero.vocabulary.parse import parse_lines

LEAST_LETTERS: Final = 6
LEAST_LETTERS_SWAPPED: Final = 4
"""Shorter words are too often one letter away from another word, as chain and chair are."""

_ARTICLES: Final = frozenset({"a", "an", "the"})
_NO_PLURALS: Final = frozenset({"glasses", "news"})
_SIBILANTS: Final = ("sses", "shes", "ches", "xes", "zes")
_DERIVED: Final = ("y", "ed", "ing", "en")
"""Endings of words that are made of a noun: cloudy, roofed, fencing, wooden."""
_SUFFIXES: Final = ("-other", "-stuff", "-merged")
"""Endings of names in COCO's files, which no caption has."""


def word_key(word: str) -> str:
    """Reduce a word to a form that its plural, its article, hyphens and spaces do not change.

    Example:
        >>> word_key("the Traffic-Lights") == word_key("traffic light") == word_key("trafficlight")
        True
    """
    tokens = _tokens(word)
    kept = [token for token in tokens if token not in _ARTICLES] or tokens
    return "".join(map(_singular, kept)) or fold_word(word)


def thing_key(word: str) -> str:
    """Give the ``word_key`` of the thing that a word names: sofa, couch and settee have the same."""
    return _things().get(word_key(word), word_key(word))


@cache
def known_words() -> frozenset[str]:
    """Every word of the packaged lists and of the everyday words, in lower case."""
    lists = [load_packaged(name).words for name in CATALOG] + [_everyday()]
    return frozenset(fold_word(word) for words in lists for of_class in words for word in of_class)


def correct_typing(word: str) -> str | None:
    """Correct a word that is one letter away from a known one: a letter more, less or another, or two swapped.

    The known word must have at least six letters, or four if two letters are swapped, because many short words are one
    letter apart. The first letter must be right, because people seldom mistype it.

    Returns:
        The word with its first such token replaced; None if every token is known or unlike all known ones.

    Example:
        >>> correct_typing("trafic light"), correct_typing("traffic light"), correct_typing("wombat")
        ('traffic light', None, None)
    """
    tokens = _tokens(word)
    slip = find_slip(word)
    return slip and " ".join(slip.right if place == slip.place else token for place, token in enumerate(tokens))


class Slip(NamedTuple):
    """A token of a word that may be a typing error, at its place among the tokens, and the known one that is near."""

    place: int
    token: str
    right: str


def find_slip(word: str) -> Slip | None:
    """Find the first token of a word that is one letter away from a known one, as ``correct_typing`` has it."""
    known = _known_tokens()
    if word_key(word) in _known_keys():
        return None
    for place, token in enumerate(_tokens(word)):
        stems = {token, _singular(token), *(token.removesuffix(ending) for ending in _DERIVED)}
        near = [] if stems & known else sorted(known & _slips(token))
        if near:
            return Slip(place, token, near[0])
    return None


def plain_spelling(word: str) -> str | None:
    """Write a name that was made for a data file as a caption has it; None for a word that is fine.

    Example:
        >>> plain_spelling("dining_table"), plain_spelling("wall-other"), plain_spelling("diningtable")
        ('dining table', 'wall', 'dining table')
        >>> plain_spelling("t-shirt") is None
        True
    """
    plain = fold_word(word)
    for suffix in _SUFFIXES:
        plain = plain.removesuffix(suffix)
    plain = " ".join(re.split(r"[_/\s]+", plain)).strip() or plain
    if " " not in plain:
        plain = _spaced().get(plain, plain)
    return None if plain == fold_word(word) else plain


def _tokens(word: str) -> list[str]:
    return re.findall(r"\w+", fold_word(word).replace("_", " "))


def _singular(token: str) -> str:
    """Give the singular of an English noun by its ending; irregular plurals are everyday words."""
    if len(token) < 4 or token in _NO_PLURALS or token.endswith(("ss", "us", "is")):
        return token
    if token.endswith("ies"):
        return f"{token[:-3]}y"
    if token.endswith(_SIBILANTS):
        return token[:-2]
    return token.removesuffix("s")


def _slips(token: str) -> set[str]:
    """Give every word of which the token may be a slip. The first letter stays."""
    splits = [(token[:place], token[place:]) for place in range(1, len(token) + 1)]
    swapped = {a + b[1] + b[0] + b[2:] for a, b in splits if len(b) > 1}
    left_out = {a + letter + b for a, b in splits for letter in ascii_lowercase}
    other = {a + letter + b[1:] for a, b in splits if b for letter in ascii_lowercase}
    too_many = {a + b[1:] for a, b in splits if b}
    long = {word for word in left_out | other | too_many if len(word) >= LEAST_LETTERS}
    return long | {word for word in swapped if len(word) >= LEAST_LETTERS_SWAPPED}


@cache
def _everyday() -> tuple[tuple[str, ...], ...]:
    """The everyday words; those of one thing stand together."""
    file = resources.files("densezero.vocabulary") / "everyday_words.txt"
    return parse_lines(file.read_text(encoding="utf-8"), "everyday words").to_list().words


@cache
def _things() -> dict[str, str]:
    """The key of each everyday word to the key of the first word on its line."""
    return {word_key(word): word_key(words[0]) for words in _everyday() for word in words}


@cache
def _known_tokens() -> frozenset[str]:
    tokens = {token for word in known_words() for token in _tokens(word)}
    return frozenset(tokens | set(map(_singular, tokens)))


@cache
def _known_keys() -> frozenset[str]:
    return frozenset(map(word_key, known_words()))


@cache
def _spaced() -> dict[str, str]:
    """Known words of several tokens, by what is left of them without spaces."""
    return {word.replace(" ", ""): word for word in sorted(known_words()) if " " in word}
