"""Class lists: classes in the order of their labels."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from densezero.errors import VocabularyError
from densezero.vocabulary.entries import ClassEntry, fold_word, texts_from
from densezero.vocabulary.palette import spread_colours

MAX_CLASSES = 65_534
"""Labels are uint16 at most, and 65535 is reserved for pixels without a class."""

DESCRIBED = 12
"""Names that a line about a class list shows."""

DESCRIBED_LETTERS = 40
"""Letters of a name that it shows."""

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
        ids: the numbers that the classes came with, which go out again with the masks; None where they came with none.

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
    ids: tuple[int, ...] | None = None
    is_packaged: bool = field(default=False, init=False, compare=False)

    def __post_init__(self) -> None:
        if not self.entries:
            raise VocabularyError(f"Expected at least one class in {self.name!r}, got none. Name the classes to find.")
        refuse_too_many(len(self.entries))
        refuse_clashes(self.entries, lambda index: f"position {index + 1}", self.shared_words)
        _check_ids(self.ids, len(self.entries))

    def __len__(self) -> int:
        return len(self.entries)

    @cached_property
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
        """SHA-256 of the names and words in their order, hexadecimal. Colours, ids and the list's name do not count."""
        content = json.dumps([[entry.name, entry.words] for entry in self.entries], separators=(",", ":"))
        return hashlib.sha256(content.encode("ascii")).hexdigest()

    def to_json(self) -> str:
        """Write the list as JSON with one class on each line. ``from_json`` reads an equal list back."""
        ids = self.ids or [None] * len(self)
        lines = [_entry_json(entry, number) for entry, number in zip(self.entries, ids, strict=True)]
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
        return Draft.from_fields(data).to_list()


class Draft(NamedTuple):
    """A class list as a user wrote it, before it is known to be sound.

    Args:
        name: name of the list.
        entries: the classes; two of them may have the same name, or share a word.
        shared_words: words that two classes may both have.
        ids: the numbers that the classes came with, or None.
        lines: the line of each class in its file, from 1; empty where that is not known.
    """

    name: str
    entries: tuple[ClassEntry, ...]
    shared_words: tuple[str, ...] = ()
    ids: tuple[int, ...] | None = None
    lines: tuple[int, ...] = ()

    def to_list(self) -> ClassList:
        """Make the class list.

        Raises:
            VocabularyError: two classes have the same name or share a word, or ``ClassList`` refuses the classes. The
                message names their lines, or their positions.
        """
        refuse_clashes(self.entries, self.place, self.shared_words)
        return ClassList(self.name, self.entries, self.shared_words, self.ids)

    @classmethod
    def from_fields(cls, data: Any) -> Draft:
        """Read the JSON object that ``ClassList.to_json`` writes.

        Raises:
            VocabularyError: it is none.
        """
        if not isinstance(data, dict) or not isinstance(data.get("name"), str):
            raise VocabularyError('Expected a JSON object with "name" and "classes", as ClassList.to_json writes it.')
        classes = data.get("classes")
        if not isinstance(classes, list) or not all(isinstance(fields, dict) for fields in classes):
            raise VocabularyError('Expected "classes" to be a list of objects, each with a "name".')
        shared = texts_from(data.get("shared_words"), "shared_words")
        numbers = [fields.pop("id", None) for fields in classes]
        ids = None if any(number is None for number in numbers) else tuple(numbers)
        return cls(data["name"], tuple(ClassEntry.from_fields(fields) for fields in classes), shared, ids)

    def place(self, index: int) -> str:
        """Say where a class stands."""
        return f"line {self.lines[index]}" if self.lines else f"position {index + 1}"


def refuse_too_many(count: int) -> None:
    """Raise VocabularyError if there are more classes than labels."""
    if count > MAX_CLASSES:
        message = f"Expected at most {MAX_CLASSES:,} classes (labels have 16 bits, 65535 is reserved), got {count:,}."
        raise VocabularyError(f"{message} Split the list, and segment with each part.")


def kept_ids(ids: Sequence[int | None]) -> tuple[int, ...] | None:
    """The ids of classes, where they say more than the order does: None for 0, 1, 2 ... and where one is missing."""
    whole = tuple(number for number in ids if number is not None)
    return None if len(whole) < len(ids) or whole == tuple(range(len(ids))) else whole


def describe_classes(classes: ClassList) -> str:
    """Say in a line which classes were understood.

    Example:
        >>> describe_classes(ClassList("", (ClassEntry("sky"), ClassEntry("boat", ("boat", "yacht")))))
        '2 classes: sky, boat (+1 synonym)'
    """
    names, count = classes.names, len(classes)
    synonyms = sum(len(words) for words in classes.words) - count
    shown = (name if len(name) <= DESCRIBED_LETTERS else f"{name[:DESCRIBED_LETTERS]}..." for name in names[:DESCRIBED])
    listed = ", ".join(shown) + (", ..." if count > DESCRIBED else "")
    more = f" (+{synonyms} synonym{'s' if synonyms > 1 else ''})" if synonyms > 0 else ""
    return f"{count} class{'es' if count > 1 else ''}: {listed}{more}"


class Clash(NamedTuple):
    """A word that stands in two classes, or a name that two classes have; the classes by their positions, from 0."""

    word: str
    first: int
    second: int
    is_name: bool


def find_clashes(entries: Sequence[ClassEntry], shared_words: Sequence[str] = ()) -> Iterator[Clash]:
    """Find the classes that have the name of an earlier class, and in the others the words of earlier classes.

    Args:
        entries: the classes, in label order.
        shared_words: words that two classes may both have.
    """
    names: dict[str, int] = {}
    owners: dict[str, int] = {}
    shared = {fold_word(word) for word in shared_words}
    for index, entry in enumerate(entries):
        first = names.setdefault(fold_word(entry.name), index)
        if first != index:
            yield Clash(entry.name, first, index, is_name=True)
            continue
        for word in entry.words:
            owner = owners.setdefault(fold_word(word), index)
            if owner != index and fold_word(word) not in shared:
                yield Clash(word, owner, index, is_name=False)


def refuse_clashes(
    entries: Sequence[ClassEntry], place: Callable[[int], str], shared_words: Sequence[str] = ()
) -> None:
    """Raise VocabularyError if two classes have the same name, or share a word.

    Args:
        entries: the classes, in label order.
        place: gives the place of a class in its source, from its label ("position 3", "line 7").
        shared_words: words that two classes may both have.
    """
    for word, first, second, is_name in find_clashes(entries, shared_words):
        if is_name:
            where = f"at {place(first)} and at {place(second)}"
            raise VocabularyError(f"Class {word!r} appears twice: {where}. Remove or rename one of them.")
        both = f"{entries[first].name!r} ({place(first)}) and {entries[second].name!r} ({place(second)})"
        raise VocabularyError(f"The word {word!r} stands in two classes: {both}. Keep it in one of them.")


def _check_ids(ids: object, count: int) -> None:
    """Raise VocabularyError unless there are none, or as many different ones as classes."""
    if ids is None:
        return
    numbers = ids if isinstance(ids, tuple) else ()
    if len(set(numbers)) != count or len(numbers) != count or any(type(n) is not int or n < 0 for n in numbers):
        raise VocabularyError(f"Expected {count} different ids of 0 or more, one for each class; got {ids!r}.")


def _dump(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _entry_json(entry: ClassEntry, number: int | None) -> str:
    colour = {} if entry.colour is None else {"colour": entry.colour}
    came = {} if number is None else {"id": number}
    return _dump({"name": entry.name, "words": entry.words, **colour, **came})
