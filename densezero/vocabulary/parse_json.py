"""Class lists in JSON, in the shapes that people use."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from densezero.errors import VocabularyError
from densezero.vocabulary.classes import ClassList
from densezero.vocabulary.entries import ClassEntry, list_in_order


def parse_json(text: str, name: str) -> ClassList:
    """Read a class list from JSON.

    Args:
        text: one of these: a list of names, of ``[name, synonym, ...]`` or of objects with ``name``, ``words`` or
            ``synonyms``, and ``colour``; an object from names to synonyms; an object with ``categories`` as in COCO,
            which are ordered by their ids; or what ``ClassList.to_json`` writes.
        name: name of the list, unless the text contains one.

    Raises:
        VocabularyError: the text is not JSON, or has none of these shapes. The message names the line or the position.
    """
    try:
        data = json.loads(text, object_pairs_hook=_object_without_repeats)
    except json.JSONDecodeError as error:
        raise VocabularyError(f"line {error.lineno}: expected JSON, got an error there: {error.msg}.") from None
    except RecursionError:
        raise VocabularyError("expected a list of class names in JSON, got too many nested levels.") from None
    if isinstance(data, dict) and _holds_objects(data.get("classes")):
        return ClassList.from_json(json.dumps({"name": name, **data}))
    if isinstance(data, dict) and _holds_objects(data.get("categories")):
        return ClassList(name, _entries_of_categories(data["categories"]))
    if isinstance(data, dict) and isinstance(data.get("classes"), list) and set(data) <= {"name", "classes"}:
        return ClassList(str(data.get("name", name)), entries_from(data["classes"]))
    if isinstance(data, dict):
        data = [{"name": word, "synonyms": synonyms} for word, synonyms in data.items()]
    if not isinstance(data, list):
        raise VocabularyError(f"expected a JSON list of class names or an object of name and synonyms, got {data!r}.")
    return ClassList(name, entries_from(data))


def entries_from(items: Sequence[object]) -> tuple[ClassEntry, ...]:
    """Make entries from names, from names with synonyms, from JSON objects, and from entries.

    Raises:
        VocabularyError: an item is none of these. The message names its position, counted from 1.
    """
    entries: list[ClassEntry] = []
    for position, item in enumerate(items, start=1):
        try:
            entries.append(_entry_from(item))
        except VocabularyError as error:
            raise VocabularyError(f"position {position}: {error}") from None
    return tuple(entries)


def _entry_from(item: object) -> ClassEntry:
    if isinstance(item, ClassEntry):
        return item
    if isinstance(item, dict):
        return ClassEntry.from_fields(item)
    words = (
        [item] if isinstance(item, str) else list_in_order(item, "a class name, or a list of a name and its synonyms")
    )
    return ClassEntry.from_words([word.strip() if isinstance(word, str) else word for word in words])


def _entries_of_categories(categories: list[dict[str, Any]]) -> tuple[ClassEntry, ...]:
    """Make entries from COCO's categories; fields other than name and colour are ignored."""
    for category in categories:
        if type(category.get("id")) is not int:
            raise VocabularyError(f"Expected an integer id in every category, got {category!r}.")
    fields = ("name", "colour", "color")
    ordered = sorted(categories, key=lambda category: int(category["id"]))
    return entries_from([{key: category[key] for key in fields if key in category} for category in ordered])


def _holds_objects(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(item, dict) for item in value)


def _object_without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse a repeated key. The json module would keep the last value, and raise no error."""
    fields = dict(pairs)
    if len(fields) < len(pairs):
        keys = [key for key, _ in pairs]
        repeated = next(key for key in keys if keys.count(key) > 1)
        raise VocabularyError(f"the key {repeated!r} appears twice in one JSON object. Remove or rename one of them.")
    return fields
