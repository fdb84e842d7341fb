"""Heat maps of one image for several texts: each map over the image and alone, with a colour bar."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from densezero.errors import FeatureError
from densezero.features.choices import DEFAULT_WIDTH_MM
from densezero.features.figure.colours import HEAT, heat_rgb, to_bytes
from densezero.features.figure.compare import PRINT_DPI, TALLEST_CELL, wrap_caption
from densezero.features.figure.sheet import INK, PALE, axes_at, draw_sheet, fit_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MM = 1 / 25.4
_GAP_MM, _LINE_MM, _BAND_GAP_MM, _BAR_MM, _CAPTION_PT, _SMALL_PT = 1.0, 3.3, 3.0, 3.0, 7.5, 6.5
_BAR_ROOM_MM, _LEAST_CELL_MM = 15.0, 15.0
_OWN = ", own scale"
_MOST_ACROSS = 4  # maps in one band of the figure; further maps go into bands below
_OPACITY = 0.6


class HeatMap(NamedTuple):
    """The map of one text: ``caption``, and ``values`` (H, W) at the size of the image."""

    caption: str
    values: NDArray[np.float32]


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
class _Layout:
    width_in: float
    height_in: float
    cell_in: float
    tall_in: float
    head_in: float
    band_in: float
    across: int

    def left(self, column: int) -> float:
        return column * (self.cell_in + _GAP_MM * _MM)


def draw_heat_maps(
    rgb: NDArray[np.uint8],
    maps: Sequence[HeatMap],
    *,
    each: bool = False,
    points_xy: Sequence[tuple[float, float]] = (),
    width_mm: float = DEFAULT_WIDTH_MM,
    form: str = "png",
) -> bytes:
    """Draw the image, and each map over the image and alone.

    Args:
        rgb: (H, W, 3) uint8, the image.
        maps: at least one map, each of the size of the image.
        each: give every map its own scale and write its ends under the caption. Otherwise all maps have one scale,
            with a colour bar.
        points_xy: points to mark in the image, as shares of its width and height.
        width_mm: width of the figure.
        form: ``"png"`` (300 pixels per inch), ``"pdf"`` or ``"svg"``.

    Returns:
        The content of the file; equal maps give equal bytes.

    Raises:
        FeatureError: if the figure is too narrow.
    """
    scales = own_scales(maps) if each else [shared_scale(maps)] * len(maps)
    layout, captions = _plan(rgb.shape[0] / rgb.shape[1], maps, scales if each else None, width_mm)

    def paint(figure: Figure) -> None:
        _show(figure, layout, (0, layout.head_in), rgb)
        for point in points_xy:
            _mark(figure.axes[0], rgb, point)
        _caption(figure, layout, 0, layout.head_in, ("image",))
        _colour_bar(figure, layout, scales[0], each)
        for place, (heat, scale, lines) in enumerate(zip(maps, scales, captions, strict=True)):
            band, column = divmod(place, layout.across)
            left, top = layout.left(column + 1), band * layout.band_in + layout.head_in
            _caption(figure, layout, left, top, lines)
            colours = heat_rgb(scale.share(heat.values))  # (H, W, 3)
            over = _OPACITY * colours + (1 - _OPACITY) * (rgb.astype(np.float32) / 255)
            _show(figure, layout, (left, top), to_bytes(over))
            _show(figure, layout, (left, top + layout.tall_in + _GAP_MM * _MM), to_bytes(colours))

    return draw_sheet(layout.width_in, layout.height_in, paint, form, PRINT_DPI)


def shared_scale(maps: Sequence[HeatMap]) -> Scale:
    """The smallest and the largest value over all maps."""
    return Scale(min(float(heat.values.min()) for heat in maps), max(float(heat.values.max()) for heat in maps))


def own_scales(maps: Sequence[HeatMap]) -> list[Scale]:
    """The smallest and the largest value of each map."""
    return [Scale(float(heat.values.min()), float(heat.values.max())) for heat in maps]


def _plan(
    ratio: float, maps: Sequence[HeatMap], own: Sequence[Scale] | None, width_mm: float
) -> tuple[_Layout, list[tuple[str, ...]]]:
    """Plan the layout, and the lines above each map: its caption, and its own scale if it has one."""
    across = min(len(maps), _MOST_ACROSS)
    cell_mm = (width_mm - _GAP_MM * across) / (across + 1)
    if cell_mm < _LEAST_CELL_MM:
        raise FeatureError(
            f"Expected a figure wide enough for {across + 1} columns of {_LEAST_CELL_MM:g} mm; {width_mm:g} mm is not "
            "enough. Take a larger --width."
        )
    captions = [wrap_caption(heat.caption, cell_mm * _MM, _CAPTION_PT, 2) for heat in maps]
    if own is not None:
        ends = [fit_text(f"{scale.low:z.3f} to {scale.high:z.3f}{_OWN}", cell_mm * _MM, _SMALL_PT) for scale in own]
        captions = [(*lines, end) for lines, end in zip(captions, ends, strict=True)]
    tall_mm = cell_mm * min(ratio, TALLEST_CELL)
    head_mm = max(map(len, captions)) * _LINE_MM + _GAP_MM
    band_mm = head_mm + max(2 * tall_mm + _GAP_MM, tall_mm + _BAR_ROOM_MM) + _BAND_GAP_MM
    height_mm = -(-len(maps) // across) * band_mm - _BAND_GAP_MM
    layout = _Layout(
        width_mm * _MM, height_mm * _MM, cell_mm * _MM, tall_mm * _MM, head_mm * _MM, band_mm * _MM, across
    )
    return layout, captions


def _show(figure: Figure, layout: _Layout, left_top: tuple[float, float], picture: NDArray[np.uint8]) -> None:
    width = min(layout.cell_in, layout.tall_in * picture.shape[1] / picture.shape[0])
    axes = axes_at(figure, left_top[0] + (layout.cell_in - width) / 2, left_top[1], width, layout.tall_in)
    axes.imshow(picture, aspect="auto", interpolation="antialiased")
    axes.set_axis_off()


def _mark(axes: Axes, rgb: NDArray[np.uint8], point_xy: tuple[float, float]) -> None:
    """Draw a cross that is visible on dark and on light pixels."""
    x, y = point_xy[0] * rgb.shape[1] - 0.5, point_xy[1] * rgb.shape[0] - 0.5
    axes.plot(x, y, "+", color="black", markersize=9, markeredgewidth=2.6)
    axes.plot(x, y, "+", color="white", markersize=8, markeredgewidth=1.2)
    axes.set_xlim(-0.5, rgb.shape[1] - 0.5)
    axes.set_ylim(rgb.shape[0] - 0.5, -0.5)


def _caption(figure: Figure, layout: _Layout, left_in: float, top_in: float, lines: tuple[str, ...]) -> None:
    """Write the lines centred above a picture, with the last line directly above it."""
    for place, line in enumerate(reversed(lines)):
        baseline_in = top_in - (_GAP_MM + place * _LINE_MM) * _MM
        figure.text(
            (left_in + layout.cell_in / 2) / layout.width_in, 1 - baseline_in / layout.height_in, line,
            ha="center", va="baseline", fontsize=_SMALL_PT if line.endswith(_OWN) else _CAPTION_PT,
            color=PALE if line.endswith(_OWN) else INK,
        )  # fmt: skip


def _colour_bar(figure: Figure, layout: _Layout, scale: Scale, each: bool) -> None:
    """Draw the colour bar under the image, in the cell without a map."""
    top = layout.head_in + layout.tall_in + 4 * _GAP_MM * _MM
    inset = 0.04 * layout.cell_in
    axes = axes_at(figure, inset, top, layout.cell_in - 2 * inset, _BAR_MM * _MM)
    ramp = np.linspace(0, 1, 256)[None]
    axes.imshow(ramp, aspect="auto", cmap=HEAT, extent=(0, 1, 0, 1), interpolation="antialiased")
    middle = (scale.low + scale.high) / 2
    texts = ["lowest", "", "highest"] if each else [f"{value:z.3f}" for value in (scale.low, middle, scale.high)]
    axes.set_yticks([])
    axes.set_xticks((0, 0.5, 1), texts)
    first, _, last = axes.get_xticklabels()
    first.set_horizontalalignment("left")  # so that the label stays within the column
    last.set_horizontalalignment("right")
    axes.tick_params(length=2, pad=2, labelsize=_SMALL_PT)
    axes.set_xlabel("each map on its own scale" if each else "cosine", fontsize=_SMALL_PT, labelpad=1)
    axes.spines[:].set_visible(False)
