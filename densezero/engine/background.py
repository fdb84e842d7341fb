"""The class called background: where it comes from, and what it is prompted with."""

from __future__ import annotations

from dataclasses import dataclass, replace

from densezero.engine.protocol import Background
from densezero.vocabulary import ClassEntry, ClassList


@dataclass(frozen=True)
class WordedClasses:
    """Classes as they are labelled, and the words that are prompted for each.

    Args:
        classes: in label order.
        prompted: for each class its words; none for a background that only the threshold finds.
    """

    classes: ClassList
    prompted: tuple[tuple[str, ...], ...]


def with_background(classes: ClassList, background: Background) -> WordedClasses:
    """Give a class list the background that a protocol asks for.

    A list with a class called background keeps it, prompted with the protocol's words where there are any and with its
    own otherwise. A list without one gets it as class 0.

    Raises:
        VocabularyError: if a background word is also a word of another class.
    """
    own = classes.background_index
    if not background.is_on:
        return WordedClasses(classes, classes.words)
    if own is None:
        entry = ClassEntry("background", background.words, (0, 0, 0))
        extended = replace(classes, entries=(entry, *classes.entries))
        return WordedClasses(extended, (background.words, *classes.words))
    kept = replace(classes.entries[own], words=background.words or classes.words[own])
    changed = replace(classes, entries=(*classes.entries[:own], kept, *classes.entries[own + 1 :]))
    return WordedClasses(changed, changed.words)
