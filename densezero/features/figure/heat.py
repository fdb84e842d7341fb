"""Heat maps: images in rows, texts and points in columns, with a colour scale below."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from densezero.features.choices import FigureStyle
from densezero.features.figure.colours import heat_rgb, to_bytes
from densezero.features.figure.layout import GAP_MM, MM, FigurePlan, Section, cell_width_mm, line_height_mm, plan_figure
from densezero.features.figure.panels import Foot, Panel, draw_figure
from densezero.features.figure.sheet import axes_at, text_width_in

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_BAR_MM, _LEAST_CELL_MM, _MOST_ACROSS = 2.5, 15.0, 4
_OPACITY: Final = 0.6
MINUS: Final = "\N{MINUS SIGN}"


class Scale(NamedTuple):
    """The values at the two ends of the color map."""

    low: float
    high: float

    def share(self, values: NDArray[np.floating]) -> NDArray[np.floating]:
        """Values as shares of the range; one half if the range is empty."""
        if self.high <= self.low:
            return np.full_like(values, 0.5)
        return (values - self.low) / (self.high - self.low)


@dataclass(frozen=True)
class HeatRow:
    """One image and its maps.

    Args:
        rgb: (H, W, 3) uint8, the image.
        maps: (H, W) values of each text or point.
        points_xy: points to mark in the image, as shares of its width and height.
    """

    rgb: NDArray[np.uint8]
    maps: tuple[NDArray[np.float32], ...]
    points_xy: tuple[tuple[float, float], ...] = ()


def plan_heat(
    ratios: Sequence[float], captions: Sequence[str], style: FigureStyle, *, each: bool = False
) -> FigurePlan:
    """Plan a figure of heat maps.

    If the texts do not fit beside the image, all images come again with the further texts.

    Args:
        ratios: height over width of each image.
        captions: of each map.
        style: width, font, cells.
        each: every map has its own scale.

    Raises:
        FeatureError: if the figure is too narrow.
    """
    across = _maps_across(len(captions), style.width_mm)
    sections = [
        Section(("image", *_pad(captions[start : start + across], across)), tuple(ratios))
        for start in range(0, len(captions), across)
    ]
    return plan_figure(sections, style, note_lines=int(each), foot_mm=scale_height_mm(style))


def draw_heat(
    plan: FigurePlan, rows: Sequence[HeatRow], form: str = "png", *, each: bool = False, alone: bool = False
) -> list[bytes]:
    """Draw a planned figure of heat maps.

    Args:
        plan: the plan.
        rows: the images, as many as were planned.
        form: ``"png"``, ``"pdf"`` or ``"svg"``.
        each: give every map its own scale and write its ends above it. Otherwise all maps of the figure share one.
        alone: draw the maps without the image under them.

    Returns:
        The contents of the files; equal maps give equal bytes.
    """
    style, across = plan.style, len(plan.lefts_in) - 1
    shared = Scale(*_ends(values for row in rows for values in row.maps))
    sections = []
    for start in range(0, len(rows[0].maps), across):
        section = []
        for row in rows:
            panels = [Panel(row.rgb, points_xy=row.points_xy)]
            for values in row.maps[start : start + across]:
                scale = Scale(*_ends([values])) if each else shared
                colours = heat_rgb(scale.share(values), style.colormap)  # (H, W, 3)
                shown = colours if alone else _OPACITY * colours + (1 - _OPACITY) * (row.rgb.astype(np.float32) / 255)
                panels.append(Panel(to_bytes(shown), describe_scale(scale) if each else ""))
            section.append(panels)
        sections.append(section)
    foot = scale_foot(plan, None, "each map on its own scale") if each else scale_foot(plan, shared, "cosine")
    return draw_figure(plan, sections, form, foot)


def describe_scale(scale: Scale) -> str:
    """Write the ends of a scale, such as ``−0.02 to 0.31``."""
    return f"{scale.low:z.2f} to {scale.high:z.2f}".replace("-", MINUS)


def round_ticks(scale: Scale, most: int) -> dict[float, str]:
    """Choose round numbers within a scale, and write them with as few digits as they need.

    Args:
        scale: the scale.
        most: greatest number of ticks, at least 2.

    Returns:
        Value to its text. The steps are 1, 2 or 5 times a power of ten. An empty scale has its one value.
    """
    span = scale.high - scale.low
    if not span > 0:
        return {scale.low: f"{scale.low:z.3g}".replace("-", MINUS)}
    power = math.floor(math.log10(span))
    steps = [(factor, exponent) for exponent in range(power - 2, power + 2) for factor in (1, 2, 5)]
    for factor, exponent in steps:
        step = factor * 10.0**exponent
        first, last = math.ceil(scale.low / step - 1e-9), math.floor(scale.high / step + 1e-9)
        if last - first + 1 <= most:
            digits = max(0, -exponent)
            return {n * step: f"{n * step:z.{digits}f}".replace("-", MINUS) for n in range(first, last + 1)}
    return {scale.low: f"{scale.low:z.3g}".replace("-", MINUS)}


def scale_height_mm(style: FigureStyle) -> float:
    """Height of the room that ``scale_foot`` needs."""
    return 3 * GAP_MM + _BAR_MM + 2 * line_height_mm(style.small_pt) + GAP_MM


def scale_foot(plan: FigurePlan, scale: Scale | None, label: str, colormap: str | None = None) -> Foot:
    """Make what draws a colour scale in the middle below the rows of a figure.

    Args:
        plan: of the figure.
        scale: its ends; None writes lowest and highest.
        label: what it measures.
        colormap: matplotlib's name of the map; None takes the style's.
    """
    return partial(_draw_scale, plan=plan, scale=scale, label=label, colormap=colormap or plan.style.colormap)


def _draw_scale(
    figure: Figure, top_in: float, plan: FigurePlan, scale: Scale | None, label: str, colormap: str
) -> None:
    style = plan.style
    width = min(plan.width_in - 12 * MM, 90 * MM)
    axes = axes_at(figure, (plan.width_in - width) / 2, top_in + 3 * GAP_MM * MM, width, _BAR_MM * MM)
    axes.imshow(
        np.linspace(0, 1, 256)[None], aspect="auto", cmap=colormap, extent=(0, 1, 0, 1),
        interpolation="antialiased",
    )  # fmt: skip
    axes.set_yticks([])
    if scale is None:
        ticks: dict[float, str] = {0.0: "lowest", 1.0: "highest"}
    else:
        room = max(2, int(width / (1.6 * text_width_in(f"{MINUS}0.000", style.small_pt))))
        found = round_ticks(scale, min(room, 7))
        ticks = {float(scale.share(np.array(value))): text for value, text in found.items()}
    axes.set_xticks(list(ticks), list(ticks.values()))
    if scale is None:
        first, last = axes.get_xticklabels()
        first.set_horizontalalignment("left")
        last.set_horizontalalignment("right")
    axes.tick_params(length=2, pad=1.5, labelsize=style.small_pt)
    axes.set_xlabel(label, fontsize=style.small_pt, labelpad=1)
    axes.spines[:].set_visible(False)


def _ends(maps: Iterable[NDArray[np.float32]]) -> tuple[float, float]:
    ends = [(float(values.min()), float(values.max())) for values in maps]
    return min(low for low, _ in ends), max(high for _, high in ends)


def _maps_across(maps: int, width_mm: float) -> int:
    """Choose how many maps stand beside an image: as many as are wide enough, divided evenly over the sections."""
    fitting = [n for n in range(1, _MOST_ACROSS + 1) if cell_width_mm(width_mm, n + 1) >= _LEAST_CELL_MM]
    sections = -(-maps // max(fitting, default=1))
    return -(-maps // sections)


def _pad(captions: Sequence[str], count: int) -> tuple[str, ...]:
    return (*captions, *[""] * (count - len(captions)))
