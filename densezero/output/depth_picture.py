"""Depth in colours, with a scale bar in metres."""

import math

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from densezero.output.depth_png import check_depth
from densezero.output.fonts import legible
from densezero.output.overlay import drawn_hw

_PAPER, _INK = (255, 255, 255), (24, 24, 24)
_MOST_TICKS = 6
_LEAST_SPAN_M = 0.001
_BAR_EM = 10
"""Least height of the bar, in sizes of the font."""


def draw_depth(depth: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Draw depth in the colours of ``turbo``: blue is the nearest depth of this picture, red the farthest.

    A picture longer than 2048 px is shrunk, and one shorter than 320 px is enlarged, as an overlay is.

    Args:
        depth: (H, W) metres.

    Returns:
        (H', W', 3) the colours, and beside them a bar with the depths in metres.

    Raises:
        OutputError: for another shape, or depths that are not finite.
    """
    check_depth(depth)
    nearest, farthest = float(depth.min()), float(depth.max())
    span = max(farthest - nearest, _LEAST_SPAN_M)
    height, width = drawn_hw(depth.shape[0], depth.shape[1])
    how = cv2.INTER_AREA if height < depth.shape[0] else cv2.INTER_LINEAR
    small = cv2.resize(depth.astype(np.float32, copy=False), (width, height), interpolation=how)
    colours = _turbo((np.asarray(small) - nearest) / span)
    return _add_bar(colours, nearest, nearest + span)


def choose_ticks(nearest_m: float, farthest_m: float) -> list[float]:
    """Choose at most six round depths of a scale: 1, 2 or 5 times a power of ten apart.

    Example:
        >>> choose_ticks(0.7, 4.2)
        [1.0, 2.0, 3.0, 4.0]
    """
    rough = (farthest_m - nearest_m) / (_MOST_TICKS - 1) * (1 - 1e-6)
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(times * power for times in (1, 2, 5, 10) if times * power >= rough)
    first, last = math.ceil(nearest_m / step - 1e-6), math.floor(farthest_m / step + 1e-6)
    return [round(index * step, 9) for index in range(first, last + 1)]


def _turbo(levels: NDArray[np.floating]) -> NDArray[np.uint8]:
    """Colour (H, W) levels in [0, 1]: (H, W, 3)."""
    bytes_of = np.rint(levels.clip(0, 1) * 255).astype(np.uint8)
    return np.ascontiguousarray(cv2.applyColorMap(bytes_of, cv2.COLORMAP_TURBO)[..., ::-1])


def _add_bar(colours: NDArray[np.uint8], nearest_m: float, farthest_m: float) -> NDArray[np.uint8]:
    """Set a vertical bar right of a picture, the nearest depth at its lower end."""
    height, width = colours.shape[:2]
    font_px = min(44, max(15, round(0.028 * math.sqrt(height * width))))
    ticks = choose_ticks(nearest_m, farthest_m)
    labels = [legible(f"{tick:g} m", 0, font_px) for tick in ticks]
    widest = math.ceil(max((label.font.getlength(label.text) for label in labels), default=0))
    bar_px, left, top = font_px, width + font_px, font_px
    canvas_h = max(height, _BAR_EM * font_px)
    bar_h = canvas_h - 2 * top
    canvas = Image.new("RGB", (left + bar_px + font_px + widest + font_px, canvas_h), _PAPER)
    canvas.paste(Image.fromarray(colours), (0, 0))
    levels = np.linspace(1, 0, bar_h, dtype=np.float32)[:, None].repeat(bar_px, 1)
    canvas.paste(Image.fromarray(_turbo(levels)), (left, top))
    draw = ImageDraw.Draw(canvas)
    for tick, label in zip(ticks, labels, strict=True):
        y = top + round((farthest_m - tick) / (farthest_m - nearest_m) * (bar_h - 1))
        draw.line((left + bar_px, y, left + bar_px + font_px // 3, y), _INK, max(1, font_px // 12))
        draw.text((left + bar_px + font_px // 2, y), label.text, font=label.font, fill=_INK, anchor="lm")
    return np.asarray(canvas)
