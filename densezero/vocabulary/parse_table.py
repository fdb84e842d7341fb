"""Class lists in tables: a heading, a column of ids, or both, as spreadsheets and published lists have them."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from densezero.errors import VocabularyError
from densezero.vocabulary.textfile import NumberedLine

NAMES: Final = (
    "name",
    "names",
    "class",
    "classes",
    "class name",
    "class_name",
    "category",
    "categories",
    "label",
    "labels",
)
"""Headings of the column of names, the likeliest first."""

IDS: Final = ("id", "ids", "idx", "index", "class id", "class_id", "category id", "category_id", "label id", "label_id")
SYNONYMS: Final = ("synonyms", "synonym", "words", "aliases")
_NUMBERED: Final = re.compile(r"(\d+)(\s*[:.)\t,;|]|\s)\s*(\S.*)")
_WAY_OUT: Final = "Write one class on each line, or a table with the headings id, name and synonyms."


@dataclass(frozen=True)
class Row:
    """A row of a table.

    Args:
        number: of its line in the file, from 1.
        id: of the class; None where the table has none.
        text: the name of the class, and its synonyms after separators.
    """

    number: int
    id: int | None
    text: str


def read_table(lines: Sequence[NumberedLine], *, is_csv: bool) -> list[Row] | None:
    """Read a table of classes.

    Args:
        lines: of the file, without blank ones.
        is_csv: whether the file's name says that it is a table, so that one word may be a heading.

    Returns:
        Its rows by their ids; None if the lines are no table.

    Raises:
        VocabularyError: for a table whose columns cannot be told apart, or ids that are not all different. The message
            names the line.
    """
    delimiter = _delimiter(lines)
    cells = [next(csv.reader([line.text], delimiter=delimiter or "\t", skipinitialspace=True)) for line in lines]
    heading = [cell.strip().casefold() for cell in cells[0]]
    if delimiter is not None and _is_heading(heading, cells[1:]):
        return _sorted([_row(line, heading, row, cells) for line, row in zip(lines[1:], cells[1:], strict=True)])
    if len(heading) == 1 and heading[0] in NAMES and len(lines) > 1:
        if is_csv:
            return [Row(line.number, None, _joined(row)) for line, row in zip(lines[1:], cells[1:], strict=True)]
        raise VocabularyError(
            f"line {lines[0].number}: {lines[0].text!r} looks like the heading of a column. Remove that line; if it is "
            f'a class, write "{lines[0].text}={lines[0].text}".'
        )
    numbered = [_NUMBERED.fullmatch(line.text) for line in lines]
    found = [match for match in numbered if match]
    counts = [int(match[1]) for match in found] in (list(range(len(lines))), list(range(1, len(lines) + 1)))
    if len(found) < len(lines) or not (counts or all(match[2].strip(" ") for match in found)):
        return None  # "3 wheeler" is a name
    rows = [Row(line.number, int(match[1]), match[3]) for line, match in zip(lines, found, strict=True)]
    return _sorted([_without_numbers(row) for row in rows])


def _delimiter(lines: Sequence[NumberedLine]) -> str | None:
    """The sign between columns: one that the first line has, and so have all others."""
    for sign in ("\t", ";", ","):
        if sign in lines[0].text and all(sign in line.text for line in lines):
            return sign
    return None


def _is_heading(heading: Sequence[str], rows: Sequence[Sequence[str]]) -> bool:
    """Whether the first line names the columns: known words, or no number over a column of numbers."""
    if not rows:
        return False
    known = {*NAMES, *IDS, *SYNONYMS}
    if heading[0] in known and any(word in (*NAMES, *SYNONYMS) for word in heading):
        return len(set(heading) & known) > 1 or all(row[0].strip().isdecimal() for row in rows)
    return not heading[0].isdecimal() and all(row and row[0].strip().isdecimal() for row in rows)


def _row(line: NumberedLine, heading: Sequence[str], row: Sequence[str], cells: Sequence[Sequence[str]]) -> Row:
    if len(row) != len(heading):
        raise VocabularyError(
            f"line {line.number}: expected {len(heading)} columns, as the first line has; got {len(row)}. {_WAY_OUT}"
        )
    numeric = {
        place
        for place in range(len(heading))
        if all(_is_number(other[place]) for other in cells[1:] if place < len(other))
    }
    names = [heading.index(word) for word in NAMES if word in heading and heading.index(word) not in numeric]
    texts = [place for place in range(len(heading)) if place not in numeric and heading[place] not in SYNONYMS]
    if not names and len(texts) != 1:
        raise VocabularyError(f"line 1: expected one column of names, got {', '.join(heading)}. {_WAY_OUT}")
    ids = [place for place in sorted(numeric) if heading[place] in (*IDS, *NAMES)]
    more = [row[heading.index(word)] for word in SYNONYMS if word in heading and row[heading.index(word)].strip()]
    name = row[(names or texts)[0]]
    number = row[ids[0]].strip() if ids else ""
    if ids and not number.isdecimal():
        raise VocabularyError(f"line {line.number}: expected an id as a whole number, got {number!r}. {_WAY_OUT}")
    return Row(line.number, int(number) if ids else None, _joined([name, *more]))


def _without_numbers(row: Row) -> Row:
    """A row without heading: columns of numbers after the id say nothing of the class."""
    cells = [cell.strip() for cell in re.split(r"[\t,;]", row.text)]
    if all(map(_is_number, cells)):
        raise VocabularyError(
            f"line {row.number}: expected the name of a class after its id, got {row.text!r}. {_WAY_OUT}"
        )
    return Row(row.number, row.id, ", ".join(cell for cell in cells if not _is_number(cell)))


def _sorted(rows: list[Row]) -> list[Row]:
    """Rows by their ids, which are all different."""
    seen: dict[int, int] = {}
    for row in rows:
        if row.id is not None and row.id in seen:
            raise VocabularyError(
                f"line {row.number}: the id {row.id} stands on line {seen[row.id]} already. Give each class its own."
            )
        if row.id is not None:
            seen[row.id] = row.number
    return sorted(rows, key=lambda row: row.id or 0)


def _joined(cells: Sequence[str]) -> str:
    return "|".join(cell.strip() for cell in cells if cell.strip())


def _is_number(text: str) -> bool:
    return re.fullmatch(r"[-+]?\d*\.?\d+%?", text.strip()) is not None
