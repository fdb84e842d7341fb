"""Plans the pages of a figure: a grid of pictures with captions, in inches from the upper left corner of each page."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Final

from densezero.errors import FeatureError
from densezero.features.choices import FigureStyle
from densezero.features.figure.sheet import fit_text, text_width_in

MM: Final = 1 / 25.4
GAP_MM: Final = 1.0
PAGE_MM: Final = 240.0
"""Greatest height of a page: the text height of A4."""
_LEAST_CELL_MM, _SECTION_GAP_MM, _MOST_LINES = 8.0, 2.0, 3
_LONGEST_STRIP: Final = 4.0  # ratio of sides up to which a cropped picture has all its pixels
_PT_MM: Final = 25.4 / 72
_WIDEN: Final = 1.03  # a renderer may draw a text this much wider than its outlines


@dataclass(frozen=True)
class Section:
    """Rows that share their captions.

    Args:
        captions: one for each column.
        ratios: height over width of the pictures in each row.
    """

    captions: tuple[str, ...]
    ratios: tuple[float, ...]


@dataclass(frozen=True)
class RowPlan:
    """Place of one row: its section, its number there, and the top and height of its pictures."""

    section: int
    row: int
    top_in: float
    height_in: float


@dataclass(frozen=True)
class HeadPlan:
    """Place of the captions of a section: the lines of each column, and the top of the pictures below them."""

    captions: tuple[tuple[str, ...], ...]
    bottom_in: float


@dataclass(frozen=True)
class PagePlan:
    """One page: its height, heads and rows, and the top of the room below them."""

    height_in: float
    heads: tuple[HeadPlan, ...]
    rows: tuple[RowPlan, ...]
    foot_in: float


@dataclass(frozen=True)
class FigurePlan:
    """Positions in a figure.

    Args:
        style: how the figure is drawn.
        width_in: width of a page.
        cell_in: width of a column.
        lefts_in: left edge of each column.
        line_in: height of a line of a caption.
        title: the lines of the title.
        pages: at least one.
    """

    style: FigureStyle
    width_in: float
    cell_in: float
    lefts_in: tuple[float, ...]
    line_in: float
    title: tuple[str, ...]
    pages: tuple[PagePlan, ...]

    def picture_px(self, image_hw: tuple[int, int]) -> tuple[int, int]:
        """(H, W) in pixels of a picture of an image that fills its cell in print.

        In the style ``square`` the picture is cropped afterwards, so its short side fills the cell. A long strip gets
        fewer pixels, so that it does not fill the memory.
        """
        height, width = image_hw
        longest_px = self.cell_in * self.style.dpi
        if self.style.cell == "square":
            longest_px *= min(max(height, width) / min(height, width), _LONGEST_STRIP)
        scale = longest_px / max(height, width)
        return max(1, round(height * scale)), max(1, round(width * scale))


def plan_figure(
    sections: Sequence[Section], style: FigureStyle, *, note_lines: int = 0, foot_mm: float = 0.0
) -> FigurePlan:
    """Plan a figure: one row of pictures for each ratio, one column for each caption, on as many pages as needed.

    Args:
        sections: at least one, all with the same number of columns.
        style: width, font, cells.
        note_lines: lines of small text above each row.
        foot_mm: height of the room below the rows of each page.

    Raises:
        FeatureError: if the columns would be too narrow, or a single row is taller than a page.
    """
    columns = len(sections[0].captions)
    cell_mm = cell_width_mm(style.width_mm, columns)
    if cell_mm < _LEAST_CELL_MM:
        raise FeatureError(
            f"Expected a figure wide enough for {columns} columns of at least {_LEAST_CELL_MM:g} mm; "
            f"{style.width_mm:g} mm is not enough. Take a larger --width, or fewer columns."
        )
    line_mm = line_height_mm(style.font_pt)
    title = wrap_text(style.title, style.width_mm * MM, style.title_pt, 2) if style.title else ()
    top_mm = len(title) * line_height_mm(style.title_pt)
    pages = _Pages(style, cell_mm, line_mm, top_mm, note_lines * line_height_mm(style.small_pt), foot_mm)
    for number, section in enumerate(sections):
        pages.add(number, section)
    return FigurePlan(
        style=style,
        width_in=style.width_mm * MM,
        cell_in=cell_mm * MM,
        lefts_in=tuple((cell_mm + GAP_MM) * column * MM for column in range(columns)),
        line_in=line_mm * MM,
        title=title,
        pages=tuple(pages.finish()),
    )


def cell_width_mm(width_mm: float, columns: int) -> float:
    """Compute the width of a column."""
    return (width_mm - GAP_MM * (columns - 1)) / columns


def line_height_mm(size_pt: float) -> float:
    """Compute the height of a line of text."""
    return size_pt * _PT_MM * 1.25


class _Pages:
    """Puts rows onto pages. A row that does not fit goes to the next page, below its captions again."""

    def __init__(
        self, style: FigureStyle, cell_mm: float, line_mm: float, top_mm: float, note_mm: float, foot_mm: float
    ) -> None:
        self.style, self.cell_mm, self.line_mm = style, cell_mm, line_mm
        self.top_mm, self.note_mm, self.foot_mm = top_mm, note_mm, foot_mm
        self.pages: list[PagePlan] = []
        self._open()

    def _open(self) -> None:
        self.heads: list[HeadPlan] = []
        self.rows: list[RowPlan] = []
        self.at_mm = self.top_mm

    def add(self, number: int, section: Section) -> None:
        captions = tuple(wrap_text(text, self.cell_mm * MM, self.style.font_pt) for text in section.captions)
        head_mm = max(map(len, captions)) * self.line_mm + GAP_MM
        heading = True
        for row, height_mm in enumerate(self._heights(section.ratios)):
            needed = height_mm + self.note_mm + self.foot_mm
            lead_mm = head_mm + _SECTION_GAP_MM * bool(self.rows) if heading else GAP_MM
            if self.rows and self.at_mm + lead_mm + needed > PAGE_MM:
                self._close()
                heading, lead_mm = True, head_mm
            if self.at_mm + lead_mm + needed > PAGE_MM:
                raise FeatureError(
                    f"Expected a row of pictures that fits on a page of {PAGE_MM:g} mm; it needs "
                    f"{self.at_mm + lead_mm + needed:.0f} mm. Take a smaller --width, or --cell square."
                )
            self.at_mm += lead_mm
            if heading:
                self.heads.append(HeadPlan(captions, self.at_mm * MM))
            self.at_mm += self.note_mm
            self.rows.append(RowPlan(number, row, self.at_mm * MM, height_mm * MM))
            self.at_mm += height_mm
            heading = False

    def _heights(self, ratios: Sequence[float]) -> list[float]:
        """Compute the height of each row. No picture is taller than its column is wide."""
        shares = {
            "fit": [min(ratio, 1.0) for ratio in ratios],
            "square": [1.0] * len(ratios),
            "height": [min(median(ratios), 1.0)] * len(ratios),
        }[self.style.cell]
        return [self.cell_mm * share for share in shares]

    def _close(self) -> None:
        foot_in = self.at_mm * MM
        self.pages.append(PagePlan(foot_in + self.foot_mm * MM, tuple(self.heads), tuple(self.rows), foot_in))
        self._open()

    def finish(self) -> Iterator[PagePlan]:
        self._close()
        yield from self.pages


def wrap_text(text: str, width_in: float, size_pt: float, most_lines: int = _MOST_LINES) -> tuple[str, ...]:
    """Break a text into lines, after a space or a punctuation mark of a model's name.

    Args:
        text: the text.
        width_in: available width, inches.
        size_pt: font size, points.
        most_lines: greatest number of lines.

    Returns:
        The lines. In a line that is too long, an ellipsis replaces the middle.
    """
    lines: list[str] = []
    room_in = width_in / _WIDEN
    for piece in _pieces(" ".join(text.split())):
        joined = (lines[-1] if lines else "") + piece
        if lines and text_width_in(joined.rstrip(), size_pt) <= room_in:
            lines[-1] = joined
        else:
            lines.append(piece)
    kept = [*lines[: most_lines - 1], "".join(lines[most_lines - 1 :])] if len(lines) > most_lines else lines
    return tuple(fit_text(line, room_in, size_pt) for line in kept)


def _pieces(text: str) -> list[str]:
    """Split a text where a line may break. Each part ends with its punctuation mark."""
    pieces = [""]
    for mark in text:
        pieces[-1] += mark
        if mark in " /_:,-":
            pieces.append("")
    return [piece for piece in pieces if piece] or [""]


def page_files(out: Path, pages: int) -> list[Path]:
    """Name the files: ``figure.png``, or ``figure-1.png``, ``figure-2.png`` ... A PDF holds all pages."""
    if pages == 1 or out.suffix.lower() == ".pdf":
        return [out]
    return [out.with_name(f"{out.stem}-{page}{out.suffix}") for page in range(1, pages + 1)]


def possible_files(out: Path, most_pages: int) -> list[Path]:
    """Name every file that a figure of at most some pages may write, whichever images fail."""
    return list(dict.fromkeys([out, *page_files(out, most_pages)]))
