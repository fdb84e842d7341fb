"""Draws the things of the first edition: a table from a name to the function that makes the painted parts."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from densezero.pretrain.shapes import Field, Grid, Point, box, convex, ellipse, union, without

Colour = NDArray[np.float32]


class Part(NamedTuple):
    """One painted part: a field (n, n), positive inside the shape, and its colour (3,) in 0..1."""

    field: Field
    colour: Colour


# The colour words of captions, and their RGB values.
TINTS: dict[str, tuple[float, float, float]] = {
    "red": (0.82, 0.13, 0.15),
    "orange": (0.95, 0.52, 0.1),
    "yellow": (0.95, 0.82, 0.2),
    "green": (0.2, 0.6, 0.25),
    "blue": (0.18, 0.35, 0.8),
    "purple": (0.5, 0.25, 0.65),
    "pink": (0.95, 0.55, 0.7),
    "white": (0.93, 0.93, 0.92),
    "brown": (0.47, 0.3, 0.17),
    "grey": (0.52, 0.52, 0.54),
}


def shade(colour: tuple[float, float, float] | Colour, factor: float) -> Colour:
    """Darken (factor below 1) or lighten a colour. The result is clipped to 0..1."""
    return np.asarray(np.clip(np.asarray(colour, np.float32) * np.float32(factor), 0, 1), np.float32)


def paint(red: float, green: float, blue: float) -> Colour:
    """Make a colour from its red, green and blue, each in 0..1."""
    return np.array([red, green, blue], np.float32)


def _cloud(grid: Grid, rng: np.random.Generator, tint: Colour) -> list[Part]:
    del tint
    puffs = [ellipse(grid, (x, rng.uniform(-0.25, 0)), (0.42, 0.4)) for x in (-0.55, -0.1, 0.45)]
    grey = rng.uniform(0.8, 1)
    return [Part(union(*puffs, box(grid, (-0.85, -0.1), (0.8, 0.3))), paint(grey, grey, grey))]


def _sun(grid: Grid, rng: np.random.Generator, tint: Colour) -> list[Part]:
    del tint
    angle = np.arctan2(grid.v, grid.u)
    radius = np.hypot(grid.u, grid.v)
    rays = (0.72 + 0.25 * np.cos(angle * 10) - radius).astype(np.float32) * 0.5
    warm = rng.uniform(0.65, 0.95)
    return [Part(rays, paint(1, warm * 0.9, 0.25)), Part(ellipse(grid, (0, 0), (0.55, 0.55)), paint(1, warm, 0.1))]


def _moon(grid: Grid, rng: np.random.Generator, tint: Colour) -> list[Part]:
    del tint
    disc = ellipse(grid, (0, 0), (0.85, 0.85))
    bite = ellipse(grid, (rng.uniform(0.35, 0.5), -0.12), (0.75, 0.75))
    return [Part(without(disc, bite), paint(0.96, 0.94, rng.uniform(0.7, 0.9)))]


def _star(grid: Grid, rng: np.random.Generator, tint: Colour) -> list[Part]:
    del tint
    angle = np.arctan2(grid.u, -grid.v)
    sector = np.pi / 5
    folded = np.abs((angle + sector) % (2 * sector) - sector)
    x, y = np.hypot(grid.u, grid.v) * np.cos(folded), np.hypot(grid.u, grid.v) * np.sin(folded)
    inner = (0.42 * np.cos(sector), 0.42 * np.sin(sector))
    dx, dy = inner[0] - 0.95, inner[1]
    field = (dx * y - dy * (x - 0.95)) / np.hypot(dx, dy)
    return [Part(field.astype(np.float32), paint(1, rng.uniform(0.85, 1), rng.uniform(0.3, 0.7)))]


def _balloon(grid: Grid, rng: np.random.Generator, tint: Colour) -> list[Part]:
    ball = ellipse(grid, (0, -0.3), (0.62, 0.64))
    stripe = np.minimum(ball, np.abs(np.sin(grid.u * 7 + rng.uniform(0, 3))) * 0.2 - 0.09)
    ropes = union(convex(grid, [(-0.35, 0.2), (-0.3, 0.2), (-0.12, 0.7), (-0.17, 0.7)]),
                  convex(grid, [(0.3, 0.2), (0.35, 0.2), (0.17, 0.7), (0.12, 0.7)]))  # fmt: skip
    basket = box(grid, (-0.2, 0.66), (0.2, 0.95))
    return [Part(ropes, paint(0.3, 0.2, 0.1)), Part(basket, paint(0.5, 0.33, 0.15)), Part(ball, tint),
            Part(stripe, shade(tint, 0.65))]  # fmt: skip


def _kite(grid: Grid, rng: np.random.Generator, tint: Colour) -> list[Part]:
    cloth = convex(grid, [(0, -0.9), (0.5, -0.3), (0, 0.45), (-0.5, -0.3)])
    half = np.minimum(cloth, grid.u if rng.random() < 0.5 else grid.v + 0.3)
    wave = 0.12 * np.sin(grid.v * 12)
    tail = np.minimum(0.06 - np.abs(grid.u - wave), np.minimum(grid.v - 0.4, 0.95 - grid.v)).astype(np.float32)
    return [Part(tail, shade(tint, 0.7)), Part(cloth, tint), Part(half, shade(tint, 0.65))]


def _bird(grid: Grid, rng: np.random.Generator, tint: Colour) -> list[Part]:
    del tint
    dark = rng.uniform(0.05, 0.3)
    arcs = []
    for centre in (-0.45, 0.45):
        outer = ellipse(grid, (centre, 0.25), (0.5, 0.62))
        arcs.append(np.minimum(without(outer, ellipse(grid, (centre, 0.45), (0.42, 0.55))), 0.3 - grid.v))
    return [Part(union(*arcs, ellipse(grid, (0, 0.12), (0.16, 0.24))), paint(dark, dark, dark + 0.05))]


def _tree(grid: Grid, rng: np.random.Generator, tint: Colour) -> list[Part]:
    del tint
    trunk = box(grid, (-0.13, 0.1), (0.13, 0.98))
    crown = union(*(ellipse(grid, (x, y), (0.42, 0.4)) for x, y in ((-0.35, -0.2), (0.35, -0.2), (0, -0.5), (0, 0))))
    leaf = shade((0.25, 0.5, 0.18), rng.uniform(0.7, 1.3))
    light = np.minimum(crown, 0.25 - np.hypot(grid.u + 0.2, grid.v + 0.45))
    return [Part(trunk, paint(0.38, 0.25, 0.13)), Part(crown, leaf), Part(light, shade(leaf, 1.25))]


def _pine(grid: Grid, rng: np.random.Generator, tint: Colour) -> list[Part]:
    del tint
    trunk = box(grid, (-0.09, 0.6), (0.09, 0.98))
    tiers = [convex(grid, [(0, top), (half, top + 0.62), (-half, top + 0.62)])
             for top, half in ((-0.98, 0.38), (-0.6, 0.52), (-0.15, 0.66))]  # fmt: skip
    needle = shade((0.1, 0.36, 0.26), rng.uniform(0.7, 1.3))
    return [Part(trunk, paint(0.33, 0.2, 0.12)), Part(union(*tiers), needle)]


def _house(grid: Grid, rng: np.random.Generator, tint: Colour) -> list[Part]:
    body = box(grid, (-0.7, -0.15), (0.7, 0.95))
    roof = convex(grid, [(0, -0.9), (0.92, -0.1), (-0.92, -0.1)])
    door_u = rng.uniform(-0.4, 0.15)
    window = box(grid, (door_u + 0.3, 0.1), (door_u + 0.6, 0.42))
    return [Part(body, shade(tint, 1.05)), Part(roof, shade(rng.choice([(0.5, 0.2, 0.15), (0.3, 0.3, 0.35)]), 1)),
            Part(box(grid, (door_u - 0.15, 0.35), (door_u + 0.15, 0.95)), paint(0.3, 0.19, 0.1)),
            Part(window, paint(0.75, 0.88, 0.95))]  # fmt: skip


def _tower(grid: Grid, rng: np.random.Generator, tint: Colour) -> list[Part]:
    del tint
    teeth = union(*(box(grid, (x, -0.97), (x + 0.2, -0.7)) for x in (-0.5, -0.1, 0.3)))
    stone = shade((0.62, 0.58, 0.52), rng.uniform(0.7, 1.2))
    walls = union(teeth, box(grid, (-0.5, -0.75), (0.5, -0.5)), box(grid, (-0.38, -0.6), (0.38, 0.97)))
    slits = union(*(box(grid, (-0.07, y), (0.07, y + 0.25)) for y in (-0.35, 0.1)))
    return [
        Part(walls, stone),
        Part(slits, shade(stone, 0.4)),
        Part(box(grid, (-0.15, 0.6), (0.15, 0.97)), shade(stone, 0.4)),
    ]


def _fence(grid: Grid, rng: np.random.Generator, tint: Colour) -> list[Part]:
    posts = [convex(grid, [(x, -0.5), (x + 0.12, -0.3), (x + 0.12, 0.6), (x - 0.12, 0.6), (x - 0.12, -0.3)])
             for x in (-0.8, -0.4, 0, 0.4, 0.8)]  # fmt: skip
    rails = union(box(grid, (-1, -0.12), (1, 0.04)), box(grid, (-1, 0.24), (1, 0.4)))
    wood = tint if rng.random() < 0.2 else shade((0.72, 0.52, 0.32), rng.uniform(0.7, 1.3))
    return [Part(rails, shade(wood, 0.8)), Part(union(*posts), wood)]


def _car(grid: Grid, rng: np.random.Generator, tint: Colour) -> list[Part]:
    del rng
    body = union(
        box(grid, (-0.95, -0.05), (0.95, 0.4)), convex(grid, [(-0.45, -0.45), (0.35, -0.45), (0.6, 0), (-0.65, 0)])
    )
    glass = convex(grid, [(-0.38, -0.36), (0.28, -0.36), (0.45, -0.05), (-0.5, -0.05)])
    wheels = [ellipse(grid, (x, 0.42), (0.22, 0.22)) for x in (-0.5, 0.52)]
    hubs = [ellipse(grid, (x, 0.42), (0.09, 0.09)) for x in (-0.5, 0.52)]
    return [Part(body, tint), Part(glass, paint(0.7, 0.83, 0.9)), Part(union(*wheels), paint(0.08, 0.08, 0.09)),
            Part(union(*hubs), paint(0.7, 0.7, 0.7))]  # fmt: skip


def _ball(grid: Grid, rng: np.random.Generator, tint: Colour) -> list[Part]:
    disc = ellipse(grid, (0, 0), (0.9, 0.9))
    wedge = np.cos(np.arctan2(grid.v, grid.u) * 3 + rng.uniform(0, 6)).astype(np.float32) * np.hypot(grid.u, grid.v)
    return [Part(disc, tint), Part(np.minimum(disc, wedge), paint(0.96, 0.95, 0.92))]


def _mushroom(grid: Grid, rng: np.random.Generator, tint: Colour) -> list[Part]:
    del tint
    cap = np.minimum(ellipse(grid, (0, 0.05), (0.85, 0.85)), 0.1 - grid.v).astype(np.float32)
    dots = union(*(ellipse(grid, (x, y), (0.12, 0.12)) for x, y in ((-0.4, -0.2), (0.05, -0.5), (0.42, -0.15))))
    red = shade((0.8, 0.12, 0.12), rng.uniform(0.75, 1.15))
    return [Part(convex(grid, [(-0.18, 0), (0.18, 0), (0.28, 0.95), (-0.28, 0.95)]), paint(0.92, 0.87, 0.75)),
            Part(cap, red), Part(np.minimum(cap, dots), paint(0.97, 0.97, 0.95))]  # fmt: skip


def _cactus(grid: Grid, rng: np.random.Generator, tint: Colour) -> list[Part]:
    del tint
    low, high = rng.uniform(-0.05, 0.2), rng.uniform(-0.3, 0)
    stem = union(box(grid, (-0.2, -0.8), (0.2, 0.97)), ellipse(grid, (0, -0.78), (0.2, 0.2)))
    left = union(box(grid, (-0.65, low), (-0.1, low + 0.25)), box(grid, (-0.7, low - 0.45), (-0.45, low + 0.25)))
    right = union(box(grid, (0.1, high), (0.65, high + 0.25)), box(grid, (0.45, high - 0.45), (0.7, high + 0.25)))
    body, green = union(stem, left, right), shade((0.33, 0.55, 0.2), rng.uniform(0.75, 1.2))
    return [
        Part(body, green),
        Part(np.minimum(body, np.cos(grid.u * 30).astype(np.float32) * 0.1 - 0.06), shade(green, 0.75)),
    ]


def _flower(grid: Grid, rng: np.random.Generator, tint: Colour) -> list[Part]:
    rotation = rng.uniform(0, 1)
    petals = []
    for k in range(6):
        angle = rotation + k * np.pi / 3
        petals.append(ellipse(grid, (0.36 * np.cos(angle), -0.4 + 0.36 * np.sin(angle)), (0.23, 0.23)))
    stem = union(box(grid, (-0.06, -0.3), (0.06, 0.97)), ellipse(grid, (0.22, 0.5), (0.24, 0.1)))
    return [Part(stem, paint(0.2, 0.5, 0.15)), Part(union(*petals), tint),
            Part(ellipse(grid, (0, -0.4), (0.2, 0.2)), paint(0.95, 0.78, 0.1))]  # fmt: skip


def _rock(grid: Grid, rng: np.random.Generator, tint: Colour) -> list[Part]:
    del tint
    peak = rng.uniform(-0.3, 0.2)
    outline: list[Point] = [(-0.95, 0.6), (-0.75, -0.1), (peak, -0.6), (0.7, -0.2), (0.95, 0.6)]
    stone = convex(grid, outline)
    face = convex(grid, [(-0.75, -0.1), (peak, -0.6), (peak + 0.1, 0.6), (-0.5, 0.6)])
    grey = shade((0.5, 0.48, 0.45), rng.uniform(0.65, 1.25))
    return [Part(stone, grey), Part(np.minimum(stone, face), shade(grey, 1.2))]


def _umbrella(grid: Grid, rng: np.random.Generator, tint: Colour) -> list[Part]:
    del rng
    dome = np.minimum(ellipse(grid, (0, 0.05), (0.92, 0.9)), -grid.v).astype(np.float32)
    panels = np.minimum(dome, np.cos(np.arctan2(grid.v - 0.05, grid.u) * 8).astype(np.float32) * 0.3)
    return [
        Part(box(grid, (-0.05, -0.1), (0.05, 0.97)), paint(0.55, 0.4, 0.25)),
        Part(dome, tint),
        Part(panels, shade(tint, 1.5)),
    ]


def _flag(grid: Grid, rng: np.random.Generator, tint: Colour) -> list[Part]:
    wave = 0.06 * np.sin(grid.u * 6 + rng.uniform(0, 6))
    cloth = np.minimum(np.minimum(grid.u + 0.5, 0.8 - grid.u), 0.38 - np.abs(grid.v + 0.5 - wave)).astype(np.float32)
    stripe = np.minimum(cloth, 0.12 - np.abs(grid.v + 0.5 - wave)).astype(np.float32)
    pole = box(grid, (-0.6, -0.97), (-0.48, 0.97))
    return [Part(cloth, tint), Part(stripe, paint(0.95, 0.95, 0.93)), Part(pole, paint(0.35, 0.35, 0.38))]


def _boat(grid: Grid, rng: np.random.Generator, tint: Colour) -> list[Part]:
    hull = convex(grid, [(-0.9, 0.45), (0.9, 0.45), (0.6, 0.9), (-0.6, 0.9)])
    sail = convex(grid, [(0.08, -0.9), (0.75, 0.3), (0.08, 0.3)])
    jib = convex(grid, [(-0.08, -0.7), (-0.08, 0.3), (-0.6, 0.3)])
    wood = shade((0.5, 0.3, 0.16), rng.uniform(0.7, 1.3))
    cloth = paint(0.95, 0.94, 0.9) if rng.random() < 0.5 else tint
    return [
        Part(box(grid, (-0.06, -0.95), (0.06, 0.5)), paint(0.35, 0.22, 0.12)),
        Part(union(sail, jib), cloth),
        Part(hull, wood),
    ]


def _fish(grid: Grid, rng: np.random.Generator, tint: Colour) -> list[Part]:
    del rng
    body = ellipse(grid, (0.12, 0), (0.68, 0.42))
    tail = convex(grid, [(-0.95, -0.42), (-0.4, 0), (-0.95, 0.42)])
    bars = np.minimum(body, np.cos(grid.u * 11).astype(np.float32) * 0.2 - 0.06)
    return [Part(union(body, tail), tint), Part(bars, shade(tint, 0.65)),
            Part(ellipse(grid, (0.5, -0.1), (0.09, 0.09)), paint(0.05, 0.05, 0.05))]  # fmt: skip


Drawer = Callable[[Grid, np.random.Generator, Colour], list[Part]]

THINGS: dict[str, Drawer] = {
    "cloud": _cloud, "sun": _sun, "moon": _moon, "star": _star, "balloon": _balloon, "kite": _kite, "bird": _bird,
    "tree": _tree, "pine": _pine, "house": _house, "tower": _tower, "fence": _fence, "car": _car, "ball": _ball,
    "mushroom": _mushroom, "cactus": _cactus, "flower": _flower, "rock": _rock, "umbrella": _umbrella, "flag": _flag,
    "boat": _boat, "fish": _fish,
}  # fmt: skip

# Things that have a random colour, which captions may name.
TINTED = frozenset({"balloon", "kite", "house", "car", "ball", "flower", "umbrella", "flag", "fish"})
