"""A figure that compares encoders: one row for each image, one column for each encoder, captions, no axes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from densezero.errors import FeatureError
from densezero.features.choices import DEFAULT_WIDTH_MM
from densezero.features.figure.sheet import axes_at, fit_text, text_width_in

if TYPE_CHECKING:
    from matplotlib.figure import Figure


PRINT_DPI: Final = 300
TALLEST_CELL: Final = 2.0
"""Greatest height of a picture, in widths of its column."""
_MM = 1 / 25.4
_GAP_MM, _CAPTION_PT, _LINE_MM, _MOST_LINES = 1.0, 7.0, 3.1, 3
_MOST_PX = 60_000  # greatest height of a figure, near the limit of matplotlib's renderer


@dataclass(frozen=True)
class ComparePlan:
    """Positions of the pictures in a figure, in inches from the upper left corner.

    Args:
        width_in: width of the figure.
        height_in: height of the figure.
        cell_in: width of a column.
        lefts_in: left edge of each column.
        tops_in: top edge of each row.
        heights_in: height of each row.
        captions: the lines of each column's caption.
    """

    width_in: float
    height_in: float
    cell_in: float
    lefts_in: tuple[float, ...]
    tops_in: tuple[float, ...]
    heights_in: tuple[float, ...]
    captions: tuple[tuple[str, ...], ...]

    @property
    def cell_px(self) -> int:
        """Width of a column in pixels, at the resolution of print."""
        return max(1, round(self.cell_in * PRINT_DPI))


def plan_comparison(
    ratios: Sequence[float], captions: Sequence[str], width_mm: float = DEFAULT_WIDTH_MM
) -> ComparePlan:
    """Plan a figure with one row for each ratio and one column for each caption.

    Args:
        ratios: height over width of the pictures in each row.
        captions: one for each column.
        width_mm: width of the figure.

    Raises:
        FeatureError: if the columns would be narrower than 5 mm, or the figure would be too tall to draw.
    """
    columns = len(captions)
    cell_mm = (width_mm - _GAP_MM * (columns - 1)) / columns
    if cell_mm < 5:
        raise FeatureError(
            f"Expected a figure wide enough for {columns} columns of at least 5 mm; {width_mm:g} mm is not enough. "
            "Take a larger --width, or fewer columns."
        )
    lines = tuple(wrap_caption(caption, cell_mm * _MM, _CAPTION_PT) for caption in captions)
    head_mm = max(len(part) for part in lines) * _LINE_MM + _GAP_MM
    heights_mm = [cell_mm * min(ratio, TALLEST_CELL) for ratio in ratios]
    tops_mm = [head_mm + sum(heights_mm[:row]) + _GAP_MM * row for row in range(len(ratios))]
    height_mm = tops_mm[-1] + heights_mm[-1]
    if height_mm * _MM * PRINT_DPI > _MOST_PX:
        raise FeatureError(
            f"Expected a figure of at most {_MOST_PX / PRINT_DPI / _MM / 1000:.0f} m; {len(ratios)} images in "
            f"{columns} columns need {height_mm / 1000:.1f} m. Take fewer images, or give a folder as --out."
        )
    return ComparePlan(
        width_in=width_mm * _MM,
        height_in=height_mm * _MM,
        cell_in=cell_mm * _MM,
        lefts_in=tuple((cell_mm + _GAP_MM) * column * _MM for column in range(columns)),
        tops_in=tuple(top * _MM for top in tops_mm),
        heights_in=tuple(height * _MM for height in heights_mm),
        captions=lines,
    )


def draw_comparison(plan: ComparePlan, rows: Sequence[Sequence[NDArray[np.uint8]]], form: str = "png") -> bytes:
    """Draw a planned figure.

    Args:
        plan: the plan, with as many rows and columns as ``rows``.
        rows: for each row its pictures (H, W, 3), all with the same ratio.
        form: ``"png"`` (300 pixels per inch), ``"pdf"`` or ``"svg"``.

    Returns:
        The content of the file; equal pictures give equal bytes.
    """
    from densezero.features.figure.sheet import draw_sheet

    def paint(figure: Figure) -> None:
        for left, lines in zip(plan.lefts_in, plan.captions, strict=True):
            _write_caption(figure, plan, left, lines)
        for top, height, pictures in zip(plan.tops_in, plan.heights_in, rows, strict=True):
            for left, picture in zip(plan.lefts_in, pictures, strict=True):
                width = min(plan.cell_in, height * picture.shape[1] / picture.shape[0])
                axes = axes_at(figure, left + (plan.cell_in - width) / 2, top, width, height)
                axes.imshow(picture, aspect="auto", interpolation="antialiased" if form == "png" else "none")
                axes.set_axis_off()

    return draw_sheet(plan.width_in, plan.height_in, paint, form, PRINT_DPI)


def fit_cell(plan: ComparePlan, image_hw: tuple[int, int]) -> tuple[int, int]:
    """(H, W) in pixels of a picture that fills its cell in print."""
    height, width = image_hw
    wide = plan.cell_px
    if height > TALLEST_CELL * width:
        wide = max(1, round(plan.cell_px * TALLEST_CELL * width / height))
    return max(1, round(wide * height / width)), wide


def wrap_caption(text: str, width_in: float, size_pt: float, most_lines: int = _MOST_LINES) -> tuple[str, ...]:
    """Break a caption into lines, after a space or a punctuation mark of a model's name.

    Args:
        text: the caption.
        width_in: available width, inches.
        size_pt: font size, points.
        most_lines: greatest number of lines.

    Returns:
        The lines. In a line that is too long, an ellipsis replaces the middle.
    """
    lines: list[str] = []
    for piece in _pieces(" ".join(text.split())):
        joined = (lines[-1] if lines else "") + piece
        if lines and text_width_in(joined.rstrip(), size_pt) <= width_in:
            lines[-1] = joined
        else:
            lines.append(piece)
    kept = [*lines[: most_lines - 1], "".join(lines[most_lines - 1 :])] if len(lines) > most_lines else lines
    return tuple(fit_text(line, width_in, size_pt) for line in kept)


def _pieces(text: str) -> list[str]:
    """Split a text where a line may break. Each part ends with its punctuation mark."""
    pieces = [""]
    for mark in text:
        pieces[-1] += mark
        if mark in " /_:,-":
            pieces.append("")
    return [piece for piece in pieces if piece] or [""]


def _write_caption(figure: Figure, plan: ComparePlan, left_in: float, lines: tuple[str, ...]) -> None:
    """Write the lines centred over a column, with the last line directly above the pictures."""
    for place, line in enumerate(reversed(lines)):
        bottom_in = plan.tops_in[0] - (_GAP_MM * 0.9 + place * _LINE_MM) * _MM
        figure.text(
            (left_in + plan.cell_in / 2) / plan.width_in, 1 - bottom_in / plan.height_in, line,
            ha="center", va="baseline", fontsize=_CAPTION_PT,
        )  # fmt: skip
