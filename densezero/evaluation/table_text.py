"""Writes a table as Markdown, LaTeX or CSV: the same numbers and footnotes in each."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from string import ascii_lowercase
from typing import Final

from densezero.errors import InputError, ProtocolError, did_you_mean
from densezero.evaluation.table import Cell, Row, Table

NOT_PUBLISHED: Final = "not published"
METRIC: Final = "mIoU (%)"
_LATEX_MARKS: Final = {
    "\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "–": "--", "<": r"\textless{}",
    ">": r"\textgreater{}", "|": r"\textbar{}", "[": "{[}", "]": "{]}", "*": "{*}",
}  # fmt: skip
"""Brackets and stars are wrapped because they are arguments of a line break that stands before them."""


@dataclass(frozen=True)
class Style:
    """How numbers are written.

    Args:
        digits: digits behind the point, 0 to 6. A published number keeps fewer if it has fewer.
        best: in each block, the best number of each column is bold.
        second: in each block, the second best is underlined.

    Raises:
        InputError: for another number of digits.
    """

    digits: int = 2
    best: bool = False
    second: bool = False

    def __post_init__(self) -> None:
        if not 0 <= self.digits <= 6:
            raise InputError(f"Expected 0 to 6 digits; got {self.digits}.")


def write_table(table: Table, form: str = "markdown", style: Style | None = None) -> str:
    """Write a table.

    Markdown and LaTeX mark deviations with letters and explain them below; CSV has them in its last column. LaTeX needs
    the package ``booktabs``.

    Args:
        table: the table.
        form: ``markdown``, ``latex`` or ``csv``.
        style: how numbers are written; None for two digits without emphasis.

    Returns:
        The text, equal for equal tables.

    Raises:
        ProtocolError: for an unknown form.
    """
    if form not in FORMS:
        raise ProtocolError(f"Expected a format of a table; got {form!r}. {did_you_mean(form, list(FORMS))}")
    return FORMS[form](table, style or Style())


def format_value(cell: Cell, kind: str, digits: int) -> str:
    """Write the number of a cell, with its interval if it has one."""
    if cell.value is None:
        return "–"
    if kind == "difference":
        return f"{cell.value:+.{digits}f}"
    if kind == "published":
        return _shorten(str(cell.value), digits)
    ends = f" [{cell.interval.low:.{digits}f}, {cell.interval.high:.{digits}f}]" if cell.interval else ""
    return f"{cell.value:.{digits}f}{ends}"


def _shorten(number: str, digits: int) -> str:
    """Round a printed number to fewer digits. A half goes up: 16.45 becomes 16.5."""
    if len(number.partition(".")[2]) <= digits:
        return number
    return str(Decimal(number).quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP))


def rank_cells(rows: tuple[Row, ...], column: str, digits: int) -> dict[int, int]:
    """Find the best and the second best number of a column in one block.

    Numbers are compared as they are written, so equal ones share their rank.

    Returns:
        Index of a row to 1 or 2. Empty if fewer than two rows have a number.
    """
    written = {
        place: float(format_value(Cell(cell.value), row.kind, digits))
        for place, row in enumerate(rows)
        if row.kind != "difference" and (cell := row.cells.get(column)) is not None and cell.value is not None
    }
    if len(written) < 2:
        return {}
    levels = sorted(set(written.values()), reverse=True)[:2]
    return {place: levels.index(value) + 1 for place, value in written.items() if value in levels}


class _Footnotes:
    """Gives each different footnote a mark: a, b, ... z, aa, bb, ..."""

    def __init__(self) -> None:
        self.marks: dict[str, str] = {}

    def mark(self, notes: tuple[str, ...]) -> str:
        for note in notes:
            index = len(self.marks)
            self.marks.setdefault(note, ascii_lowercase[index % 26] * (1 + index // 26))
        return ",".join(mark for note, mark in self.marks.items() if note in notes)


@dataclass(frozen=True)
class _Markup:
    """The marks of one text format."""

    escape: Callable[[str], str]
    raised: str
    bold: str
    underlined: str


def _lines(table: Table, style: Style, markup: _Markup, notes: _Footnotes) -> Iterator[tuple[str, list[list[str]]]]:
    """Give each protocol with the escaped words of its rows, footnotes marked."""
    for protocol, rows in table.blocks.items():
        ranks = {column: rank_cells(rows, column, style.digits) for column in table.columns}
        words = []
        for place, row in enumerate(rows):
            line = [markup.escape(_row_label(row)) + _raise(markup, notes.mark(row.notes))]
            for column in table.columns:
                line.append(_cell_text(row, column, ranks[column].get(place, 0), style, markup, notes))
            words.append(line)
        yield protocol, words


def _row_label(row: Row) -> str:
    return _one_line(f"{row.label} minus published" if row.kind == "difference" else row.label)


def _cell_text(row: Row, column: str, rank: int, style: Style, markup: _Markup, notes: _Footnotes) -> str:
    cell = row.cells.get(column)
    if cell is None:
        return markup.escape("–") if row.kind == "published" else ""
    text = markup.escape(format_value(cell, row.kind, style.digits))
    if style.best and rank == 1:
        text = markup.bold.format(text)
    if style.second and rank == 2:
        text = markup.underlined.format(text)
    return text + _raise(markup, notes.mark(cell.notes))


def _raise(markup: _Markup, mark: str) -> str:
    return markup.raised.format(mark) if mark else ""


def _explanations(table: Table, notes: _Footnotes) -> Iterator[tuple[str, str]]:
    """Give each mark with its footnote, and what a dash and brackets mean."""
    yield from ((mark, _one_line(note)) for note, mark in notes.marks.items())
    rows = [row for rows in table.blocks.values() for row in rows]
    if {"published", "measured"} <= {row.kind for row in rows}:
        yield "", "Rows without a source were measured with densezero"
    if any(row.kind == "published" and set(table.columns) - set(row.cells) for row in rows):
        yield "–", NOT_PUBLISHED
    if any(cell.interval for row in rows for cell in row.cells.values()):
        yield "[ ]", "95 % interval of the bootstrap over images"


def _markdown(table: Table, style: Style) -> str:
    notes, width = _Footnotes(), 1 + len(table.columns)
    markup = _Markup(_markdown_text, "<sup>{}</sup>", "**{}**", "<u>{}</u>")
    lines = [[METRIC, *map(_markdown_text, map(_one_line, table.columns.values()))]]
    for protocol, rows in _lines(table, style, markup, notes):
        lines += [[f"*{_markdown_text(protocol)}*", *[""] * (width - 1)], *rows]
    text = [f"| {' | '.join(line)} |\n" for line in lines]
    text.insert(1, f"|{'---|' + '---:|' * (width - 1)}\n")
    below = [
        f"\n{f'<sup>{mark}</sup> ' if mark.isalpha() else f'{mark} '.lstrip()}{_markdown_text(note)}.\n"
        for mark, note in _explanations(table, notes)
    ]
    return "".join([*text, *below])


def _latex(table: Table, style: Style) -> str:
    notes, width = _Footnotes(), 1 + len(table.columns)
    markup = _Markup(_latex_text, r"\textsuperscript{{{}}}", r"\textbf{{{}}}", r"\underline{{{}}}")
    lines = [
        r"% \usepackage{booktabs}",
        rf"\begin{{tabular}}{{l{'r' * (width - 1)}}}",
        r"\toprule",
        rf" & \multicolumn{{{width - 1}}}{{c}}{{{_latex_text(METRIC)}}} \\",
        rf"\cmidrule(l){{2-{width}}}",
        " & ".join(["Method", *map(_latex_text, map(_one_line, table.columns.values()))]) + r" \\",
    ]
    for protocol, rows in _lines(table, style, markup, notes):
        lines += [r"\midrule", rf"\multicolumn{{{width}}}{{l}}{{\emph{{{_latex_text(protocol)}}}}} \\"]
        lines += [" & ".join(row) + r" \\" for row in rows]
    lines += [r"\bottomrule", r"\end{tabular}"]
    explained = [
        f"{_raise(markup, mark) if mark.isalpha() else _latex_text(mark)} {_latex_text(note)}.".lstrip()
        for mark, note in _explanations(table, notes)
    ]
    if explained:
        lines += ["", r"\smallskip", r"{\footnotesize\raggedright", "\\\\\n".join(explained), r"\par}"]
    return "\n".join(lines) + "\n"


def _csv(table: Table, style: Style) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    with_interval = any(cell.interval for rows in table.blocks.values() for row in rows for cell in row.cells.values())
    head = [word for title in table.columns.values() for word in (title, *[f"{title} {end}" for end in _ENDS])]
    titles = head if with_interval else list(table.columns.values())
    writer.writerow(["protocol", "method", "kind", *map(_one_line, titles), "notes"])
    for protocol, rows in table.blocks.items():
        for row in rows:
            numbers = [
                word for column in table.columns for word in _csv_words(row, column, style.digits, with_interval)
            ]
            writer.writerow([protocol, _row_label(row), row.kind, *numbers, _csv_notes(row, table.columns)])
    return text.getvalue()


_ENDS: Final = ("low", "high")


def _csv_words(row: Row, column: str, digits: int, with_interval: bool) -> list[str]:
    cell = row.cells.get(column)
    if cell is None:
        return [NOT_PUBLISHED if row.kind == "published" else "", *[""] * (2 * with_interval)]
    number = format_value(Cell(cell.value), row.kind, digits) if cell.value is not None else ""
    ends = [f"{end:.{digits}f}" for end in cell.interval] if cell.interval else ["", ""]
    return [number, *(ends if with_interval else ())]


def _csv_notes(row: Row, columns: Mapping[str, str]) -> str:
    """Give the footnotes of a row; before those of a single number stands its column."""
    of_cells = [
        f"{title}: {note}"
        for column, title in columns.items()
        if column in row.cells
        for note in row.cells[column].notes
    ]
    return _one_line("; ".join([*row.notes, *of_cells]))


def _one_line(text: str) -> str:
    """Put a text on one line, and escape what cannot be written in UTF-8."""
    return " ".join(text.split()).encode("utf-8", "backslashreplace").decode("utf-8")


def _markdown_text(text: str) -> str:
    return "".join(f"\\{mark}" if mark in "|*<`" else mark for mark in text)


def _latex_text(text: str) -> str:
    return "".join(_LATEX_MARKS.get(mark, f"\\{mark}" if mark in "&%$#_{}" else mark) for mark in text)


FORMS: Final[dict[str, Callable[[Table, Style], str]]] = {"markdown": _markdown, "latex": _latex, "csv": _csv}
