"""Pages for figures: one style, positions in inches, and equal bytes for equal drawings."""

from __future__ import annotations

import io
import unicodedata
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from densezero.features.choices import MARK
from densezero.features.figure.library import import_matplotlib

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DPI = 150
"""Pixels per inch of a figure."""
INK, PALE, FAINT = "#222222", "#777777", "#e4e4e4"

_STYLE: dict[Any, Any] = {  # matplotlib types the names of its settings as one long literal
    "text.parse_math": False,  # a dollar sign in a class name does not begin a formula
    "text.color": INK,
    "axes.edgecolor": PALE,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.6,
    "xtick.color": INK,
    "ytick.color": INK,
    "font.size": 8,
    "hatch.linewidth": 0.6,
    "pdf.fonttype": 42,  # TrueType; many publishers refuse the default, Type 3
    "svg.hashsalt": "densezero",  # without it, names inside the file are random
}
_UNDATED: dict[str, dict[str, Any]] = {
    "png": {"Software": MARK},
    "pdf": {"CreationDate": None, "Producer": None, "Creator": MARK},
    "svg": {"Date": None, "Creator": MARK},
}
_FIRST_FAMILY = "DejaVu Sans"  # part of matplotlib
_FURTHER_FAMILIES = (
    "Noto Sans",
    "Noto Sans CJK SC",
    "WenQuanYi Micro Hei",
    "WenQuanYi Zen Hei",
    "Droid Sans Fallback",
    "PingFang SC",
    "Arial Unicode MS",
    "Microsoft YaHei",
    "Yu Gothic",
    "Malgun Gothic",
    "Nirmala UI",
    "Noto Sans Devanagari",
)


class Page(NamedTuple):
    """A page of ``width_in`` x ``height_in`` inches, and the function that draws into it."""

    width_in: float
    height_in: float
    paint: Callable[[Figure], None]


def draw_sheet(
    width_in: float, height_in: float, paint: Callable[[Figure], None], form: str = "png", dpi: int = DPI
) -> bytes:
    """Draw a figure of one page. See ``draw_pages``."""
    return draw_pages([Page(width_in, height_in, paint)], form, dpi)[0]


def draw_pages(pages: Sequence[Page], form: str = "png", dpi: int = DPI) -> list[bytes]:
    """Draw pages in one style, independent of the user's settings of matplotlib.

    Args:
        pages: at least one.
        form: ``"png"``, ``"pdf"`` or ``"svg"``.
        dpi: pixels per inch of a PNG.

    Returns:
        The content of one file that holds all pages for ``"pdf"``, else of one file for each page; equal drawings give
        equal bytes.
    """
    matplotlib = import_matplotlib()
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.backends.backend_pdf import PdfPages
    from matplotlib.figure import Figure

    files = []
    with matplotlib.rc_context(), ExitStack() as stack:
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_STYLE)
        matplotlib.rcParams["font.family"] = list(_families())
        buffer = io.BytesIO()
        book = stack.enter_context(PdfPages(buffer, metadata=_UNDATED[form])) if form == "pdf" else None
        for page in pages:
            figure = Figure(figsize=(page.width_in, page.height_in), dpi=dpi, facecolor="white")
            FigureCanvasAgg(figure)
            page.paint(figure)
            if book is not None:
                book.savefig(figure, dpi=dpi)
                continue
            one = io.BytesIO()
            figure.savefig(one, format=form, metadata=_UNDATED[form])
            files.append(one.getvalue())
    return [buffer.getvalue()] if form == "pdf" else files


def axes_at(figure: Figure, left_in: float, top_in: float, width_in: float, height_in: float) -> Axes:
    """Add axes at a position in inches from the upper left corner of the page."""
    sheet_w, sheet_h = figure.get_size_inches()
    return figure.add_axes(
        (left_in / sheet_w, 1 - (top_in + height_in) / sheet_h, width_in / sheet_w, height_in / sheet_h)
    )


def write_at(
    figure: Figure,
    left_in: float,
    top_in: float,
    text: str,
    *,
    size_pt: float = 8,
    colour: str = INK,
    weight: str = "normal",
) -> None:
    """Write a line of text. Its upper left corner is at a position in inches from the upper left corner of the page."""
    sheet_w, sheet_h = figure.get_size_inches()
    figure.text(
        left_in / sheet_w, 1 - top_in / sheet_h, text, va="top", fontsize=size_pt, color=colour, fontweight=weight
    )


def text_width_in(text: str, size_pt: float) -> float:
    """Width of a line of text in inches. A character that the font lacks counts as two wide letters."""
    import_matplotlib()
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import text_to_path

    known = "".join(mark if ord(mark) in _charmap(_FIRST_FAMILY) else "MM" for mark in text)
    font = FontProperties(family=_FIRST_FAMILY, size=size_pt)
    width, _, _ = text_to_path.get_text_width_height_descent(known, font, False)
    return float(width) / 72


def fit_text(text: str, width_in: float, size_pt: float) -> str:
    """Make a text one line that the fonts can draw and that is not too wide.

    Args:
        text: any text. If the fonts lack a character, the text is written in ASCII with code points.
        width_in: available width, inches.
        size_pt: font size, points.

    Returns:
        The text. If it is too wide, an ellipsis replaces its middle.
    """
    text = _drawable(" ".join(text.split()))
    kept = len(text)
    shown = text
    while kept > 1 and text_width_in(shown, size_pt) > width_in:
        kept -= 1
        shown = f"{text[: -(-kept * 2 // 3)].rstrip()}…{text[len(text) - kept // 3 :].lstrip()}"
    return shown


def _drawable(text: str) -> str:
    charmaps = [_charmap(family) for family in _families()]
    if all(any(ord(mark) in charmap for charmap in charmaps) for mark in text):
        return text
    plain = "".join(mark for mark in unicodedata.normalize("NFKD", text) if not unicodedata.combining(mark))
    return plain.encode("ascii", "backslashreplace").decode()


@lru_cache(maxsize=1)
def _families() -> tuple[str, ...]:
    """The installed font families, in the order in which matplotlib searches for a glyph."""
    import_matplotlib()
    from matplotlib.font_manager import fontManager

    here = {entry.name for entry in fontManager.ttflist}
    return (_FIRST_FAMILY, *(family for family in _FURTHER_FAMILIES if family in here))


@lru_cache(maxsize=len(_FURTHER_FAMILIES) + 1)
def _charmap(family: str) -> frozenset[int]:
    """The code points for which a family has glyphs."""
    import_matplotlib()
    from matplotlib.font_manager import FontProperties, findfont, get_font

    return frozenset(get_font(findfont(FontProperties(family=family))).get_charmap())
