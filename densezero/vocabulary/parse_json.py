"""The shapes of JSON in which people keep class lists."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from densezero.errors import VocabularyError
from densezero.vocabulary.classes import ClassList
from densezero.vocabulary.entries import ClassEntry


def parse_json(text: str, name: str) -> ClassList:
    """Read a class list from JSON.

    Args:
        text: a list of names, of ``[name, synonym, ...]`` or of objects (``name``, ``words`` or ``synonyms``,
            ``colour``); an object from name to synonyms; an object with ``categories`` as in COCO, taken in the order
            of their ids; or what ``ClassList.to_json`` writes.
        name: what the list is called where the text does not say.

    Raises:
        VocabularyError: it is no JSON, or none of these shapes; the message names the line or the position.
    """
    try:
        data = json.loads(text, object_pairs_hook=_object_without_repeats)
    except json.JSONDecodeError as error:
        raise VocabularyError(f"line {error.lineno}: expected JSON, got an error there: {error.msg}.") from None
    except RecursionError:
        raise VocabularyError("expected a list of class names in JSON, got one nested without end.") from None
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
    """Turn names, ``[name, synonym, ...]``, objects and ready entries into entries.

    Raises:
        VocabularyError: an item is none of these; the message names its position, counted from 1.
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
    if isinstance(item, (list, tuple)):
        return ClassEntry.from_words([word.strip() if isinstance(word, str) else word for word in item])
    if isinstance(item, str):
        return ClassEntry.from_words([item.strip()])
    raise VocabularyError(f"Expected a class name or a list of a name and its synonyms, got {item!r}.")


def _entries_of_categories(categories: list[dict[str, Any]]) -> tuple[ClassEntry, ...]:
    """Read COCO's categories, which carry much that is not needed here."""
    for category in categories:
        if type(category.get("id")) is not int:
            raise VocabularyError(f"Expected an integer id in every category, got {category!r}.")
    fields = ("name", "colour", "color")
    ordered = sorted(categories, key=lambda category: int(category["id"]))
    return entries_from([{key: category[key] for key in fields if key in category} for category in ordered])


def _holds_objects(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(item, dict) for item in value)


def _object_without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse what the json module would drop in silence."""
    fields = dict(pairs)
    if len(fields) < len(pairs):
        keys = [key for key, _ in pairs]
        repeated = next(key for key in keys if keys.count(key) > 1)
        raise VocabularyError(f"the key {repeated!r} stands twice in one JSON object. Remove or rename one of them.")
    return fields
