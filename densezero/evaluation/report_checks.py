"""Checks the values of a report's file, before anything is made of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any, Final

NEWEST_FORMAT: Final = 2
"""Number of the format that this version writes. Format 1 is without ``files_sha256``."""

_MOST_PIXELS: Final = 2**63  # counts are int64


def refuse_malformed(values: Any) -> None:
    """Refuse values that are not those of a report.

    Args:
        values: the content of the file, decoded from JSON.

    Raises:
        ValueError: a field is missing or has an unexpected value, or the format is not known. The message says which.
    """
    if not isinstance(values, dict):
        raise ValueError(f"expected named fields, got {_shorten(values)}")
    _refuse_other_format(values)
    for name, (kind, is_valid) in _FIELDS.items():
        if name not in values and name not in _OPTIONAL:
            raise ValueError(f"the field {name} is missing")
        if name in values and not is_valid(values[name]):
            raise ValueError(f"expected {name} to be {kind}, got {_shorten(values[name])}")
    _refuse_other_class_count(values)


def _refuse_other_format(values: dict[str, Any]) -> None:
    if "format" not in values:
        raise ValueError("the field format is missing")
    number = values["format"]
    if not _is_count(number) or number < 1:
        raise ValueError(f"expected format to be a whole number from 1 to {NEWEST_FORMAT}, got {_shorten(number)}")
    if number > NEWEST_FORMAT:
        raise ValueError(
            f"its format is {_shorten(number)}, and this version of densezero knows the formats up to {NEWEST_FORMAT}; "
            "a newer version wrote it and can read it"
        )


def _refuse_other_class_count(values: dict[str, Any]) -> None:
    """Refuse fields that disagree about the number of classes."""
    count, rows = len(values["per_class"]), values["confusion"]
    if len(rows) != count or any(len(row) != count for row in rows):
        raise ValueError(
            f"expected the confusion matrix to have {count} rows and columns, one for each class in per_class"
        )
    if sum(map(sum, rows)) >= _MOST_PIXELS:
        raise ValueError("expected the confusion matrix to hold pixel counts, got numbers that are too large")
    classes = values.get("vocabulary", {}).get("classes", ())
    if classes and len(classes) != count:
        raise ValueError(f"expected vocabulary to have the {count} classes of per_class, got {len(classes)}")


def _shorten(value: Any) -> str:
    text = "an object" if isinstance(value, dict) else "a list" if isinstance(value, list) else repr(value)
    return text if len(text) <= 40 else f"{text[:40]}..."


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _MOST_PIXELS


def _is_number(value: Any) -> bool:
    return _is_count(value) or (isinstance(value, float) and math.isfinite(value) and value >= 0)


def _is_percent(value: Any) -> bool:
    return value is None or (_is_number(value) and value <= 100.001)


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_texts(value: Any) -> bool:
    return isinstance(value, list) and all(map(_is_text, value))


def _is_object(value: Any) -> bool:
    return isinstance(value, dict)


def _are(value: Iterable[Any], is_valid: Callable[[Any], bool]) -> bool:
    return all(map(is_valid, value))


def _is_scores(value: Any) -> bool:
    return _is_object(value) and "miou" in value and _are(value.values(), _is_percent)


def _is_class_scores(value: Any) -> bool:
    return _is_object(value) and len(value) > 0 and _are(value.values(), _is_percent)


def _is_times(value: Any) -> bool:
    return _is_object(value) and _are(value.values(), _is_number)


def _is_confusion(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(row, list) and _are(row, _is_count) for row in value)


def _is_image_score(value: Any) -> bool:
    percents = ("miou", "pixel_accuracy")
    return (
        _is_object(value)
        and _is_text(value.get("name"))
        and all(name in value and _is_percent(value[name]) for name in percents)
    )


def _is_image_scores(value: Any) -> bool:
    return isinstance(value, list) and _are(value, _is_image_score)


def _is_vocabulary(value: Any) -> bool:
    if not _is_object(value) or not isinstance(value.get("classes", []), list):
        return False
    return all(_is_object(entry) and _is_texts(entry.get("words")) for entry in value.get("classes", []))


_FIELDS: Final[dict[str, tuple[str, Callable[[Any], bool]]]] = {
    "dataset": ("a text", _is_text),
    "model": ("a text", _is_text),
    "protocol": ("a text", _is_text),
    "images": ("a whole number", _is_count),
    "scores": ("percentages by name, with miou among them", _is_scores),
    "per_class": ("percentages by class name", _is_class_scores),
    "confusion": ("rows of whole numbers", _is_confusion),
    "per_image": ("a list of name, miou and pixel_accuracy of each image", _is_image_scores),
    "request": ("an object", _is_object),
    "machine": ("an object", _is_object),
    "seconds": ("times by name", _is_times),
    "vocabulary": ("an object with the words of each class", _is_vocabulary),
    "templates": ("a list of texts", _is_texts),
    "files_sha256": ("a text", _is_text),
}
_OPTIONAL: Final = ("vocabulary", "templates", "files_sha256")
"""Fields that older reports do not have."""
