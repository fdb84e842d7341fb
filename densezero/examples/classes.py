"""Classes that have examples: those of the class list, and those that examples alone define."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import NamedTuple

from densezero.errors import VocabularyError
from densezero.vocabulary.background import PromptedClasses
from densezero.vocabulary.classes import ClassList
from densezero.vocabulary.entries import ClassEntry, fold_word
from densezero.vocabulary.parse import class_list_from


class GivenClasses(NamedTuple):
    """All classes of a request, before background and unknown.

    Args:
        classes: those of the list, then those that examples alone define.
        wordless: folded names of the classes that examples alone define.
    """

    classes: ClassList
    wordless: frozenset[str]


def with_example_classes(
    given: ClassList | str | Iterable[str | Iterable[str] | ClassEntry] | None, names: Iterable[str]
) -> GivenClasses:
    """Add a class for each example whose name is not in the list, in the order of the examples.

    Args:
        given: what ``class_list_from`` reads; None if examples alone define the classes.
        names: of the examples.

    Raises:
        VocabularyError: without classes and examples, or for classes that cannot be used.
    """
    classes = None if given is None else class_list_from(given)
    entries = [] if classes is None else list(classes.entries)
    wordless: dict[str, str] = {}
    for name in names:
        if classes is None or find_class(classes, name) is None:
            wordless.setdefault(fold_word(name), name)
    entries += [ClassEntry(name) for name in wordless.values()]
    if classes is None:
        if not entries:
            raise VocabularyError("Expected classes, examples, or both; got neither. Name the classes to find.")
        return GivenClasses(ClassList("examples", tuple(entries)), frozenset(wordless))
    if not wordless:
        return GivenClasses(classes, frozenset())
    ids = classes.ids and (*classes.ids, *range(max(classes.ids) + 1, max(classes.ids) + 1 + len(wordless)))
    return GivenClasses(replace(classes, entries=tuple(entries), ids=ids), frozenset(wordless))


def find_class(classes: ClassList, name: str) -> int | None:
    """Find the class that has a name, or else that has it as a word; None if there is none."""
    folded = fold_word(name)
    named = (index for index, known in enumerate(classes.names) if fold_word(known) == folded)
    worded = (index for index, words in enumerate(classes.words) if folded in map(fold_word, words))
    return next(named, next(worded, None))


def leave_out_words(prompted: PromptedClasses, wordless: frozenset[str]) -> PromptedClasses:
    """Leave out the words of the classes that examples alone define.

    Args:
        prompted: all classes, perhaps with background and unknown.
        wordless: folded names, as ``with_example_classes`` gives them.
    """
    named = zip(prompted.classes.names, prompted.words, strict=True)
    kept = tuple(() if fold_word(name) in wordless else words for name, words in named)
    return prompted._replace(words=kept)
