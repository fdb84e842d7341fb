"""The published numbers of the field's methods, each with its source and whether its authors printed it themselves."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Final

from densezero.evaluation.published import COLUMNS

MARKS: Final = {
    "primary": "primary: printed by the authors of the method",
    "secondary": "secondary: printed by others, for example in a later paper",
}
"""The mark of a row, and what it means."""

_OTHER_NAMES: Final = {"pascal_context59": "context59", "pascal_context60": "context60"}
"""Names of columns that differ from those of ``published.json``."""


@dataclass(frozen=True)
class FieldRow:
    """The published numbers of one method with one backbone.

    Args:
        label: method and backbone; with what else it uses, if several rows have the same method and backbone. Without
            commas, which separate rows on the command line.
        mark: a key of ``MARKS``.
        source: where the numbers were read.
        notes: what else the method uses, and what is to know of the numbers.
        miou: our name of a data set to the published mIoU in percent.
    """

    label: str
    mark: str
    source: str
    notes: tuple[str, ...]
    miou: dict[str, float]


@cache
def field_rows() -> tuple[FieldRow, ...]:
    """Read all rows, in the order of the data file."""
    text = (resources.files("densezero.evaluation") / "data" / "published_field.json").read_text(encoding="utf-8")
    rows = json.loads(text)["rows"]
    count = Counter((row["method"], row.get("backbone")) for row in rows)
    columns = {ours: _OTHER_NAMES.get(theirs, theirs) for ours, theirs in COLUMNS.items()}
    made = []
    for row in rows:
        extra, is_alone = row.get("extra"), count[row["method"], row.get("backbone")] == 1
        notes = [f"also uses {extra}"] if extra and is_alone else []
        notes += [row["note"]] if "note" in row else []
        miou = {ours: row["scores"][theirs] for ours, theirs in columns.items() if theirs in row["scores"]}
        label = _label(row["method"], row.get("backbone"), None if is_alone else extra)
        made.append(FieldRow(label, row["seen"], row["source"], tuple(notes), miou))
    return tuple(made)


def _label(method: str, backbone: str | None, extra: str | None) -> str:
    parts = [method.replace(", ", " ")]
    parts += [f"({backbone})"] if backbone else []
    parts += [f"with {extra.replace(', and ', ' and ').replace(', ', '; ')}"] if extra else []
    return " ".join(parts)
