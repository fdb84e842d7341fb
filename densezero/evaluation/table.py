"""Tables of reports and published numbers: Markdown, LaTeX or CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from string import ascii_lowercase
from typing import Any

from densezero.datasets import DEFAULT_SPLIT, OFFICIAL_IMAGES, describe_part
from densezero.encoders.catalog import MODELS
from densezero.errors import ProtocolError, did_you_mean
from densezero.evaluation.published import COLUMNS, PublishedRow, published_miou, published_rows
from densezero.evaluation.report import Report
from densezero.vocabulary import TEMPLATES, load_packaged

NOT_PUBLISHED = "not published"
_LATEX = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
HEADER = ("model", "protocol", "data set", "images", "paper", "measured", "difference", "notes")
_MEASURED = HEADER.index("measured")
_MARKDOWN_MARK, _LATEX_MARK = "<sup>{}</sup>", r"\textsuperscript{{{}}}"


@dataclass(frozen=True)
class Cell:
    """One row of a table: an evaluation, and the number that was published for it.

    Args:
        model: name of the encoder.
        protocol: name of the protocol.
        dataset: name of the data set.
        images: number of images that were measured.
        paper: published mIoU, percent; None if it was not published.
        measured: mIoU measured here, percent; None if no pixel was scored, or if there is a published number only.
        notes: differences between the measurement and the paper, and what the paper does not state.
        part: why the measured images are not the whole split, such as ``48 of 1,449 images of voc21``; else empty.
    """

    model: str
    protocol: str
    dataset: str
    images: int
    paper: float | None
    measured: float | None
    notes: tuple[str, ...] = ()
    part: str = ""

    @property
    def difference(self) -> float | None:
        """Measured minus published mIoU, in percentage points."""
        return None if self.paper is None or self.measured is None else self.measured - self.paper


def make_cells(reports: Sequence[Report]) -> list[Cell]:
    """Make a cell of each report, with the published number if there is one."""
    return [_cell(report) for report in reports]


def published_cells() -> list[Cell]:
    """Make a cell of each published number, without a measurement."""
    return [
        Cell(row.method, row.protocol, dataset, 0, miou, None, (row.source,))
        for row in published_rows()
        for dataset, miou in row.miou.items()
    ]


def set_table(cells: Sequence[Cell], form: str = "markdown") -> str:
    """Write cells as a table.

    A row whose images are not the whole split has a mark at its measured number, and a footnote. In CSV the footnote
    stands among the notes.

    Args:
        cells: the rows, in order.
        form: ``markdown``, ``latex`` or ``csv``.

    Raises:
        ProtocolError: for an unknown form.
    """
    if form not in FORMS:
        raise ProtocolError(f"Expected a format of a table; got {form!r}. {did_you_mean(form, list(FORMS))}")
    return FORMS[form](cells)


def _cell(report: Report) -> Cell:
    row = published_miou(_encoder(report), report.protocol, report.dataset)
    paper = row.miou[report.dataset] if row else None
    return Cell(
        report.model,
        report.protocol,
        report.dataset,
        report.images,
        paper,
        report.scores["miou"],
        tuple(_notes(report, row)),
        _part(report),
    )


def _part(report: Report) -> str:
    """Say that the images are not the whole split; empty if they are."""
    split = report.request.get("split", DEFAULT_SPLIT)
    if (report.dataset, split) in OFFICIAL_IMAGES:
        part = describe_part(report.dataset, split, report.images)
        return f"{part} images of {report.dataset}" if part else ""
    return f"a part of {report.dataset}" if report.request.get("selection") else ""


def _encoder(report: Report) -> str:
    """Give the catalog's name of the encoder, also if the weights were given as a folder or as a pair of files."""
    name = str(report.request.get("encoder", report.model))
    return next((entry.name for entry in MODELS.values() if entry.pair == name), name)


def _notes(report: Report, row: PublishedRow | None) -> list[str]:
    """List the differences from the published measurement."""
    notes = _differences(report)
    if row is not None and report.model not in MODELS:
        notes.append("the name of the file or folder is the only evidence for the weights")
    if row is not None and report.dataset != "ade20k" and row.protocol in ("simple", "slide"):
        notes.append("the paper does not state its class names, templates or background rule here")
    if row is not None and row.protocol == "simple":
        notes.append("the paper does not state its resolution")
    return notes


def _differences(report: Report) -> list[str]:
    """List the settings that differ from those of the papers."""
    request, notes = report.request, []
    if (split := request.get("split", DEFAULT_SPLIT)) != DEFAULT_SPLIT:
        notes.append(f"split {split}")
    if report.dataset in COLUMNS and not _is_packaged(request, "class_list", report.dataset):
        notes.append(f"class list {request.get('class_list')}{_changed(request, 'class_list', report.dataset)}")
    usual = _usual_templates(report)
    if usual is not None and not _is_packaged(request, "templates", usual):
        notes.append(f"templates {request.get('templates')}{_changed(request, 'templates', usual)}")
    if (dtype := request.get("dtype", "float32")) != "float32":
        notes.append(f"computed in {dtype}")
    return notes


def _usual_templates(report: Report) -> str | None:
    """Give the name of the protocol's templates; None if the report does not say it."""
    protocol = report.request.get("protocol")
    name = protocol.get("templates") if isinstance(protocol, dict) else None
    return name if isinstance(name, str) and name in TEMPLATES else None


def _is_packaged(request: dict[str, Any], kind: str, name: str) -> bool:
    """Whether the words are the packaged ones of that name. Without a hash, the name decides."""
    packaged = load_packaged(name).sha256 if kind == "class_list" else TEMPLATES[name].sha256
    return bool(request.get(kind) == name and request.get(f"{kind}_sha256", packaged) == packaged)


def _changed(request: dict[str, Any], kind: str, name: str) -> str:
    """Say that a file has the name of a packaged list, but other words."""
    return " with other words" if request.get(kind) == name else ""


def _words(cell: Cell) -> list[str]:
    words = [
        cell.model,
        cell.protocol,
        cell.dataset,
        str(cell.images) if cell.images else "",
        NOT_PUBLISHED if cell.paper is None else str(cell.paper),
        "" if cell.measured is None else f"{cell.measured:.2f}",
        "" if cell.difference is None else f"{cell.difference:+.2f}",
        "; ".join(cell.notes),
    ]
    return [_one_line(word) for word in words]


def _one_line(text: str) -> str:
    """Put a text on one line, and escape what cannot be written in UTF-8."""
    return " ".join(text.split()).encode("utf-8", "backslashreplace").decode("utf-8")


def _footnotes(cells: Sequence[Cell]) -> dict[str, str]:
    """Give each footnote a mark: a, b, ... z, aa, bb, ..."""
    parts = dict.fromkeys(cell.part for cell in cells if cell.part)
    return {part: ascii_lowercase[index % 26] * (1 + index // 26) for index, part in enumerate(parts)}


def _rows(cells: Sequence[Cell], escape: Callable[[str], str], raise_mark: str) -> Iterator[list[str]]:
    """Give the words of each row, escaped, with the mark of its footnote."""
    marks = _footnotes(cells)
    for cell in cells:
        row = [escape(word) for word in _words(cell)]
        row[_MEASURED] += raise_mark.format(marks[cell.part]) if cell.part else ""
        yield row


def _markdown(cells: Sequence[Cell]) -> str:
    lines = [" | ".join(row) for row in (list(HEADER), *_rows(cells, _markdown_text, _MARKDOWN_MARK))]
    notes = [
        f"\n{_MARKDOWN_MARK.format(mark)} {_markdown_text(_one_line(text))}.\n"
        for text, mark in _footnotes(cells).items()
    ]
    return "".join(
        [f"| {lines[0]} |\n", f"|{'---|' * len(HEADER)}\n", *(f"| {line} |\n" for line in lines[1:]), *notes]
    )


def _markdown_text(text: str) -> str:
    return text.replace("|", "\\|")


def _latex(cells: Sequence[Cell]) -> str:
    lines = [r"\begin{tabular}{lllrrrrl}", r"\hline", " & ".join(HEADER) + r" \\", r"\hline"]
    lines += [" & ".join(row) + r" \\" for row in _rows(cells, _latex_text, _LATEX_MARK)]
    lines += [r"\hline", r"\end{tabular}"]
    for text, mark in _footnotes(cells).items():
        lines.append(rf"\par{{\footnotesize {_LATEX_MARK.format(mark)} {_latex_text(_one_line(text))}.\par}}")
    return "\n".join(lines) + "\n"


def _latex_text(text: str) -> str:
    return "".join(_LATEX.get(mark, f"\\{mark}" if mark in "&%$#_{}" else mark) for mark in text)


def _csv(cells: Sequence[Cell]) -> str:
    text = io.StringIO()
    noted = [replace(cell, notes=(*((cell.part,) if cell.part else ()), *cell.notes)) for cell in cells]
    csv.writer(text, lineterminator="\n").writerows([HEADER, *map(_words, noted)])
    return text.getvalue()


FORMS: dict[str, Callable[[Sequence[Cell]], str]] = {"markdown": _markdown, "latex": _latex, "csv": _csv}
