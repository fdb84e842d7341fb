"""Figures of a report: the IoU of each class as bars, and the confusion matrix."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from densezero.evaluation.deviations import protocol_title
from densezero.evaluation.report import Report
from densezero.features.figure.library import import_matplotlib
from densezero.features.figure.sheet import FAINT, INK, PALE, axes_at, draw_sheet, fit_text, text_width_in, write_at

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage

NAMED_CLASSES = 81
"""Up to this number of classes, the axes of the matrix show names. Beyond it, matrix and bars show indices."""
_WRITTEN_CLASSES = 21  # up to this number of classes, the cells show their percentages
_WIDTH_IN, _LONE_WIDTH_IN, _MARGIN_IN, _HEAD_IN, _VALUE_IN = 11.0, 8.0, 0.2, 0.6, 0.35
_ROW_IN, _ROWS_OF_A_COLUMN, _MOST_COLUMNS = 0.17, 50, 3
_NAME_IN, _LONE_NAME_IN, _PT = 1.5, 2.4, 8.0  # width for names; more if there is one column
_BAR, _MEAN = "#3b6ea5", "#b3541e"


@dataclass(frozen=True)
class _Row:
    name: str
    iou: float | None


def draw_class_bars(report: Report) -> bytes:
    """Draw the IoU of each class as a bar, best first, in at most three columns.

    Classes that are neither in the labels nor predicted come last and are marked as absent. A class with an IoU of zero
    shows its zero.

    Args:
        report: a report of at least one class.

    Returns:
        The bytes of a PNG file. Equal reports give equal bytes.
    """
    rows = _sorted_rows(report)
    columns = min(_MOST_COLUMNS, -(-len(rows) // _ROWS_OF_A_COLUMN))
    slots = -(-len(rows) // columns)
    width_in = _WIDTH_IN if columns > 1 else _LONE_WIDTH_IN
    name_in = _NAME_IN if columns > 1 else _LONE_NAME_IN
    column_in = (width_in - _MARGIN_IN) / columns
    end = scale_end([row.iou or 0 for row in rows])

    def paint(figure: Figure) -> None:
        write_title(figure, "IoU of each class", _sum_up(report))
        for column in range(columns):
            left_in = _MARGIN_IN + column * column_in + name_in
            axes = axes_at(figure, left_in, _HEAD_IN, column_in - name_in - _VALUE_IN, slots * _ROW_IN)
            _paint_bars(axes, rows[column * slots : (column + 1) * slots], name_in)
            _finish_axes(axes, slots, report.scores.get("miou"), end)

    return draw_sheet(width_in, _HEAD_IN + slots * _ROW_IN + 0.45, paint)


def _sum_up(report: Report) -> str:
    """Give the mIoU and its number of classes in one line."""
    there = sum(value is not None for value in report.per_class.values())
    miou = report.scores.get("miou")
    mean = "no mIoU, because no pixel is scored," if miou is None else f"mIoU {miou:.2f} %"
    absent = f", {len(report.per_class) - there} absent" if there < len(report.per_class) else ""
    return f"{mean} over {there} of {len(report.per_class)} classes{absent} · {about(report)}"


def _sorted_rows(report: Report) -> list[_Row]:
    """List the classes, best first, absent ones last. If the matrix shows indices, put the index before the name."""
    indexed = len(report.per_class) > NAMED_CLASSES
    rows = [_Row(f"{i} {name}" if indexed else name, iou) for i, (name, iou) in enumerate(report.per_class.items())]
    return sorted(rows, key=lambda row: (row.iou is None, -(row.iou or 0)))


def _paint_bars(axes: Axes, rows: list[_Row], name_in: float) -> None:
    axes.barh(range(len(rows)), [row.iou or 0 for row in rows], height=0.72, color=_BAR, zorder=2)
    for place, row in enumerate(rows):
        absent = row.iou is None
        axes.annotate(
            "absent" if absent else f"{row.iou:.1f}", (row.iou or 0, place), (3, 0), textcoords="offset points",
            va="center_baseline", fontsize=7, color=PALE if absent else INK, style="italic" if absent else "normal",
            zorder=4, bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.6},
        )  # fmt: skip
    axes.set_yticks(range(len(rows)), [fit_text(row.name, name_in - 0.15, _PT) for row in rows])
    for label, row in zip(axes.get_yticklabels(), rows, strict=True):
        label.set_color(PALE if row.iou is None else INK)


def scale_end(values: Sequence[float]) -> int:
    """Choose where the scale of the bars ends: the first of 5, 10, 20, 50 and 100 % that holds every value.

    Example:
        >>> scale_end([3.2, 17.9]), scale_end([0.0]), scale_end([50.1])
        (20, 5, 100)
    """
    return next(end for end in (5, 10, 20, 50, 100) if max(values) <= end or end == 100)


def _finish_axes(axes: Axes, slots: int, miou: float | None, end: int) -> None:
    """Draw the scale, the grid, and a line at the mIoU. A scale that ends before 100 % says so."""
    if miou is not None:
        axes.axvline(miou, color=_MEAN, linewidth=1, linestyle="--", zorder=3)
        axes.annotate(
            "mIoU", (miou, 1), (0, 2), xycoords=("data", "axes fraction"), textcoords="offset points", ha="center",
            fontsize=6.5, color=_MEAN,
        )  # fmt: skip
    axes.set_xlim(0, end)
    axes.set_ylim(slots - 0.5, -0.5)
    axes.set_xticks(range(0, end + 1, end // 5))
    axes.set_xlabel("IoU, %" if end == 100 else f"IoU, % (scale ends at {end} %)", labelpad=1)
    axes.tick_params(length=0, pad=3, labelsize=_PT)
    axes.grid(axis="x", color=FAINT, linewidth=0.6, zorder=0)
    axes.spines[["top", "right", "bottom"]].set_visible(False)


def draw_confusion(report: Report) -> bytes:
    """Draw the confusion matrix. Each row is divided by its sum: the predictions for a true class, in percent.

    Args:
        report: a report of at least one class. A row without pixels is grey.

    Returns:
        The bytes of a PNG file. Equal reports give equal bytes.
    """
    percent = row_percent(np.asarray(report.confusion, np.int64))  # (C, C)
    names = list(report.per_class)
    side_in = min(9.6, max(3.6, 0.42 * len(names)))
    pitch_pt = 72 * side_in / len(names)
    named = len(names) <= NAMED_CLASSES
    size_pt = min(_PT, 0.75 * pitch_pt) if named else _PT
    labels = [fit_text(name, 1.6, size_pt) for name in names] if named else [str(index) for index in range(len(names))]
    label_in = max(text_width_in(label, size_pt) for label in labels) + 0.4
    step = 1 if named else 10
    width_in = max(_MARGIN_IN + label_in + side_in + 0.95, 5.5)

    def paint(figure: Figure) -> None:
        write_title(figure, "Confusion: predictions for the pixels of each true class", about(report))
        axes = axes_at(figure, _MARGIN_IN + label_in, _HEAD_IN, side_in, side_in)
        picture = _paint_matrix(axes, percent)
        ticks = range(0, len(names), step)
        axes.set_xticks(ticks, labels[::step], rotation=90 if named else 0, fontsize=size_pt)
        axes.set_yticks(ticks, labels[::step], fontsize=size_pt)
        axes.tick_params(length=0 if named else 3, pad=3)
        axes.set_xlabel("predicted class" if named else "predicted class (index)")
        axes.set_ylabel("true class" if named else "true class (index)")
        if len(names) <= _WRITTEN_CLASSES:
            _write_cells(axes, percent)
        bar_axes = axes_at(figure, _MARGIN_IN + label_in + side_in + 0.2, _HEAD_IN, 0.16, min(side_in, 4.0))
        _paint_colour_bar(figure, picture, bar_axes)
        if np.isnan(percent).any():
            bottom_in = _HEAD_IN + side_in + (label_in if named else 0.4) + 0.1
            write_at(figure, _MARGIN_IN, bottom_in, "Grey rows: no pixel has this true class.", size_pt=7, colour=PALE)

    return draw_sheet(width_in, _HEAD_IN + side_in + (label_in if named else 0.4) + 0.35, paint)


def row_percent(confusion: NDArray[np.int64]) -> NDArray[np.float64]:
    """Divide each row of (C, C) counts by its sum, times 100; NaN in rows without counts."""
    total = confusion.sum(1, keepdims=True)
    share: NDArray[np.float64] = np.full(confusion.shape, np.nan)
    np.divide(100 * confusion, total, out=share, where=total > 0)
    return share


def _paint_matrix(axes: Axes, percent: NDArray[np.float64]) -> AxesImage:
    import_matplotlib()
    from matplotlib import colormaps
    from matplotlib.colors import PowerNorm

    colours = colormaps["Blues"].with_extremes(bad=FAINT)
    scale = PowerNorm(0.5, 0, 100)  # the square root makes confusions of a few percent visible
    picture = axes.imshow(np.ma.masked_invalid(percent), cmap=colours, norm=scale, interpolation="nearest")
    if len(percent) <= NAMED_CLASSES:
        edges = np.arange(len(percent) + 1) - 0.5
        axes.hlines(edges, edges[0], edges[-1], color="white", linewidth=0.4)
        axes.vlines(edges, edges[0], edges[-1], color="white", linewidth=0.4)
        axes.set_xlim(edges[0], edges[-1])
        axes.set_ylim(edges[-1], edges[0])
    return picture


def _write_cells(axes: Axes, percent: NDArray[np.float64]) -> None:
    for truth, predicted in zip(*np.nonzero(np.nan_to_num(percent) >= 0.5), strict=True):
        value = percent[truth, predicted]
        colour = "white" if value > 35 else "black"
        axes.text(predicted, truth, f"{value:.0f}", ha="center", va="center", fontsize=7, color=colour)


def _paint_colour_bar(figure: Figure, picture: AxesImage, axes: Axes) -> None:
    bar = figure.colorbar(picture, cax=axes)
    bar.set_ticks([0, 1, 5, 10, 25, 50, 75, 100])
    bar.set_ticklabels([f"{tick} %" for tick in (0, 1, 5, 10, 25, 50, 75, 100)])
    bar.ax.tick_params(labelsize=7, length=2)
    bar.outline.set_visible(False)


def about(report: Report) -> str:
    """Say what was evaluated, in one line."""
    model = fit_text(report.model, 2.2, _PT)
    images = "1 image" if report.images == 1 else f"{report.images} images"
    return f"{model} on {report.title}, {protocol_title(report)}, {images}"


def write_title(figure: Figure, title: str, under: str) -> None:
    """Write a title at the top of a sheet, and a line in a paler colour under it."""
    write_at(figure, _MARGIN_IN, 0.12, title, size_pt=10.5, weight="bold")
    write_at(figure, _MARGIN_IN, 0.32, under, size_pt=_PT, colour=PALE)
