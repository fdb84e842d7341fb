"""Tables of mIoU: rows are models and methods, columns data sets, blocks protocols. ``table_text`` writes them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from densezero.engine.presets import PROTOCOLS
from densezero.errors import InputError, did_you_mean
from densezero.evaluation.bootstrap import Interval, Measured
from densezero.evaluation.deviations import (
    UNSTATED_RESOLUTION,
    encoder_of,
    list_deviations,
    other_refinement,
    readout_of,
    unstated_words,
)
from densezero.evaluation.published import COLUMNS, PublishedRow, published_miou, published_rows
from densezero.evaluation.published_field import MARKS, FieldRow, field_rows
from densezero.evaluation.report import Report

TITLES: Final = {
    "ade20k": "ADE20K", "voc20": "VOC20", "voc21": "VOC21", "pascal-context59": "Context59",
    "pascal-context60": "Context60", "cityscapes": "Cityscapes", "coco-stuff": "COCO-Stuff",
    "coco-object": "COCO-Object",
}  # fmt: skip
"""How the columns of benchmarks are headed."""


@dataclass(frozen=True)
class Cell:
    """One number of a table.

    Args:
        value: mIoU in percent, or a difference in percentage points; None if no pixel is scored.
        notes: footnotes.
        interval: 95 % interval of the value, percent; None if it was not asked for.
    """

    value: float | None
    notes: tuple[str, ...] = ()
    interval: Interval | None = None


@dataclass(frozen=True)
class Row:
    """A model or a published method.

    Args:
        label: the model or method.
        kind: ``"published"``, ``"measured"`` or ``"difference"``.
        cells: name of a column to its cell; columns without a number are absent.
        notes: footnotes of the label.
    """

    label: str
    kind: str
    cells: dict[str, Cell] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Table:
    """A table of mIoU in percent.

    Args:
        columns: name of each column to its title, in order.
        blocks: protocol to its rows, in order.
    """

    columns: dict[str, str]
    blocks: dict[str, tuple[Row, ...]]


def make_table(
    measured: Sequence[Measured],
    *,
    published: bool | None = None,
    difference: bool = False,
    published_field: bool = False,
) -> Table:
    """Put reports and published numbers into a table.

    Args:
        measured: the reports. A model has one row in each protocol, or more if a data set comes twice.
        published: True for all published rows, False for none; None for those of the measured models.
        difference: below a measured row with published numbers, a row of measured minus published.
        published_field: add the published rows of the field's methods, in blocks by their mark. Their protocols are
            those of their papers.
    """
    blocks: dict[str, list[Row]] = {}
    rows = [] if published is False else [row for row in published_rows() if published or _is_asked(row, measured)]
    for row in rows:
        blocks.setdefault(row.protocol, []).append(_published_row(row))
    of_field = field_rows() if published_field else ()
    for mark in MARKS if published_field else ():
        blocks[f"field, {mark}"] = [_field_row(row) for row in of_field if row.mark == mark]
    alone = not measured or published or published_field
    printed = [*(row.miou for row in rows), *(row.miou for row in of_field)] if alone else []
    titles = {name for miou in printed for name in miou}
    own: dict[str, str] = {}
    for each in measured:
        own[each.report.column] = TITLES.get(each.report.column, each.report.title)
        _add(blocks.setdefault(each.report.protocol, []), each)
    columns = {name: TITLES[name] for name in COLUMNS if name in titles or name in own} | own
    if difference:
        for protocol, made in blocks.items():
            reports = [each.report for each in measured if each.report.protocol == protocol]
            papers = {(_label(r), r.column): miou for r in reports if (miou := _published(r)) is not None}
            blocks[protocol] = _with_differences(made, papers)
    order = [*(name for name in PROTOCOLS if name in blocks), *(name for name in blocks if name not in PROTOCOLS)]
    return Table(columns, {protocol: tuple(blocks[protocol]) for protocol in order})


def select(table: Table, columns: Sequence[str] = (), rows: Sequence[str] = ()) -> Table:
    """Choose columns and rows, put them in order and rename them.

    Args:
        table: the table.
        columns: ``NAME`` or ``NAME=TITLE`` of each column; none keeps all.
        rows: ``LABEL`` or ``LABEL=NEW LABEL`` of each row; none keeps all. A row of differences follows its model.

    Raises:
        InputError: if a name is not in the table. The message gives the nearest.
    """
    chosen = _names(columns, list(table.columns), "--columns")
    wanted = {name: new or table.columns[name] for name, new in chosen.items()} if chosen else table.columns
    labels = list(dict.fromkeys(row.label for lines in table.blocks.values() for row in lines))
    renamed = _names(rows, labels, "--rows")
    order = list(renamed)
    blocks = {}
    for protocol, lines in table.blocks.items():
        kept = sorted((row for row in lines if row.label in renamed), key=lambda row: order.index(row.label))
        made = [
            replace(row, label=renamed.get(row.label) or row.label, cells=_cells_of(row, wanted))
            for row in (kept if rows else lines)
        ]
        if made := [row for row in made if row.cells]:
            blocks[protocol] = tuple(made)
    return Table(dict(wanted), blocks)


def _cells_of(row: Row, columns: Iterable[str]) -> dict[str, Cell]:
    return {name: row.cells[name] for name in columns if name in row.cells}


def _names(given: Sequence[str], known: list[str], option: str) -> dict[str, str]:
    """Split ``NAME=NEW`` of each; refuse unknown names."""
    chosen: dict[str, str] = {}
    for text in given:
        name, _, new = (text, "", "") if text in known else text.partition("=")
        if name.strip() not in known:
            raise InputError(f"Expected {option} of the table; got {name.strip()!r}. {did_you_mean(name, known)}")
        chosen[name.strip()] = new.strip()
    return chosen


def _is_asked(row: PublishedRow, measured: Sequence[Measured]) -> bool:
    """Whether a published row has a number that stands beside a measured one."""
    asked = (row.model, row.protocol, row.readout)
    reports = [each.report for each in measured if not other_refinement(each.report)]
    return any(asked == _identity(report) and report.column in row.miou for report in reports)


def _identity(report: Report) -> tuple[str, str, str]:
    """Encoder, protocol and read-out: what a published row is found by."""
    return encoder_of(report), report.protocol, readout_of(report)


def _published_row(row: PublishedRow) -> Row:
    cells = {name: Cell(miou, unstated_words(row, name)) for name, miou in row.miou.items()}
    resolution = (UNSTATED_RESOLUTION,) if row.protocol == "tips-simple" else ()
    return Row(row.method, "published", cells, (f"published: {row.source}", *resolution))


def _field_row(row: FieldRow) -> Row:
    cells = {name: Cell(miou) for name, miou in row.miou.items()}
    return Row(row.label, "published", cells, (f"published: {row.source}", MARKS[row.mark], *row.notes))


def _add(rows: list[Row], each: Measured) -> None:
    """Put a number into the first row of its model that has no number of its data set yet, or into a new row."""
    report = each.report
    beside = _published(report) is not None
    cell = Cell(report.scores["miou"], tuple(list_deviations(report, beside)), each.interval)
    label = _label(report)
    row = next((r for r in rows if (r.kind, r.label) == ("measured", label) and report.column not in r.cells), None)
    if row is None:
        row = Row(label, "measured")
        rows.append(row)
    row.cells[report.column] = cell


def _label(report: Report) -> str:
    """The model, and its read-out and refinement where they are not the protocol's."""
    usual = PROTOCOLS[report.protocol].readout if report.protocol in PROTOCOLS else ""
    readout = readout_of(report)
    parts = (report.model, "" if readout == usual or not usual else readout, other_refinement(report))
    return ", ".join(part for part in parts if part)


def _published(report: Report) -> float | None:
    """The published number of the same encoder, protocol, read-out and benchmark; refined numbers have none."""
    if other_refinement(report):
        return None
    encoder, protocol, readout = _identity(report)
    row = published_miou(encoder, protocol, report.column, readout)
    return row.miou[report.column] if row else None


def _with_differences(rows: Sequence[Row], papers: Mapping[tuple[str, str], float]) -> list[Row]:
    """Put a row of differences below each measured row that has published numbers."""
    found: list[Row] = []
    for row in rows:
        cells = {
            name: Cell(cell.value - papers[row.label, name])
            for name, cell in row.cells.items()
            if row.kind == "measured" and cell.value is not None and (row.label, name) in papers
        }
        found += [row, Row(row.label, "difference", cells)] if cells else [row]
    return found
