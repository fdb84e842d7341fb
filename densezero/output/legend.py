"""The legend beside or below an overlay: colour, name and share of each class, largest first."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from densezero.output.fonts import Label, legible
from densezero.vocabulary.classes import ClassList

FOLD_BELOW = 0.01
"""Share of the area below which classes are folded into one line."""
_PAPER, _INK, _FRAME = (255, 255, 255), (24, 24, 24), (120, 120, 120)
_NAME_WIDTH_EM = 15


@dataclass(frozen=True)
class Entry:
    """A line of the legend; ``colour`` is None for the line of the folded classes."""

    index: int
    name: str
    colour: tuple[int, int, int] | None
    share: float

    @property
    def percent(self) -> str:
        """The share as it is shown, such as "42.3 %"."""
        return f"{100 * self.share:.1f} %"


@dataclass(frozen=True)
class LegendPlan:
    """Where the legend goes, in pixels: right of the picture or below it, and in how many columns and rows."""

    right: bool
    columns: int
    rows: int
    panel_hw: tuple[int, int]

    def canvas_hw(self, image_hw: tuple[int, int]) -> tuple[int, int]:
        """Height and width of the picture with its legend."""
        (height, width), (panel_h, panel_w) = image_hw, self.panel_hw
        if self.right:
            return max(height, panel_h), width + panel_w
        return height + panel_h, max(width, panel_w)


def list_entries(pixels: Mapping[int, int], classes: ClassList) -> list[Entry]:
    """The lines of a legend: classes by falling share, those under 1 % folded into one line at the end.

    Args:
        pixels: pixels by class index, of the classes that occur.
        classes: the classes that the indices belong to.

    Returns:
        The lines; shares are in 0..1 of the classified pixels and add up to 1. Empty where no pixel has a class.
    """
    total, names = sum(pixels.values()), classes.names
    ranked = sorted(pixels.items(), key=lambda item: (-item[1], item[0]))
    shown = [
        Entry(index, names[index], _colour(classes, index), count / total)
        for index, count in ranked
        if count >= FOLD_BELOW * total
    ]
    folded = [count for _, count in ranked if count < FOLD_BELOW * total]
    if folded:
        noun = "class" if len(folded) == 1 else "classes"
        shown.append(Entry(-1, f"+ {len(folded)} {noun} under 1 %", None, sum(folded) / total))
    return shown


def choose_lines(frames: Iterable[Mapping[int, int]]) -> tuple[int, ...]:
    """Choose the lines of a legend that is the same in every frame of a film.

    Args:
        frames: pixels by class index, of each frame.

    Returns:
        The classes with 1 % or more of any frame, by falling share of the film; then -1, for all others, if there are
        others.

    Example:
        >>> choose_lines([{0: 600, 1: 400}, {0: 100, 1: 895, 2: 5}])
        (1, 0, -1)
    """
    total: Counter[int] = Counter()
    shown: set[int] = set()
    for pixels in frames:
        total.update(pixels)
        least = FOLD_BELOW * sum(pixels.values())
        shown.update(index for index, count in pixels.items() if count >= least)
    ranked = sorted(total, key=lambda index: (-total[index], index))
    return (*(index for index in ranked if index in shown), *([-1] if len(shown) < len(total) else []))


def fill_lines(lines: Sequence[int], pixels: Mapping[int, int], classes: ClassList) -> list[Entry]:
    """Fill the lines that ``choose_lines`` chose with the shares of one frame.

    Args:
        lines: class indices, and -1 for all other classes.
        pixels: pixels by class index, of the frame.
        classes: the classes that the indices belong to.
    """
    total = sum(pixels.values()) or 1
    others = sum(count for index, count in pixels.items() if index not in lines)
    return [
        Entry(-1, "other classes", None, others / total)
        if index < 0
        else Entry(index, classes.names[index], _colour(classes, index), pixels.get(index, 0) / total)
        for index in lines
    ]


def plan_legend(n_entries: int, cell_hw: tuple[int, int], pad_px: int, image_hw: tuple[int, int]) -> LegendPlan:
    """Choose the place of a legend: right of the picture where it fits its height, else where the whole is smallest.

    Args:
        n_entries: lines of the legend, at least 1.
        cell_hw: height and width of one line, the space to the next column included, in pixels.
        pad_px: space around the lines, in pixels.
        image_hw: height and width of the picture.

    Returns:
        The plan; no legend covers the picture.
    """
    height, width = image_hw
    places = [
        _place(right, columns, n_entries, cell_hw, pad_px)
        for right in (True, False)
        for columns in range(1, n_entries + 1)
    ]
    for place in places:
        if place.right and place.panel_hw[0] <= height and place.panel_hw[1] <= max(3 * width // 4, height):
            return place
    return min(places, key=lambda place: math.prod(place.canvas_hw(image_hw)))


def _place(right: bool, columns: int, n_entries: int, cell_hw: tuple[int, int], pad_px: int) -> LegendPlan:
    """Plan a legend with at most this number of columns; fewer if its rows need fewer."""
    rows = math.ceil(n_entries / columns)
    columns = math.ceil(n_entries / rows)
    return LegendPlan(right, columns, rows, (rows * cell_hw[0] + 2 * pad_px, columns * cell_hw[1] + pad_px))


def add_legend(picture: NDArray[np.uint8], entries: list[Entry]) -> NDArray[np.uint8]:
    """Set a picture beside its legend, on paper white.

    Args:
        picture: (H, W, 3) colours.
        entries: the lines; with none the picture is given back as it is.

    Returns:
        (H', W', 3) with the picture, unchanged, in the upper left corner.
    """
    if not entries:
        return picture
    height, width = picture.shape[:2]
    font_px = min(44, max(15, round(0.028 * math.sqrt(height * width))))
    labels = [_shorten(legible(entry.name, entry.index, font_px), _NAME_WIDTH_EM * font_px) for entry in entries]
    widest = math.ceil(max(label.font.getlength(label.text) for label in labels))
    # swatch, gap, name, gap, share of at most "100.0 %", space to the next column
    cell_hw = (round(1.6 * font_px), round((1 + 0.6 + 0.8 + 3.6 + 1.2) * font_px) + widest)
    plan = plan_legend(len(entries), cell_hw, font_px, (height, width))
    canvas = Image.new("RGB", plan.canvas_hw((height, width))[::-1], _PAPER)
    canvas.paste(Image.fromarray(picture), (0, 0))
    left, top = (width + font_px, font_px) if plan.right else (font_px, height + font_px)
    for number, (entry, label) in enumerate(zip(entries, labels, strict=True)):
        column, row = divmod(number, plan.rows)
        _draw_line(canvas, entry, label, (left + column * cell_hw[1], top + row * cell_hw[0]), cell_hw, font_px)
    return np.asarray(canvas)


def _draw_line(
    canvas: Image.Image, entry: Entry, label: Label, xy: tuple[int, int], cell_hw: tuple[int, int], font_px: int
) -> None:
    """One line: swatch, name, and the share set flush right."""
    draw = ImageDraw.Draw(canvas)
    x, y = xy
    middle = y + cell_hw[0] // 2
    if entry.colour is not None:
        box = (x, middle - font_px // 2, x + font_px, middle - font_px // 2 + font_px)
        draw.rounded_rectangle(box, radius=font_px // 5, fill=entry.colour, outline=_FRAME)
    name_x = x + round(1.6 * font_px)
    draw.text((name_x, middle), label.text, font=label.font, fill=_INK, anchor="lm")
    share = legible(entry.percent, entry.index, font_px)
    draw.text((x + cell_hw[1] - round(1.2 * font_px), middle), share.text, font=share.font, fill=_INK, anchor="rm")


def _shorten(label: Label, width_px: int) -> Label:
    """End a text that is too wide with an ellipsis."""
    if label.font.getlength(label.text) <= width_px:
        return label
    low, high = 0, len(label.text)
    while low + 1 < high:
        middle = (low + high) // 2
        fits = label.font.getlength(label.text[:middle] + "…") <= width_px
        low, high = (middle, high) if fits else (low, middle)
    return Label(label.text[:low].rstrip(" ,;") + "…", label.font)


def _colour(classes: ClassList, index: int) -> tuple[int, int, int]:
    red, green, blue = (int(part) for part in classes.colours[index])
    return red, green, blue
