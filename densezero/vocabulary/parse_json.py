"""Class lists in JSON, in the shapes that people use."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from densezero.errors import VocabularyError
from densezero.vocabulary.classes import Draft, kept_ids
from densezero.vocabulary.entries import ClassEntry, list_in_order
from densezero.vocabulary.textfile import find_lines


def parse_json(text: str, name: str) -> Draft:
    """Read a class list from JSON.

    Args:
        text: one of these: a list of names, of ``[name, synonym, ...]`` or of objects with ``name``, ``words`` or
            ``synonyms``, and ``colour``; an object from names to synonyms, from ids to names or from names to ids; an
            object that has one of these as ``id2label``, ``label2id``, ``names``, ``labels`` or ``classes``; the
            categories of COCO, which are ordered by their ids; or what ``ClassList.to_json`` writes.
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
    return _with_lines(_from_data(data, name), text)


def parse_yaml(text: str, name: str) -> Draft:
    """Read a class list from YAML, such as the ``data.yaml`` of a detector, in the same shapes as JSON.

    Raises:
        VocabularyError: the text is not YAML, or has none of these shapes.
    """
    import yaml  # few lists are written in it

    try:
        data = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        place = "" if mark is None else f"line {mark.line + 1}: "
        raise VocabularyError(f"{place}expected YAML, got an error: {getattr(error, 'problem', error)}.") from None
    return _with_lines(_from_data(data, name), text)


def _with_lines(draft: Draft, text: str) -> Draft:
    return draft._replace(lines=find_lines(text, [entry.name for entry in draft.entries]))


def _from_data(data: Any, name: str) -> Draft:
    if not isinstance(data, dict | list):
        raise VocabularyError(f"expected a list of class names, or an object of name and synonyms, got {data!r}.")
    if isinstance(data, list) and _holds_objects(data) and all("id" in item for item in data):
        return _categories(data, name)
    if isinstance(data, list):
        return Draft(name, entries_from(data))
    if _holds_objects(data.get("classes")):
        return Draft.from_fields({"name": name, **data})
    if _holds_objects(data.get("categories")):
        return _categories(data["categories"], name)
    for key in ("id2label", "label2id", "names", "labels", "classes"):
        others = [value for other, value in data.items() if other != key]
        is_alone = not others or any(not isinstance(value, list | None) for value in others)  # else it is a class
        if isinstance(data.get(key), dict | list) and is_alone:
            inner = str(data["name"]) if isinstance(data.get("name"), str) else name
            return Draft(inner, entries_from(data[key])) if isinstance(data[key], list) else _by_id(data[key], inner)
    return _by_id(data, name)


def _by_id(data: dict[Any, Any], name: str) -> Draft:
    """An object from ids to names, from names to ids, or from names to synonyms."""
    if data and all(str(key).isdecimal() for key in data):
        items = sorted((int(key), value) for key, value in data.items()) if _are_texts(data.values()) else None
        if items is None:
            raise VocabularyError(f"expected a class name for every id, got {next(iter(data.items()))!r}.")
        return Draft(name, entries_from([text for _, text in items]), ids=kept_ids([key for key, _ in items]))
    if data and all(type(value) is int for value in data.values()):
        named = sorted((number, word) for word, number in data.items())
        return Draft(name, entries_from([word for _, word in named]), ids=kept_ids([key for key, _ in named]))
    return Draft(name, entries_from([{"name": word, "synonyms": synonyms} for word, synonyms in data.items()]))


def _are_texts(values: Iterable[object]) -> bool:
    return all(isinstance(value, str) for value in values)


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


def _categories(categories: list[dict[str, Any]], name: str) -> Draft:
    """The categories of COCO with their ids; fields other than name and colour are ignored."""
    for category in categories:
        if type(category.get("id")) is not int:
            raise VocabularyError(f"Expected an integer id in every category, got {category!r}.")
    fields = ("name", "colour", "color")
    ordered = sorted(categories, key=lambda category: int(category["id"]))
    entries = entries_from([{key: category[key] for key in fields if key in category} for category in ordered])
    return Draft(name, entries, ids=kept_ids([category["id"] for category in ordered]))


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
