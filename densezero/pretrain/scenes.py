"""Draws scenes: from a seed and a size, a picture, its exact label map, and the concepts for its captions."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from densezero.pretrain import stuff
from densezero.pretrain.concepts import ALL_CONCEPTS, CONCEPT_INDEX, CONCEPTS, Concept
from densezero.pretrain.more_things import ALL_THINGS, ALL_TINTED
from densezero.pretrain.shapes import square_grid
from densezero.pretrain.things import TINTS, shade

Float = NDArray[np.float32]

_AIR = frozenset(c.name for c in ALL_CONCEPTS if c.place == "air")
_FIRST_GROUNDS = ("grass", "grass", "sand", "sea", "sea", "snow", "road", "soil", "floor")  # twice: twice as often
_STRAY = 0.12  # share of things at an unusual place, so that the place alone does not identify a thing


@dataclass(frozen=True)
class Mention:
    """Something that a caption can name: the name of a concept, and its colour word if it has one."""

    concept: str
    tint: str | None = None


class PlacedThing(NamedTuple):
    """One thing of a scene, and where it is.

    Args:
        concept: name of the concept.
        tint: its colour word; None if it has no random colour.
        centre: row and column of its centre, as shares of the height and of the width. Part of it may be outside.
        side: side of the square that it fills, as a share of the shorter side of the picture.
        ground: name of the stuff below the horizon on which it stands, such as ``"grass"``. It is None for a thing in
            the air, that is in front of sky, wall or mountain, and for a thing on another thing.
        visible_px: pixels of it that no later thing hides.
    """

    concept: str
    tint: str | None
    centre: tuple[float, float]
    side: float
    ground: str | None
    visible_px: int


@dataclass(frozen=True)
class Scene:
    """One drawn scene.

    Args:
        rgb: (H, W, 3) uint8.
        labels: (H, W) uint8, index into ``ALL_CONCEPTS`` for every pixel.
        mentions: everything that was drawn, from back to front, including things that others hide.
        things: the things among the mentions, in the same order, with their places.
    """

    rgb: NDArray[np.uint8]
    labels: NDArray[np.uint8]
    mentions: tuple[Mention, ...]
    things: tuple[PlacedThing, ...]


@dataclass
class _Canvas:
    rgb: Float
    labels: NDArray[np.uint8]
    owners: NDArray[np.uint8]  # number of the thing that shows at each pixel, from 1; 0 is stuff
    mentions: list[Mention] = field(default_factory=list)
    things: list[PlacedThing] = field(default_factory=list)

    def visible_things(self) -> tuple[PlacedThing, ...]:
        """Return the things with the number of pixels that show in the end."""
        shown = np.bincount(self.owners.ravel(), minlength=len(self.things) + 1)[1:]
        return tuple(thing._replace(visible_px=int(px)) for thing, px in zip(self.things, shown, strict=True))

    def ground_below(self, row: int, column: int) -> str | None:
        """Return the name of the ground at a pixel; a pixel outside is moved to the edge."""
        h, w = self.labels.shape
        concept = ALL_CONCEPTS[self.labels[min(max(row, 0), h - 1), min(max(column, 0), w - 1)]]
        return concept.name if concept.place == "below" else None

    def fill(self, concept: str, cover: NDArray[np.bool_], texture: Float) -> None:
        self.rgb[cover] = texture[cover]
        self.labels[cover] = CONCEPT_INDEX[concept]
        self.mentions.append(Mention(concept))


class _Names(NamedTuple):
    """The names that a scene can have, by place."""

    air: tuple[str, ...]
    ground: tuple[str, ...]
    water: tuple[str, ...]
    below: tuple[str, ...]

    @classmethod
    def of(cls, concepts: tuple[Concept, ...]) -> _Names:
        return cls(*(tuple(c.name for c in concepts if c.place == place) for place in cls._fields))


def draw_scene(
    seed: int | tuple[int, ...], hw: tuple[int, int] = (224, 224), *, concepts: tuple[Concept, ...] = CONCEPTS
) -> Scene:
    """Draw one scene. The same seed, size and concepts always give the same pixels.

    Args:
        seed: a non-negative integer, or a tuple of them.
        hw: height and width in pixels, at least 16 each.
        concepts: what the scene can show, ``CONCEPTS`` for the first edition or ``ALL_CONCEPTS``.

    Returns:
        The picture, its label map, its mentions and its things.
    """
    rng = np.random.default_rng(seed)
    canvas = _Canvas(np.zeros((*hw, 3), np.float32), np.zeros(hw, np.uint8), np.zeros(hw, np.uint8))
    night = rng.random() < 0.2
    names = _Names.of(concepts)
    ground, horizon_px = _draw_stuff(canvas, rng, names, night)
    for name, centre, side_px in _plan_things(rng, hw, names, ground, horizon_px, night):
        _draw_thing(canvas, rng, name, centre, side_px)
    return Scene(_finish(canvas.rgb, rng), canvas.labels, tuple(canvas.mentions), canvas.visible_things())


def _draw_stuff(canvas: _Canvas, rng: np.random.Generator, names: _Names, night: bool) -> tuple[str, int]:
    """Paint the background and the ground. Return the name of the ground and the mean row of the horizon."""
    h, w = canvas.labels.shape
    rows = np.arange(h, dtype=np.float32)[:, None]
    columns = np.linspace(0, 1, w, dtype=np.float32)[None, :]
    horizon = rng.uniform(0.35, 0.7) * h
    everywhere = np.ones((h, w), bool)
    if rng.random() < 0.15:
        canvas.fill("wall", everywhere, stuff.wall(rng, (h, w)))
    else:
        canvas.fill("sky", everywhere, stuff.sky(rng, (h, w), night))
        if rng.random() < 0.4:
            ridge = horizon - stuff.ridge(rng, columns) * rng.uniform(0.15, 0.35) * h
            canvas.fill("mountain", rows >= ridge, stuff.mountain(rng, (h, w)))
    ground = str(rng.choice([name for name in _FIRST_GROUNDS if name in names.below]))
    bump = 0 if ground in ("sea", "road", "floor") else rng.uniform(0, 0.05) * h
    edge = horizon + bump * np.sin(columns * rng.uniform(2, 9) + rng.uniform(0, 6))
    canvas.fill(ground, rows >= edge, stuff.GROUNDS[ground](rng, (h, w)))
    if rng.random() < 0.3:  # a second ground in front of the first
        front = str(rng.choice([name for name in names.below if name != ground]))
        shore = horizon + (h - horizon) * rng.uniform(0.4, 0.7) + 0.04 * h * np.sin(columns * 5 + rng.uniform(0, 6))
        canvas.fill(front, rows >= shore, stuff.GROUNDS[front](rng, (h, w)))
    return ground, int(horizon)


def _plan_things(
    rng: np.random.Generator, hw: tuple[int, int], names: _Names, ground: str, horizon_px: int, night: bool
) -> list[tuple[str, tuple[float, float], int]]:
    """Choose names, centres (row, column) and sides in pixels. Nearer things are larger and come later."""
    h, w = hw
    unit = min(h, w)
    plans = []
    for _ in range(int(rng.integers(4, 10))):
        name = _pick_name(rng, names, ground, night)
        side = rng.uniform(0.18, 0.38) * unit
        if name in _AIR and rng.random() > _STRAY:
            row = rng.uniform(0.05 * h, max(horizon_px - side * 0.3, 0.1 * h))
            side *= 0.85 if name in ("sun", "moon", "star", "bird") else 1
        else:
            row = rng.uniform(horizon_px, h * 0.97)
            side *= 0.75 + 0.9 * (row - horizon_px) / max(h - horizon_px, 1)
            row -= side * 0.3
        plans.append((name, (row, rng.uniform(0.02, 0.98) * w), max(int(side), 6)))
    return sorted(plans, key=lambda plan: (plan[0] not in _AIR, plan[1][0] + plan[2] / 2))


def _pick_name(rng: np.random.Generator, names: _Names, ground: str, night: bool) -> str:
    if rng.random() < 0.4:
        if night and rng.random() < 0.6:
            return str(rng.choice(["moon", "star"]))
        return str(rng.choice(names.air))
    if ground == "sea" and rng.random() < 0.7:
        return str(rng.choice(names.water))
    return str(rng.choice(names.ground + names.water if rng.random() < _STRAY else names.ground))


def _draw_thing(
    canvas: _Canvas, rng: np.random.Generator, name: str, centre: tuple[float, float], side_px: int
) -> None:
    h, w = canvas.labels.shape
    grid = square_grid(side_px, flip=bool(rng.random() < 0.5), rotation_rad=rng.normal(0, 0.08))
    word = str(rng.choice(list(TINTS)))
    parts = ALL_THINGS[name](grid, rng, shade(TINTS[word], rng.uniform(0.8, 1.15)))
    top, left = int(centre[0] - side_px / 2), int(centre[1] - side_px / 2)
    y0, x0, y1, x1 = max(top, 0), max(left, 0), min(top + side_px, h), min(left + side_px, w)
    if y0 >= y1 or x0 >= x1:
        return
    inside = np.s_[y0 - top : y1 - top, x0 - left : x1 - left]
    target = canvas.rgb[y0:y1, x0:x1]
    covered = np.zeros((y1 - y0, x1 - x0), bool)
    for part in parts:
        alpha = grid.cover(part.field)[inside]
        target += alpha[..., None] * (part.colour - target)
        covered |= alpha >= 0.5
    if not covered.any():
        return
    tint = word if name in ALL_TINTED else None
    lowest = y0 + int(np.flatnonzero(covered.any(axis=1))[-1])
    ground = canvas.ground_below(lowest + 1, int(centre[1]))  # before its own label is written
    place = (centre[0] / h, centre[1] / w)
    canvas.labels[y0:y1, x0:x1][covered] = CONCEPT_INDEX[name]
    canvas.mentions.append(Mention(name, tint))
    canvas.things.append(PlacedThing(name, tint, place, side_px / min(h, w), ground, int(covered.sum())))
    canvas.owners[y0:y1, x0:x1][covered] = len(canvas.things)


def _finish(rgb: Float, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Change brightness, contrast and colour at random, and add noise."""
    rgb = (rgb - 0.5) * rng.uniform(0.8, 1.15) + 0.5 + rng.uniform(-0.06, 0.06)
    rgb *= rng.uniform(0.94, 1.06, size=3).astype(np.float32)
    rgb += rng.normal(0, rng.uniform(0.005, 0.03), size=rgb.shape).astype(np.float32)
    return (np.clip(rgb, 0, 1) * 255 + 0.5).astype(np.uint8)
