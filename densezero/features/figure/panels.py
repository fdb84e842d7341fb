"""Draws a planned figure: pictures in a grid, captions above columns, notes above pictures, a scale below."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from densezero.features.figure.layout import GAP_MM, MM, FigurePlan, PagePlan, RowPlan, line_height_mm
from densezero.features.figure.sheet import INK, PALE, Page, axes_at, draw_pages

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


class Panel(NamedTuple):
    """One picture of a figure.

    Args:
        picture: (H, W, 3) uint8.
        note: small text above it; may be empty.
        points_xy: points to mark, as shares of its width and height.
    """

    picture: NDArray[np.uint8]
    note: str = ""
    points_xy: tuple[tuple[float, float], ...] = ()


Foot = Callable[["Figure", float], None]
"""Draws below the rows of a page; it gets the figure and the top of the room in inches."""


def draw_figure(
    plan: FigurePlan, sections: Sequence[Sequence[Sequence[Panel]]], form: str, foot: Foot | None = None
) -> list[bytes]:
    """Draw a planned figure.

    Args:
        plan: the plan.
        sections: for each section and row its panels, from the left.
        form: ``"png"``, ``"pdf"`` or ``"svg"``.
        foot: draws below the rows of each page; None draws nothing.

    Returns:
        The contents of the files, as ``draw_pages`` gives them.
    """
    pages = [
        Page(plan.width_in, page.height_in, partial(_paint_page, plan=plan, page=page, sections=sections, foot=foot))
        for page in plan.pages
    ]
    return draw_pages(pages, form, plan.style.dpi)


def _paint_page(
    figure: Figure, plan: FigurePlan, page: PagePlan, sections: Sequence[Sequence[Sequence[Panel]]], foot: Foot | None
) -> None:
    for place, line in enumerate(plan.title):
        baseline_in = (place + 0.8) * line_height_mm(plan.style.title_pt) * MM
        _write(figure, plan, plan.width_in / 2, baseline_in, line, plan.style.title_pt)
    for head in page.heads:
        for left, lines in zip(plan.lefts_in, head.captions, strict=True):
            for place, line in enumerate(reversed(lines)):
                baseline_in = head.bottom_in - GAP_MM * MM - place * plan.line_in
                _write(figure, plan, left + plan.cell_in / 2, baseline_in, line, plan.style.font_pt)
    for row in page.rows:
        for left, panel in zip(plan.lefts_in, sections[row.section][row.row], strict=False):
            _paint_panel(figure, plan, row, left, panel)
    if foot is not None:
        foot(figure, page.foot_in)


def _paint_panel(figure: Figure, plan: FigurePlan, row: RowPlan, left_in: float, panel: Panel) -> None:
    picture, points = _crop(panel) if plan.style.cell == "square" else (panel.picture, panel.points_xy)
    scale = min(plan.cell_in / picture.shape[1], row.height_in / picture.shape[0])
    width, height = picture.shape[1] * scale, picture.shape[0] * scale
    left, top = left_in + (plan.cell_in - width) / 2, row.top_in + (row.height_in - height) / 2
    axes = axes_at(figure, left, top, width, height)
    axes.imshow(picture, aspect="auto", interpolation="antialiased")
    axes.set_axis_off()
    for point in points:
        _mark(axes, picture, point)
    if panel.note:
        baseline_in = row.top_in - 0.3 * line_height_mm(plan.style.small_pt) * MM
        _write(figure, plan, left_in + plan.cell_in / 2, baseline_in, panel.note, plan.style.small_pt, PALE)


def _crop(panel: Panel) -> tuple[NDArray[np.uint8], tuple[tuple[float, float], ...]]:
    """Take the square in the middle, and the points in it."""
    height, width = panel.picture.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    moved = (((x * width - left) / side, (y * height - top) / side) for x, y in panel.points_xy)
    inside = tuple((x, y) for x, y in moved if 0 <= x <= 1 and 0 <= y <= 1)
    return panel.picture[top : top + side, left : left + side], inside


def _mark(axes: Axes, picture: NDArray[np.uint8], point_xy: tuple[float, float]) -> None:
    """Draw a cross that is visible on dark and on light pixels."""
    x, y = point_xy[0] * picture.shape[1] - 0.5, point_xy[1] * picture.shape[0] - 0.5
    axes.plot(x, y, "+", color="black", markersize=9, markeredgewidth=2.6)
    axes.plot(x, y, "+", color="white", markersize=8, markeredgewidth=1.2)
    axes.set_xlim(-0.5, picture.shape[1] - 0.5)
    axes.set_ylim(picture.shape[0] - 0.5, -0.5)


def _write(
    figure: Figure, plan: FigurePlan, middle_in: float, baseline_in: float, text: str, size_pt: float, colour: str = INK
) -> None:
    """Write a line centred at a distance from the left, with its baseline at a distance from the top."""
    height_in = figure.get_size_inches()[1]
    figure.text(
        middle_in / plan.width_in, 1 - baseline_in / height_in, text, ha="center", va="baseline", fontsize=size_pt,
        color=colour,
    )  # fmt: skip
