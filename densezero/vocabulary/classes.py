"""Class lists: classes in the order of their labels."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from densezero.errors import VocabularyError
from densezero.vocabulary.entries import ClassEntry, fold_word, texts_from
from densezero.vocabulary.palette import spread_colours

MAX_CLASSES = 65_534
"""Labels are uint16 at most, and 65535 is reserved for pixels without a class."""

BACKGROUND = "background"
"""Name of the class for all pixels that no other class describes."""


@dataclass(frozen=True)
class ClassList:
    """An ordered list of classes. The position of a class is its label.

    Args:
        name: name of the list.
        entries: 1 to 65,534 classes with different names.
        shared_words: words that two classes may both have, because the published list repeats them. Their pixels get
            the label of the first of these classes.

    Attributes:
        is_packaged: whether ``load_packaged`` loaded this list. A user's list may have the same name, and
            ``dataclasses.replace`` makes a list that is not packaged.

    Raises:
        VocabularyError: the list is empty or too long, two classes have the same name, or two classes share a word
            that is not in ``shared_words``.

    Example:
        >>> boats = ClassList("boats", (ClassEntry("sky"), ClassEntry("boat", ("boat", "sailing ship"))))
        >>> boats.names, len(boats)
        (('sky', 'boat'), 2)
    """

    name: str
    entries: tuple[ClassEntry, ...]
    shared_words: tuple[str, ...] = ()
    is_packaged: bool = field(default=False, init=False, compare=False)

    def __post_init__(self) -> None:
        if not self.entries:
            raise VocabularyError(f"Expected at least one class in {self.name!r}, got none. Name the classes to find.")
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
        """The words that are prompted for each class, in label order."""
        return tuple(entry.words for entry in self.entries)

    @cached_property
    def colours(self) -> NDArray[np.uint8]:
        """(C, 3) uint8 RGB, read-only. A class without a colour gets one that no other class has."""
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
        """SHA-256 of the names and words in their order, hexadecimal. Colours and the list's name do not count."""
        content = json.dumps([[entry.name, entry.words] for entry in self.entries], separators=(",", ":"))
        return hashlib.sha256(content.encode("ascii")).hexdigest()

    def to_json(self) -> str:
        """Write the list as JSON with one class on each line. ``from_json`` reads an equal list back."""
        lines = [_entry_json(entry) for entry in self.entries]
        shared = f' "shared_words": {_dump(self.shared_words)},\n' if self.shared_words else ""
        return f'{{\n "name": {_dump(self.name)},\n{shared} "classes": [\n  ' + ",\n  ".join(lines) + "\n ]\n}\n"

    @classmethod
    def from_json(cls, text: str) -> ClassList:
        """Read a list that ``to_json`` wrote. Unknown fields next to ``name`` and ``classes`` are ignored.

        Raises:
            VocabularyError: the text is not JSON, or not a class list.
        """
        try:
            data = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise VocabularyError(f"Expected a class list as JSON, got text that is not JSON: {error}.") from None
        if not isinstance(data, dict) or not isinstance(data.get("name"), str):
            raise VocabularyError('Expected a JSON object with "name" and "classes", as ClassList.to_json writes it.')
        classes = data.get("classes")
        if not isinstance(classes, list) or not all(isinstance(fields, dict) for fields in classes):
            raise VocabularyError('Expected "classes" to be a list of objects, each with a "name".')
        shared = texts_from(data.get("shared_words"), "shared_words")
        return cls(data["name"], tuple(ClassEntry.from_fields(fields) for fields in classes), shared)


def refuse_too_many(count: int) -> None:
    """Raise VocabularyError if there are more classes than labels."""
    if count > MAX_CLASSES:
        message = f"Expected at most {MAX_CLASSES:,} classes (labels have 16 bits, 65535 is reserved), got {count:,}."
        raise VocabularyError(f"{message} Split the list, and segment with each part.")


def refuse_clashes(
    entries: Sequence[ClassEntry], place: Callable[[int], str], shared_words: Sequence[str] = ()
) -> None:
    """Raise VocabularyError if two classes have the same name, or share a word.

    Args:
        entries: the classes, in label order.
        place: gives the place of a class in its source, from its label ("position 3", "line 7").
        shared_words: words that two classes may both have.
    """
    names: dict[str, int] = {}
    owners: dict[str, int] = {}
    shared = {fold_word(word) for word in shared_words}
    for index, entry in enumerate(entries):
        first = names.setdefault(fold_word(entry.name), index)
        if first != index:
            where = f"at {place(first)} and at {place(index)}"
            raise VocabularyError(f"Class {entry.name!r} appears twice: {where}. Remove or rename one of them.")
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
