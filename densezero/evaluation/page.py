"""A report as one HTML file: scores, figures, and the settings of the run. It needs no other file."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from html import escape

from densezero.evaluation.deviations import protocol_title
from densezero.evaluation.report import Report
from densezero.features.figure.sheet import DPI
from densezero.output.html import begin_page, data_address, pairs_table

_CSS_PX_OF_AN_INCH = 100
_SCORES = {
    "miou": "mIoU",
    "pixel_accuracy": "pixel accuracy",
    "mean_accuracy": "mean accuracy",
    "frequency_weighted_iou": "frequency-weighted IoU",
    "boundary_miou": "mean boundary IoU",
}
_STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; color: #222; background: #fff; max-width: 1180px; margin: 2em auto;
  padding: 0 1em; }
h1 { font-size: 1.5em; } h2 { font-size: 1.15em; margin-top: 2em; border-bottom: 1px solid #ddd; }
table { border-collapse: collapse; margin: .6em 0; }
th, td { text-align: left; padding: .15em 1.2em .15em 0; vertical-align: baseline; }
td:last-child { overflow-wrap: anywhere; }
th { font-weight: 600; } td.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
thead th { border-bottom: 1px solid #999; } .absent { color: #777; font-style: italic; }
img { max-width: 100%; height: auto; display: block; } summary { cursor: pointer; }
.big td { font-size: 1.15em; }
"""


def make_page(report: Report, figures: Mapping[str, bytes]) -> str:
    """Write a report and its figures as one HTML page. The page loads no other file and runs no script.

    Args:
        report: the evaluation. Every text is escaped.
        figures: title to the bytes of a PNG file, in order. They are embedded.

    Returns:
        The text of the HTML file. Equal input gives equal text.
    """
    heading = f"{report.model} on {report.title}, {protocol_title(report)}"
    parts = [
        begin_page(heading, _STYLE),
        f"<h1>{escape(heading)}</h1>",
        f"<p>{report.images} image{'' if report.images == 1 else 's'}, {len(report.per_class)} classes.</p>",
        _scores_table(report),
        *(_figure(title, png) for title, png in figures.items()),
        "<h2>Every class</h2>",
        f"<details><summary>{len(report.per_class)} classes with their IoU</summary>{_class_table(report)}</details>",
        "<h2>Settings</h2>",
        pairs_table({**report.request, "prompt templates": report.templates}),
        "<h2>Machine</h2>",
        pairs_table({**report.machine, "seconds": report.seconds}),
        "</body></html>",
    ]
    return "\n".join(parts) + "\n"


def _scores_table(report: Report) -> str:
    """Write the scores with two digits. Scores that are not known here keep the names of the file."""
    cells = [
        f"<tr><th>{escape(_SCORES.get(name, name))}</th>{_percent_cell(value, 'no pixel is scored')}</tr>"
        for name, value in report.scores.items()
    ]
    return f'<table class="big">{"".join(cells)}</table>'


def _percent_cell(value: float | None, missing: str) -> str:
    if value is None:
        return f'<td class="number absent">{missing}</td>'
    return f'<td class="number">{value:.2f} %</td>'


def _figure(title: str, png: bytes) -> str:
    width_px, _ = struct.unpack(">II", png[16:24])  # from the header
    width = round(width_px / DPI * _CSS_PX_OF_AN_INCH)
    address = data_address(png, "image/png")
    return f'<h2>{escape(title)}</h2>\n<img width="{width}" alt="{escape(title)}" src="{address}">'


def _class_table(report: Report) -> str:
    words = [", ".join(entry["words"]) for entry in report.vocabulary.get("classes", ())]
    words = words or [""] * len(report.per_class)  # older reports do not have them
    rows = [
        f'<tr><td class="number">{index}</td><td>{escape(name)}</td>{_percent_cell(value, "absent")}'
        f"<td>{escape(prompted)}</td></tr>"
        for index, ((name, value), prompted) in enumerate(zip(report.per_class.items(), words, strict=True))
    ]
    head = "<thead><tr><th>index</th><th>class</th><th>IoU</th><th>words</th></tr></thead>"
    return f"<table>{head}<tbody>{''.join(rows)}</tbody></table>"
