"""Several word lists, protocols or refinements on one image, side by side in one picture."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, cast

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from densezero.encoders.base import DenseEncoder
from densezero.encoders.device import to_numpy
from densezero.engine.protocol import Protocol
from densezero.features.choices import FigureStyle
from densezero.features.figure.layout import FigurePlan, Section, plan_figure
from densezero.features.figure.panels import Panel, draw_figure
from densezero.output.overlay import draw_overlay
from densezero.output.segmentation import Segmentation
from densezero.vocabulary import ClassList, describe_classes
from densezero.vocabulary.palette import spread_colours

MOST_COLUMNS: Final = 3
COLUMN_MM: Final = 100.0


@dataclass(frozen=True)
class Variant:
    """One way to segment the image.

    Args:
        classes: the word list.
        protocol: from pixels to labels, refinement included.
        title: what is written above its picture.
    """

    classes: ClassList
    protocol: Protocol
    title: str


def make_variants(ways: Sequence[tuple[ClassList, Protocol]]) -> list[Variant]:
    """Name each pair of a word list and a protocol by what differs. A class name has one colour in all lists."""
    lists = _with_common_colours([classes for classes, _ in ways])
    protocols = [_describe(protocol) for _, protocol in ways]
    words = [describe_classes(classes) for classes in lists]
    titles = [
        "; ".join([*([text] if len(set(words)) > 1 else []), *([how] if len(set(protocols)) > 1 else [])]) or text
        for text, how in zip(words, protocols, strict=True)
    ]
    return [
        Variant(classes, protocol, title) for classes, (_, protocol), title in zip(lists, ways, titles, strict=True)
    ]


def _describe(protocol: Protocol) -> str:
    name = protocol.name.removesuffix(" (changed)")
    return f"{name}, {protocol.refine.method}" if protocol.refine else name


def _with_common_colours(lists: Sequence[ClassList]) -> list[ClassList]:
    """Give a name that has no colour of its own the same one in every list."""
    entries = [entry for classes in lists for entry in classes.entries]
    own = {entry.name: entry.colour for entry in entries if entry.colour}
    bare = dict.fromkeys(entry.name for entry in entries if entry.name not in own)
    spread = spread_colours(len(bare), set(own.values()))
    colours = own | {name: (int(r), int(g), int(b)) for name, (r, g, b) in zip(bare, spread, strict=True)}
    return [
        replace(classes, entries=tuple(replace(entry, colour=colours[entry.name]) for entry in classes.entries))
        for classes in lists
    ]


class RememberedEncoder:
    """An encoder that encodes the same pixels, by the same read-out, once.

    Attributes:
        passes: how often it has encoded.
    """

    def __init__(self, encoder: DenseEncoder) -> None:
        self._encoder = encoder
        self._grids: dict[tuple[object, ...], Tensor] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._encoder, name)

    @property
    def passes(self) -> int:
        """How often it has encoded."""
        return len(self._grids)

    def encode_dense(self, pixels: Tensor, readout: str = "value") -> Tensor:
        """Encode images, or give what they were encoded to before: (B, gh, gw, D)."""
        digest = hashlib.sha256(to_numpy(pixels).tobytes()).digest()
        key = (readout, tuple(pixels.shape), digest)
        if key not in self._grids:
            self._grids[key] = self._encoder.encode_dense(pixels, readout)
        return self._grids[key]

    @classmethod
    def of(cls, encoder: DenseEncoder) -> DenseEncoder:
        """Wrap an encoder; the result can take its place."""
        return cast(DenseEncoder, cls(encoder))


def share_as_first(first: Segmentation, other: Segmentation) -> float:
    """Give the share of the pixels that have the same class in two results of one image, 0 to 1.

    Classes of the same name are the same. If both lists have the same length, so are two others at the same place, such
    as boat and ship in "sky, boat" and "sky, ship".
    """
    place = {name: index for index, name in enumerate(first.classes.names)}
    names = other.classes.names
    is_new = [name not in place for name in names]
    in_first = np.array([place.get(name, -1) for name in names])  # (C,) the class of the first list, or -1
    if len(names) == len(place):
        free = [name not in names for name in first.classes.names]
        both = np.array(is_new) & np.array(free)
        in_first[both] = np.flatnonzero(both)
    return float((in_first[other.labels] == first.labels).mean())


def plan_side_by_side(titles: Sequence[str], ratios: Sequence[float], dpi: int) -> FigurePlan:
    """Plan the picture: the image and the variants in rows of at most three.

    Args:
        titles: of the image and of each variant.
        ratios: height over width of their pictures.
        dpi: pixels per inch.
    """
    columns = min(MOST_COLUMNS, len(titles))
    sections = []
    for first in range(0, len(titles), columns):
        row = slice(first, first + columns)
        blank = [""] * (columns - len(titles[row]))
        sections.append(Section((*titles[row], *blank), (max(ratios[row]),)))
    return plan_figure(sections, FigureStyle(columns * COLUMN_MM, dpi=dpi))


def draw_side_by_side(
    rgb: NDArray[np.uint8], variants: Sequence[Variant], results: Sequence[Segmentation], form: str, dpi: int
) -> list[bytes]:
    """Draw the image (H, W, 3) and the masks of each variant with their legends: the pages of a figure.

    Args:
        rgb: the image.
        variants: what was done.
        results: of each variant, in the same order.
        form: ``"png"``, ``"pdf"`` or ``"svg"``.
        dpi: pixels per inch.
    """
    nothing = np.full_like(results[0].labels, np.iinfo(results[0].labels.dtype).max)
    labels = [nothing, *(result.labels for result in results)]
    lists = [variants[0].classes, *(result.classes for result in results)]
    pictures = _pad([draw_overlay(rgb, *each) for each in zip(labels, lists, strict=True)])
    titles = ["image", variants[0].title]
    for variant, result in zip(variants[1:], results[1:], strict=True):
        titles.append(f"{100 * share_as_first(results[0], result):.1f} % as the first; {variant.title}")
    plan = plan_side_by_side(titles, [picture.shape[0] / picture.shape[1] for picture in pictures], dpi)
    columns = len(plan.lefts_in)
    rows = [pictures[first : first + columns] for first in range(0, len(pictures), columns)]
    return draw_figure(plan, [[[Panel(picture) for picture in row]] for row in rows], form)


def _pad(pictures: Sequence[NDArray[np.uint8]]) -> list[NDArray[np.uint8]]:
    """Give all pictures (H, W, 3) one size, white to the right and below, so that they are drawn at one scale."""
    height, width = (max(picture.shape[axis] for picture in pictures) for axis in (0, 1))
    margins = ((height - picture.shape[0], width - picture.shape[1]) for picture in pictures)
    return [
        np.pad(picture, ((0, below), (0, right), (0, 0)), constant_values=255)
        for picture, (below, right) in zip(pictures, margins, strict=True)
    ]
