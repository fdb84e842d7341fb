"""Class lists: classes in the order of their labels."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from densezero.errors import VocabularyError
from densezero.vocabulary.entries import ClassEntry, fold_word, texts_from
from densezero.vocabulary.palette import spread_colours

MAX_CLASSES = 65_534
"""Labels are uint16 at most, and 65535 is reserved for pixels without a class."""

BACKGROUND = "background"
"""The class of this name stands for everything that no other class describes."""


@dataclass(frozen=True)
class ClassList:
    """An ordered list of classes: the place of a class is its label.

    Args:
        name: what the list is called.
        entries: 1 to 65,534 classes, none of them named twice.
        shared_words: words that may stand in two classes, because the published list has them so; the class that
            comes first wins their pixels.

    Raises:
        VocabularyError: the list is empty or too long, a name stands twice, or a word stands in two classes.

    Example:
        >>> boats = ClassList("boats", (ClassEntry("sky"), ClassEntry("boat", ("boat", "sailing ship"))))
        >>> boats.names, len(boats)
        (('sky', 'boat'), 2)
    """

    name: str
    entries: tuple[ClassEntry, ...]
    shared_words: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.entries:
            raise VocabularyError(f"Expected at least one class in {self.name!r}, got none. Name what is to be found.")
        refuse_too_many(len(self.entries))
        refuse_clashes(self.entries, lambda index: f"position {index + 1}", self.shared_words)

    def __len__(self) -> int:
        return len(self.entries)

    @property
    def names(self) -> tuple[str, ...]:
        """The display names, in label order."""
        return tuple(entry.name for entry in self.entries)

    @property
    def words(self) -> tuple[tuple[str, ...], ...]:
        """What is prompted for each class, in label order."""
        return tuple(entry.words for entry in self.entries)

    @cached_property
    def colours(self) -> NDArray[np.uint8]:
        """(C, 3) uint8 RGB, read-only; classes without a colour take one that no other class has."""
        own = [entry.colour for entry in self.entries]
        spare = iter(spread_colours(own.count(None), {colour for colour in own if colour is not None}))
        table = np.array([next(spare) if colour is None else colour for colour in own], dtype=np.uint8)
        table.flags.writeable = False
        return table

    @property
    def background_index(self) -> int | None:
        """The label of the class called "background", or None."""
        return next((index for index, name in enumerate(self.names) if fold_word(name) == BACKGROUND), None)

    @cached_property
    def sha256(self) -> str:
        """Hash of names and words in their order, in hexadecimal; colours and the list's name do not count."""
        content = json.dumps([[entry.name, entry.words] for entry in self.entries], separators=(",", ":"))
        return hashlib.sha256(content.encode("ascii")).hexdigest()

    def to_json(self) -> str:
        """Write the list as JSON, one class a line; ``from_json`` reads it back equal."""
        lines = [_entry_json(entry) for entry in self.entries]
        shared = f' "shared_words": {_dump(self.shared_words)},\n' if self.shared_words else ""
        return f'{{\n "name": {_dump(self.name)},\n{shared} "classes": [\n  ' + ",\n  ".join(lines) + "\n ]\n}\n"

    @classmethod
    def from_json(cls, text: str) -> ClassList:
        """Read what ``to_json`` wrote; further fields beside ``name`` and ``classes`` are left alone.

        Raises:
            VocabularyError: it is no JSON, or no class list.
        """
        try:
            data = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise VocabularyError(f"Expected the JSON of a class list, got text that is none: {error}.") from None
        if not isinstance(data, dict) or not isinstance(data.get("name"), str):
            raise VocabularyError('Expected a JSON object with "name" and "classes", as ClassList.to_json writes it.')
        classes = data.get("classes")
        if not isinstance(classes, list) or not all(isinstance(fields, dict) for fields in classes):
            raise VocabularyError('Expected "classes" to be a list of objects, each with a "name".')
        shared = texts_from(data.get("shared_words"), "shared_words")
        return cls(data["name"], tuple(ClassEntry.from_fields(fields) for fields in classes), shared)


def refuse_too_many(count: int) -> None:
    """Raise VocabularyError if labels cannot number that many classes."""
    if count > MAX_CLASSES:
        message = f"Expected at most {MAX_CLASSES:,} classes (labels have 16 bits, 65535 is reserved), got {count:,}."
        raise VocabularyError(f"{message} Split the list and segment with each part.")


def refuse_clashes(
    entries: Sequence[ClassEntry], place: Callable[[int], str], shared_words: Sequence[str] = ()
) -> None:
    """Raise VocabularyError if a name stands twice, or a word in two classes.

    Args:
        entries: the classes, in label order.
        place: says where a class stands, from its label ("position 3", "line 7").
        shared_words: words that may stand in two classes.
    """
    names: dict[str, int] = {}
    owners: dict[str, int] = {}
    shared = {fold_word(word) for word in shared_words}
    for index, entry in enumerate(entries):
        first = names.setdefault(fold_word(entry.name), index)
        if first != index:
            where = f"at {place(first)} and at {place(index)}"
            raise VocabularyError(f"Class {entry.name!r} stands twice: {where}. Remove or rename one of them.")
        for word in entry.words:
            owner = owners.setdefault(fold_word(word), index)
            if owner != index and fold_word(word) not in shared:
                both = f"{entries[owner].name!r} ({place(owner)}) and {entry.name!r} ({place(index)})"
                raise VocabularyError(f"The word {word!r} stands in two classes: {both}. Keep it in one of them.")


def _dump(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _entry_json(entry: ClassEntry) -> str:
    colour = {} if entry.colour is None else {"colour": entry.colour}
    return _dump({"name": entry.name, "words": entry.words, **colour})
