"""Describes how two requests differ, for error messages."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from densezero.encoders.hashes import OLD_HASHES

_FOLLOWS: Final = {
    "class_list_sha256": "classes",
    "templates_sha256": "templates",
    "hash_version": "",
}
"""A field that differs whenever another one does says nothing more."""

_MOST = 5


def explain_differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> str:
    """Say why two requests are not the same, as the end of a sentence."""
    if "version" in old:
        return "they were written by another version of densezero, with another layout of files"
    if old.get("hash_version", 1) != new.get("hash_version"):
        return f"they were written by a version of densezero {OLD_HASHES}, so it is not known whether they are the same"
    return f"these differ: {'; '.join(list_differences(old, new))}"


def list_differences(old: Mapping[str, Any], new: Mapping[str, Any], prefix: str = "") -> list[str]:
    """What two requests do not share: a field's name, what it was there and what it is now, shortened."""
    differing = [key for key in sorted({*old, *new}) if old.get(key) != new.get(key)]
    found: list[str] = []
    for key in differing:
        before, after = old.get(key), new.get(key)
        if _FOLLOWS.get(key) in differing:
            continue
        if isinstance(before, Mapping) and isinstance(after, Mapping):
            named = "name" in before and before.get("name") != after.get("name")
            inner = [_changed(key, before["name"], after.get("name"))] if named else None
            found += inner or list_differences(before, after, f"{prefix}{key}.")
        elif isinstance(before, list) and isinstance(after, list):
            found.append(_list_change(prefix + key, before, after))
        else:
            found.append(_changed(prefix + key, before, after))
    return found


def _changed(name: str, before: Any, after: Any) -> str:
    return f"{name} (there {str(before)[:60]}, now {str(after)[:60]})"


def _list_change(name: str, before: list[Any], after: list[Any]) -> str:
    """What only one of two lists holds; of two with the same members, that their order differs."""
    gone = [str(item) for item in before if item not in after]
    come = [str(item) for item in after if item not in before]
    if not gone and not come:
        return f"{name} (the same in another order)"
    parts = [f"only {when}: {_few(items)}" for when, items in (("there", gone), ("now", come)) if items]
    return f"{name} ({'; '.join(parts)})"


def _few(items: list[str]) -> str:
    return ", ".join(item[:60] for item in items[:_MOST]) + (f" and {len(items) - _MOST} more" * (len(items) > _MOST))
