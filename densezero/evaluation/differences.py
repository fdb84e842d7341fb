"""Describes how two requests differ, for error messages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from densezero.encoders.hashes import OLD_HASHES

_FOLLOWS: Final = {
    "class_list_sha256": ("classes", "class_list"),
    "templates_sha256": ("templates",),
    "weights_sha256": ("model", "models"),
}
"""A field that differs whenever one of others does says nothing more."""

THERE_NOW: Final = ("there", "now")
_MOST = 5


def explain_differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    """Say why two requests are not the same, as the end of a sentence."""
    if "version" in old:
        return "they were written by another version of densezero, with another layout of files"
    if old.get("hash_version", 1) != new.get("hash_version"):
        return f"they were written by a version of densezero {OLD_HASHES}, so it is not known whether they are the same"
    return f"these differ: {'; '.join(list_differences(old, new))}"


def list_differences(
    old: Mapping[str, Any], new: Mapping[str, Any], prefix: str = "", words: tuple[str, str] = THERE_NOW
) -> list[str]:
    """List what two requests do not share: the field's name and both values, shortened.

    Args:
        old: a request.
        new: another one.
        prefix: stands before each name.
        words: how the two are called.
    """
    differing = [key for key in sorted({*old, *new}) if old.get(key) != new.get(key)]
    found: list[str] = []
    for key in differing:
        before, after = old.get(key), new.get(key)
        if key == "hash_version" or any(other in differing for other in _FOLLOWS.get(key, ())):
            continue
        if isinstance(before, Mapping) and isinstance(after, Mapping):
            named = "name" in before and before.get("name") != after.get("name")
            inner = [_changed(key, before["name"], after.get("name"), words)] if named else None
            found += inner or list_differences(before, after, f"{prefix}{key}.", words)
        elif isinstance(before, list | tuple) and isinstance(after, list | tuple):
            found.append(_list_change(prefix + key, list(before), list(after), words))
        else:
            found.append(_changed(prefix + key, before, after, words))
    return found


def _changed(name: str, before: Any, after: Any, words: tuple[str, str]) -> str:
    return f"{name} ({words[0]} {str(before)[:60]}, {words[1]} {str(after)[:60]})"


def _list_change(name: str, before: list[Any], after: list[Any], words: tuple[str, str]) -> str:
    """What only one of two lists holds; of two with the same members, that their order differs."""
    gone = [str(item) for item in before if item not in after]
    come = [str(item) for item in after if item not in before]
    if not gone and not come:
        return f"{name} (the same in another order)"
    parts = [f"only {when}: {_few(items)}" for when, items in zip(words, (gone, come), strict=True) if items]
    return f"{name} ({'; '.join(parts)})"


def _few(items: list[str]) -> str:
    return ", ".join(item[:60] for item in items[:_MOST]) + (f" and {len(items) - _MOST} more" * (len(items) > _MOST))
