"""The class called background: where it comes from, and the words that are prompted for it."""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from densezero.engine.protocol import Background
from densezero.vocabulary import ClassEntry, ClassList


class PromptedClasses(NamedTuple):
    """Classes in label order, and the words to prompt for each. A background by threshold alone has no words."""

    classes: ClassList
    words: tuple[tuple[str, ...], ...]


def with_background(classes: ClassList, background: Background) -> PromptedClasses:
    """Give a class list the background that a protocol asks for.

    A list with a class called background keeps it. That class is prompted with the protocol's words, or with its own
    where the protocol has none. A list without one gets background as class 0.

    Raises:
        VocabularyError: if a background word is also a word of another class.
    """
    own = classes.background_index
    if not background.is_on:
        return PromptedClasses(classes, classes.words)
    if own is None:
        entry = ClassEntry("background", background.words, (0, 0, 0))
        return PromptedClasses(replace(classes, entries=(entry, *classes.entries)), (background.words, *classes.words))
    kept = replace(classes.entries[own], words=background.words or classes.words[own])
    changed = replace(classes, entries=(*classes.entries[:own], kept, *classes.entries[own + 1 :]))
    return PromptedClasses(changed, changed.words)
