"""Finds a font that can show a class name; otherwise spells the name in letters that the font has."""

import unicodedata
from dataclasses import dataclass
from functools import lru_cache

from PIL import ImageFont

_SYSTEM_FONTS = (
    "DejaVuSans.ttf",
    "NotoSans-Regular.ttf",
    "Arial.ttf",
    "arial.ttf",
    "NotoSansCJK-Regular.ttc",
    "NotoSansCJKsc-Regular.otf",
    "wqy-microhei.ttc",
    "wqy-zenhei.ttc",
    "DroidSansFallbackFull.ttf",
    "PingFang.ttc",
    "Arial Unicode.ttf",
    "msyh.ttc",
    "YuGothM.ttc",
    "malgun.ttf",
    "Nirmala.ttf",
    "NotoSansArabic-Regular.ttf",
    "NotoSansDevanagari-Regular.ttf",
)
_NO_CHARACTER = "\U0010fffe"  # a code point that no font may have, so it draws the font's empty box
_PROBE_PX = 24


@dataclass(frozen=True)
class Label:
    """A text and a font that has all of its glyphs."""

    text: str
    font: ImageFont.FreeTypeFont


def legible(text: str, index: int, font_px: int) -> Label:
    """Find a font for a class name: the built-in one, one of the system, or else spell the name in ASCII.

    The built-in font has little beyond ASCII. Where nothing else is found, accents are left away ("café" becomes
    "cafe"), and a name in another script becomes its class index and code points, never a row of empty boxes.

    Args:
        text: the class name.
        index: the class index, shown where the name cannot be.
        font_px: the size of the font in pixels.

    Returns:
        What to draw, and with which font.
    """
    text = " ".join(text.split())
    built_in, probe = _built_in(font_px), _built_in(_PROBE_PX)
    if covers(probe, text):
        return Label(text, built_in)
    for name in _SYSTEM_FONTS:
        font = _system_font(name)
        if font is not None and covers(font, text):
            return Label(text, font.font_variant(size=font_px))
    plain = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    if covers(probe, plain):
        return Label(plain, built_in)
    return Label(f"class {index} ({text.encode('ascii', 'backslashreplace').decode()})", built_in)


def covers(font: ImageFont.FreeTypeFont, text: str) -> bool:
    """Whether a font has a glyph for each character, told by comparison with its empty box.

    Args:
        font: the font.
        text: the characters.

    Returns:
        False as soon as one character would be drawn as the font's empty box.
    """
    return all(_has_glyph(font, character) for character in set(text))


@lru_cache(maxsize=4096)  # drawing the letters of every legend again took longer than the legend
def _has_glyph(font: ImageFont.FreeTypeFont, character: str) -> bool:
    probe = font.font_variant(size=_PROBE_PX)
    return _drawn(probe, character) != _drawn(probe, _NO_CHARACTER)


def _drawn(font: ImageFont.FreeTypeFont, character: str) -> tuple[tuple[int, int], bytes]:
    mask = font.getmask(character)
    return mask.size, bytes(mask)


@lru_cache(maxsize=8)
def _built_in(font_px: int) -> ImageFont.FreeTypeFont:
    font = ImageFont.load_default(size=font_px)
    assert isinstance(font, ImageFont.FreeTypeFont)  # a size always gives the scalable font
    return font


@lru_cache(maxsize=len(_SYSTEM_FONTS))
def _system_font(name: str) -> ImageFont.FreeTypeFont | None:
    """The font of that file name where the system keeps its fonts; None where it has none."""
    try:
        return ImageFont.truetype(name, _PROBE_PX)
    except OSError:
        return None
