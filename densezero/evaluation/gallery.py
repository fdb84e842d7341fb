"""The best and the worst images of an evaluation: picture, truth and prediction side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from densezero.evaluation.figure import write_title
from densezero.evaluation.report import ImageScore
from densezero.features.figure.sheet import DPI, FAINT, PALE, axes_at, draw_sheet, fit_text, write_at
from densezero.metrics import count_pairs, iou_scores

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_LONGEST_PX = 800  # images are made smaller than this; a panel has about half
_WIDTH_IN, _MARGIN_IN, _PANEL_IN, _GAP_IN = 11.8, 0.2, 2.6, 0.12
_HEAD_IN, _LINE_IN, _BELOW_IN = 0.6, 0.17, 0.42
_TALLEST_IN, _LOWEST_IN = 3.0, 1.2
_LEGEND_IN = _WIDTH_IN - 2 * _MARGIN_IN - 3 * (_PANEL_IN + _GAP_IN)
_HEAD_PT = 8.5
_STRIPE_PX = 4
_GREYS = np.array([(170, 170, 170), (215, 215, 215)], np.uint8)


@dataclass(frozen=True)
class RankedImage:
    """An image of a report and its rank, such as "worst 2"."""

    rank: str
    score: ImageScore


@dataclass(frozen=True)
class GalleryImage:
    """One row of the gallery.

    Args:
        name: name of the image.
        rank: its rank, such as "best 1".
        rgb: (H, W, 3) uint8, the image.
        truth: (H, W) class indices, or the ignored value.
        prediction: (H, W) class indices.
        per_class: (C,) IoU in this image, percent; NaN for a class that is in none of its scored pixels.
        miou: mean of ``per_class`` without NaN, percent; NaN if no pixel is scored.
        note: a remark; may be empty.
    """

    name: str
    rank: str
    rgb: NDArray[np.uint8]
    truth: NDArray[np.integer]
    prediction: NDArray[np.integer]
    per_class: NDArray[np.float64]
    miou: float
    note: str = ""


def rank_images(scores: Sequence[ImageScore], count: int) -> list[RankedImage]:
    """Choose the best and the worst images. No image is chosen twice.

    Args:
        scores: scores of all images. Images without a score are left out.
        count: number of best and number of worst images; fewer if there are not enough.

    Returns:
        The best images, best first, then the worst, worst first. Images of equal score keep their order.
    """
    scored = [score for score in scores if score.miou is not None]
    best = sorted(scored, key=lambda score: -(score.miou or 0))[: min(count, -(-len(scored) // 2))]
    chosen = {id(score) for score in best}
    rest = [score for score in scored if id(score) not in chosen]
    worst = sorted(rest, key=lambda score: score.miou or 0)[: min(count, len(scored) // 2)]
    return [
        *(RankedImage(f"best {place}", score) for place, score in enumerate(best, 1)),
        *(RankedImage(f"worst {place}", score) for place, score in enumerate(worst, 1)),
    ]


def make_gallery_image(
    ranked: RankedImage,
    rgb: NDArray[np.uint8],
    truth: NDArray[np.integer],
    prediction: NDArray[np.integer],
    classes: int,
    ignore: int = 255,
) -> GalleryImage:
    """Score one image again, and make it small enough for a figure. If the score differs from the report, note it.

    Args:
        ranked: the image and its score in the report.
        rgb: (H, W, 3) uint8, the image.
        truth: (H, W) class indices, or ``ignore``.
        prediction: (H, W) class indices.
        classes: number C of classes.
        ignore: value of pixels that are not scored.

    Raises:
        InputError: truth and prediction differ in size, or contain a value that is no class.
    """
    scores = iou_scores(count_pairs(prediction, truth, classes, ignore))
    reported = ranked.score.miou
    same = reported is not None and abs(scores.miou - reported) < 0.05
    step = -(-max(truth.shape) // _LONGEST_PX)
    return GalleryImage(
        ranked.score.name,
        ranked.rank,
        _thin_picture(rgb, step),
        truth[::step, ::step].copy(),
        prediction[::step, ::step].copy(),
        scores.per_class,
        scores.miou,
        "" if same else f"the report has {reported:.2f} %",
    )


def draw_gallery(
    images: Sequence[GalleryImage],
    names: Sequence[str],
    colours: NDArray[np.uint8],
    about: str,
    ignore: int = 255,
) -> bytes:
    """Draw each image in a row: picture, truth, prediction, and its classes with their colours and IoU.

    In the truth, pixels that are not scored are hatched in grey. A row lists the largest classes that fit.

    Args:
        images: at least one image.
        names: names of the C classes.
        colours: (C, 3) uint8, colours of the classes.
        about: one line about what was evaluated.
        ignore: value of pixels that are not scored.

    Returns:
        The bytes of a PNG file. Equal images give equal bytes.
    """
    heights_in = [max(_LOWEST_IN, _panel_hw_in(image)[0]) for image in images]

    def paint(figure: Figure) -> None:
        write_title(figure, "Best and worst images, by their own mean IoU", about)
        top_in = _HEAD_IN
        for image, row_in in zip(images, heights_in, strict=True):
            _write_row_head(figure, image, top_in)
            _paint_panels(figure, image, top_in + _LINE_IN + 0.05, colours, ignore)
            legend = axes_at(figure, _WIDTH_IN - _MARGIN_IN - _LEGEND_IN, top_in + 0.22, _LEGEND_IN, row_in)
            _paint_legend(legend, _legend_lines(image, names, colours, ignore), row_in)
            top_in += _LINE_IN + row_in + _BELOW_IN

    return draw_sheet(_WIDTH_IN, _HEAD_IN + sum(heights_in) + len(images) * (_LINE_IN + _BELOW_IN), paint)


def _write_row_head(figure: Figure, image: GalleryImage, top_in: float) -> None:
    score = "nothing is scored" if np.isnan(image.miou) else f"IoU {image.miou:.1f} %"
    note = f" ({image.note})" if image.note else ""
    name = fit_text(image.name, 5.5, _HEAD_PT)
    write_at(figure, _MARGIN_IN, top_in, f"{image.rank} · {score}{note} · {name}", size_pt=_HEAD_PT, weight="bold")


def _paint_panels(figure: Figure, image: GalleryImage, top_in: float, colours: NDArray[np.uint8], ignore: int) -> None:
    """Draw picture, truth and prediction at the resolution of the sheet."""
    height_in, width_in = _panel_hw_in(image)
    hw_px = (max(1, round(height_in * DPI)), max(1, round(width_in * DPI)))
    panels = {
        "picture": image.rgb,
        "truth": paint_labels(_sample(image.truth, hw_px), colours, ignore),
        "prediction": paint_labels(_sample(image.prediction, hw_px), colours, ignore),
    }
    for place, (caption, pixels) in enumerate(panels.items()):
        left_in = _MARGIN_IN + place * (_PANEL_IN + _GAP_IN)
        axes = axes_at(figure, left_in, top_in, width_in, height_in)
        axes.imshow(pixels, aspect="auto")
        axes.set_axis_off()
        write_at(figure, left_in, top_in + 0.03 + height_in, caption, size_pt=7, colour=PALE)


def paint_labels(labels: NDArray[np.integer], colours: NDArray[np.uint8], ignore: int = 255) -> NDArray[np.uint8]:
    """Colour labels by class. Pixels that are not scored are hatched in two greys.

    Args:
        labels: (H, W) class indices, or ``ignore``.
        colours: (C, 3) uint8, colours of the classes.
        ignore: value of pixels that are not scored.

    Returns:
        (H, W, 3) uint8.
    """
    ignored = labels == ignore
    painted = colours[np.where(ignored, 0, labels)]
    rows, columns = np.indices(labels.shape)
    stripes = _GREYS[(rows + columns) // _STRIPE_PX % 2]
    painted[ignored] = stripes[ignored]
    return painted


@dataclass(frozen=True)
class _Line:
    name: str
    value: str
    colour: tuple[float, float, float] | None


def _legend_lines(image: GalleryImage, names: Sequence[str], colours: NDArray[np.uint8], ignore: int) -> list[_Line]:
    """Make a line for each class in truth or prediction, largest first, and one for ignored pixels at the end."""
    shown = [labels[labels != ignore].reshape(-1) for labels in (image.truth, image.prediction)]
    pixels = np.bincount(np.concatenate(shown).astype(np.int64), minlength=len(names))
    order = [index for index in np.argsort(-pixels, kind="stable") if pixels[index]]
    lines = [_Line(names[index], _iou_text(image.per_class[index]), _unit_colour(colours[index])) for index in order]
    return [*lines, _Line("not scored", "", None)] if (image.truth == ignore).any() else lines


def _iou_text(value: float) -> str:
    return "–" if np.isnan(value) else f"{value:.0f}"


def _unit_colour(colour: NDArray[np.uint8]) -> tuple[float, float, float]:
    red, green, blue = (int(part) / 255 for part in colour)
    return red, green, blue


def _paint_legend(axes: Axes, lines: list[_Line], row_in: float) -> None:
    """Write the lines in one or two columns. The last line counts the classes that do not fit."""
    from matplotlib.patches import Rectangle

    per_column = max(2, int(row_in / _LINE_IN) - 1)  # one line is for the heading
    columns = 1 if len(lines) <= per_column else 2
    room = columns * per_column
    if len(lines) > room:
        last = lines[-1:] if lines[-1].colour is None else []
        kept = room - 1 - len(last)
        lines = [*lines[:kept], _Line(f"+ {len(lines) - kept - len(last)} smaller", "", (1, 1, 1)), *last]
    axes.set_xlim(0, _LEGEND_IN)
    axes.set_ylim(row_in, 0)
    axes.set_axis_off()
    column_in = min(_LEGEND_IN / columns, 2.0)
    for place, line in enumerate(lines):
        column, row = divmod(place, per_column)
        left, middle = column * column_in, (row + 1.5) * _LINE_IN
        if row == 0:
            right = left + column_in - 0.15
            axes.text(right, 0.5 * _LINE_IN, "IoU here", ha="right", va="center", size=6.5, color=PALE)
        swatch = {"facecolor": FAINT, "hatch": "//////"} if line.colour is None else {"facecolor": line.colour}
        if not line.name.startswith("+ "):
            axes.add_patch(Rectangle((left, middle - 0.055), 0.16, 0.11, edgecolor=PALE, linewidth=0.5, **swatch))
        name = fit_text(line.name, column_in - (0.6 if line.value else 0.3), 7.5)
        axes.text(left + 0.22, middle, name, va="center_baseline", size=7.5)
        axes.text(left + column_in - 0.15, middle, line.value, ha="right", va="center_baseline", size=7.5)


def _panel_hw_in(image: GalleryImage) -> tuple[float, float]:
    """Give the height and width of a panel in inches, in the proportions of the image."""
    height, width = image.truth.shape
    scale = min(_PANEL_IN / width, _TALLEST_IN / height)
    return max(height * scale, 0.05), max(width * scale, 0.05)


def _thin_picture(rgb: NDArray[np.uint8], step: int) -> NDArray[np.uint8]:
    """Take the mean colour of each square of ``step`` pixels. A rest at the right and at the bottom is dropped."""
    if step == 1 or min(rgb.shape[:2]) < step:
        return rgb[::step, ::step].copy()
    height, width = rgb.shape[0] // step, rgb.shape[1] // step
    squares = rgb[: height * step, : width * step].reshape(height, step, width, step, 3)
    return np.asarray(np.rint(squares.mean(axis=(1, 3))), np.uint8)


def _sample(labels: NDArray[np.integer], hw_px: tuple[int, int]) -> NDArray[np.int64]:
    """Take the nearest label for each pixel of a panel."""
    rows = ((np.arange(hw_px[0]) + 0.5) * labels.shape[0] / hw_px[0]).astype(np.int64)
    columns = ((np.arange(hw_px[1]) + 0.5) * labels.shape[1] / hw_px[1]).astype(np.int64)
    return np.asarray(labels[rows[:, None], columns[None, :]], np.int64)
