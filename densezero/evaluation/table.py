"""Sets reports beside the published numbers: Markdown, LaTeX or CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from densezero.datasets import DEFAULT_SPLIT
from densezero.encoders.catalog import MODELS
from densezero.errors import ProtocolError, did_you_mean
from densezero.evaluation.published import COLUMNS, PublishedRow, published_miou, published_rows
from densezero.evaluation.report import Report
from densezero.vocabulary import TEMPLATES, load_packaged

NOT_PUBLISHED = "not published"
_LATEX = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
HEADER = ("model", "protocol", "data set", "images", "paper", "measured", "difference", "notes")


@dataclass(frozen=True)
class Cell:
    """One evaluation beside the number that was published for it.

    Args:
        model: encoder.
        protocol: protocol.
        dataset: benchmark.
        images: number of images measured.
        paper: published mIoU, percent; None if it was not published.
        measured: mIoU measured here, percent; None if nothing counted, or the cell is published alone.
        notes: where the measurement differs from what the paper states, or does not state.
    """

    model: str
    protocol: str
    dataset: str
    images: int
    paper: float | None
    measured: float | None
    notes: tuple[str, ...] = ()

    @property
    def difference(self) -> float | None:
        """Measured less published, in percentage points."""
        return None if self.paper is None or self.measured is None else self.measured - self.paper


def make_cells(reports: Sequence[Report]) -> list[Cell]:
    """Set each report beside its published number."""
    return [_cell(report) for report in reports]


def published_cells() -> list[Cell]:
    """Every published number as a cell without a measurement."""
    return [
        Cell(row.method, row.protocol, dataset, 0, miou, None, (row.source,))
        for row in published_rows()
        for dataset, miou in row.miou.items()
    ]


def set_table(cells: Sequence[Cell], form: str = "markdown") -> str:
    """Set cells as a table.

    Args:
        cells: rows, in order.
        form: ``markdown``, ``latex`` or ``csv``.

    Raises:
        ProtocolError: for an unknown form.
    """
    if form not in FORMS:
        raise ProtocolError(f"Expected a form of table; got {form!r}. {did_you_mean(form, list(FORMS))}")
    return FORMS[form]([_words(cell) for cell in cells])


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
    )


def _encoder(report: Report) -> str:
    """Our name of the encoder, where the weights were given as a folder or as a published pair of files."""
    name = str(report.request.get("encoder", report.model))
    return next((entry.name for entry in MODELS.values() if entry.pair == name), name)


def _notes(report: Report, row: PublishedRow | None) -> list[str]:
    """What keeps the measurement from being the published one."""
    notes = _differences(report)
    if row is not None and report.model not in MODELS:
        notes.append("the weights are known by the name of their file or folder only")
    if row is not None and report.dataset != "ade20k" and row.protocol in ("simple", "slide"):
        notes.append("the paper does not state its class names, templates or background rule here")
    if row is not None and row.protocol == "simple":
        notes.append("the paper does not state its resolution")
    return notes


def _differences(report: Report) -> list[str]:
    """What was asked for otherwise than the papers do."""
    request, notes = report.request, []
    if request.get("selection"):
        notes.append("a part of the images")
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
    """The templates of the report's protocol; None where nothing is said of them."""
    protocol = report.request.get("protocol")
    name = protocol.get("templates") if isinstance(protocol, dict) else None
    return name if name in TEMPLATES else None


def _is_packaged(request: dict[str, Any], kind: str, name: str) -> bool:
    """Whether the words are those of the package under that name; by name alone where there is no hash."""
    packaged = load_packaged(name).sha256 if kind == "class_list" else TEMPLATES[name].sha256
    return bool(request.get(kind) == name and request.get(f"{kind}_sha256", packaged) == packaged)


def _changed(request: dict[str, Any], kind: str, name: str) -> str:
    """Tell a file that only has the name of what is packaged."""
    return " with other words" if request.get(kind) == name else ""


def _words(cell: Cell) -> list[str]:
    return [
        cell.model,
        cell.protocol,
        cell.dataset,
        str(cell.images) if cell.images else "",
        NOT_PUBLISHED if cell.paper is None else str(cell.paper),
        "" if cell.measured is None else f"{cell.measured:.2f}",
        "" if cell.difference is None else f"{cell.difference:+.2f}",
        "; ".join(cell.notes),
    ]


def _markdown(rows: list[list[str]]) -> str:
    head, *lines = [" | ".join(word.replace("|", "\\|") for word in row) for row in (list(HEADER), *rows)]
    return "".join([f"| {head} |\n", f"|{'---|' * len(HEADER)}\n", *(f"| {line} |\n" for line in lines)])


def _latex(rows: list[list[str]]) -> str:
    lines = [r"\begin{tabular}{lllrrrrl}", r"\hline", " & ".join(HEADER) + r" \\", r"\hline"]
    lines += [" & ".join(map(_latex_text, row)) + r" \\" for row in rows]
    return "\n".join([*lines, r"\hline", r"\end{tabular}"]) + "\n"


def _latex_text(text: str) -> str:
    return "".join(_LATEX.get(mark, f"\\{mark}" if mark in "&%$#_{}" else mark) for mark in text)


def _csv(rows: list[list[str]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([HEADER, *rows])
    return text.getvalue()


FORMS: dict[str, Callable[[list[list[str]]], str]] = {"markdown": _markdown, "latex": _latex, "csv": _csv}
