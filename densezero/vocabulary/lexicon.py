"""Words of everyday pictures, for the choice of background words; and which names are stuff, such as sky and wall."""

from __future__ import annotations

from functools import cache
from typing import Final

from densezero.errors import VocabularyError
from densezero.vocabulary.catalog import load_packaged
from densezero.vocabulary.classes import ClassList
from densezero.vocabulary.entries import fold_word
from densezero.vocabulary.known_words import word_key

THINGS: Final = 80
"""The classes of COCO-Stuff from here on are stuff."""

_SHOWN = 8


@cache
def lexicon() -> tuple[str, ...]:
    """The names of COCO-Stuff and then of ADE20K, split at commas, in lower case, each once."""
    names = (*load_packaged("coco-stuff").names, *load_packaged("ade20k").names)
    return tuple(dict.fromkeys(fold_word(part) for name in names for part in name.split(",")))


def stuff_in(classes: ClassList) -> tuple[str, ...]:
    """Give the names of the classes that are stuff of COCO-Stuff by their name or by one of their words.

    A name such as ``wall-brick`` stands for ``wall`` too. The class called background does not count.

    Example:
        >>> from densezero.vocabulary import parse_inline
        >>> stuff_in(parse_inline("cat, Walls, meadow=grass|lawn, dog"))
        ('Walls', 'meadow')
    """
    found = []
    for index, entry in enumerate(classes.entries):
        keys = {word_key(word) for word in (entry.name, *entry.words)}
        if index != classes.background_index and keys & _stuff_keys():
            found.append(entry.name)
    return tuple(found)


def refuse_stuff(classes: ClassList) -> None:
    """Refuse to choose background words for a list that names stuff itself.

    Raises:
        VocabularyError: if two or more classes are stuff.
    """
    stuff = stuff_in(classes)
    if len(stuff) < 2:
        return
    named = ", ".join(stuff[:_SHOWN]) + (f" and {len(stuff) - _SHOWN} more" if len(stuff) > _SHOWN else "")
    raise VocabularyError(
        f'Expected at most one class of stuff for the background "auto"; {classes.name!r} has {len(stuff)}: {named}. '
        "The chosen words are mostly stuff too, and would take pixels from these classes. Write background words "
        'yourself, or none; "auto-anyway" chooses them all the same.'
    )


@cache
def _stuff_keys() -> frozenset[str]:
    names = load_packaged("coco-stuff").names[THINGS:]
    return frozenset(word_key(word) for name in names for word in (name, name.partition("-")[0]))
