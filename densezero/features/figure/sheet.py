"""Sheets that figures are drawn on: one style, places in inches, and the same bytes for the same drawing."""

from __future__ import annotations

import io
import unicodedata
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DPI = 150
"""Pixels in an inch of a figure."""
INK, PALE, FAINT = "#222222", "#777777", "#e4e4e4"

_STYLE: dict[Any, Any] = {  # matplotlib types its settings by a list of all their names
    "text.parse_math": False,  # a dollar sign in a class name is a dollar sign
    "text.color": INK,
    "axes.edgecolor": PALE,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.6,
    "xtick.color": INK,
    "ytick.color": INK,
    "font.size": 8,
    "hatch.linewidth": 0.6,
    "pdf.fonttype": 42,  # TrueType: publishers refuse the default, Type 3
    "svg.hashsalt": "densezero",  # names inside the file are random otherwise
}
_UNDATED: dict[str, dict[str, Any]] = {
    "png": {"Software": None},
    "pdf": {"CreationDate": None, "Producer": None},
    "svg": {"Date": None, "Creator": None},
}
_FIRST_FAMILY = "DejaVu Sans"  # comes with matplotlib
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


def draw_sheet(
    width_in: float, height_in: float, paint: Callable[[Figure], None], form: str = "png", dpi: int = DPI
) -> bytes:
    """Draw a figure in our style, whatever the user's own settings of matplotlib are.

    Args:
        width_in: width, inches.
        height_in: height, inches.
        paint: draws into the empty figure.
        form: ``"png"``, ``"pdf"`` or ``"svg"``.
        dpi: pixels an inch of a PNG.

    Returns:
        The bytes of the file, the same for the same drawing.
    """
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_STYLE)
        matplotlib.rcParams["font.family"] = list(_families())
        figure = Figure(figsize=(width_in, height_in), dpi=dpi, facecolor="white")
        FigureCanvasAgg(figure)
        paint(figure)
        buffer = io.BytesIO()
        figure.savefig(buffer, format=form, metadata=_UNDATED[form])
    return buffer.getvalue()


def axes_at(figure: Figure, left_in: float, top_in: float, width_in: float, height_in: float) -> Axes:
    """Add axes at a place in inches, counted from the upper left corner of the sheet."""
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
    """Write a line with its upper left corner at a place in inches, counted from the upper left corner of the sheet."""
    sheet_w, sheet_h = figure.get_size_inches()
    figure.text(
        left_in / sheet_w, 1 - top_in / sheet_h, text, va="top", fontsize=size_pt, color=colour, fontweight=weight
    )


def text_width_in(text: str, size_pt: float) -> float:
    """The width of a line of text, inches; wide letters of other scripts are counted as two."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import text_to_path

    known = "".join(mark if ord(mark) in _charmap(_FIRST_FAMILY) else "MM" for mark in text)
    font = FontProperties(family=_FIRST_FAMILY, size=size_pt)
    width, _, _ = text_to_path.get_text_width_height_descent(known, font, False)
    return float(width) / 72


def fit_text(text: str, width_in: float, size_pt: float) -> str:
    """Make a text one line that can be drawn and is no wider than asked for.

    Args:
        text: any text; characters without a glyph in any known font become their code points.
        width_in: space, inches.
        size_pt: size of the font, points.

    Returns:
        The text, its middle replaced by an ellipsis where it is too wide.
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
    """The font families that are here, in the order in which a glyph is looked for."""
    from matplotlib.font_manager import fontManager

    here = {entry.name for entry in fontManager.ttflist}
    return (_FIRST_FAMILY, *(family for family in _FURTHER_FAMILIES if family in here))


@lru_cache(maxsize=len(_FURTHER_FAMILIES) + 1)
def _charmap(family: str) -> frozenset[int]:
    """The code points that a family has glyphs for."""
    from matplotlib.font_manager import FontProperties, findfont, get_font

    return frozenset(get_font(findfont(FontProperties(family=family))).get_charmap())
