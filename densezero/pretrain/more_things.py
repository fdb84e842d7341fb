"""Draws the things of the second edition, and joins the tables of both editions."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from densezero.pretrain.shapes import Field, Grid, box, convex, ellipse, union
from densezero.pretrain.things import THINGS, TINTED, Colour, Drawer, Part, paint, shade


def _aeroplane(grid: Grid, rng: np.random.Generator, tint: Colour) -> list[Part]:
    del rng
    body = ellipse(grid, (0, 0.02), (0.96, 0.25))
    fin = convex(grid, [(-0.95, -0.6), (-0.66, -0.6), (-0.3, -0.1), (-0.78, 0.02)])
    near_wing = convex(grid, [(-0.12, 0.08), (0.32, 0.08), (-0.2, 0.75), (-0.55, 0.75)])
    far_wing = convex(grid, [(-0.25, -0.65), (0.02, -0.65), (0.3, -0.1), (-0.05, -0.1)])
    windows = union(*(ellipse(grid, (x, -0.05), (0.07, 0.07)) for x in (-0.42, -0.2, 0.02, 0.24)))
    cockpit = _cut(body, np.minimum(grid.u - 0.5, -0.02 - grid.v))
    return [Part(far_wing, shade(tint, 0.55)), Part(union(body, fin), tint), Part(windows, paint(0.88, 0.95, 1)),
            Part(cockpit, paint(0.15, 0.2, 0.3)), Part(near_wing, shade(tint, 0.65))]  # fmt: skip


def _rocket(grid: Grid, rng: np.random.Generator, tint: Colour) -> list[Part]:
    del tint
    hull = np.minimum(ellipse(grid, (-0.52, 0), (0.9, 1.2)), ellipse(grid, (0.52, 0), (0.9, 1.2)))
    hull = _cut(hull, 0.55 - grid.v)
    nose = _cut(hull, -0.42 - grid.v)
    fins = union(convex(grid, [(-0.3, 0), (-0.2, 0.55), (-0.72, 0.82), (-0.68, 0.4)]),
                 convex(grid, [(0.3, 0), (0.68, 0.4), (0.72, 0.82), (0.2, 0.55)]))  # fmt: skip
    flame = convex(grid, [(-0.24, 0.5), (0.24, 0.5), (0, 0.99)])
    core = convex(grid, [(-0.12, 0.5), (0.12, 0.5), (0, 0.8)])
    trim = shade(rng.choice([(0.85, 0.15, 0.15), (0.2, 0.3, 0.75)]), rng.uniform(0.8, 1.15))
    return [Part(flame, paint(1, 0.55, 0.1)), Part(core, paint(1, 0.92, 0.4)), Part(fins, trim),
            Part(hull, shade((0.9, 0.9, 0.92), rng.uniform(0.85, 1.08))), Part(nose, trim),
            Part(ellipse(grid, (0, -0.1), (0.2, 0.2)), shade(trim, 0.6)),
            Part(ellipse(grid, (0, -0.1), (0.13, 0.13)), paint(0.6, 0.85, 0.95))]  # fmt: skip


def _butterfly(grid: Grid, rng: np.random.Generator, tint: Colour) -> list[Part]:
    spot = rng.uniform(0.15, 0.2)
    wings = union(*(ellipse(grid, (u, -0.32), (0.46, 0.5)) for u in (-0.5, 0.5)))
    lower_wings = union(*(ellipse(grid, (u, 0.45), (0.36, 0.42)) for u in (-0.38, 0.38)))
    spots = union(*(ellipse(grid, centre, (spot, spot))
                    for centre in ((-0.58, -0.38), (0.58, -0.38), (-0.42, 0.52), (0.42, 0.52))))  # fmt: skip
    body = union(ellipse(grid, (0, 0.05), (0.13, 0.75)), ellipse(grid, (0, -0.62), (0.17, 0.17)))
    return [Part(lower_wings, shade(tint, 0.72)), Part(wings, tint), Part(spots, shade(tint, 0.35)),
            Part(body, paint(0.1, 0.08, 0.07))]  # fmt: skip


def _tent(grid: Grid, rng: np.random.Generator, tint: Colour) -> list[Part]:
    peak = rng.uniform(-0.35, -0.15)
    front = convex(grid, [(peak, -0.7), (peak + 0.6, 0.8), (peak - 0.6, 0.8)])
    side = convex(grid, [(peak, -0.7), (peak + 0.75, -0.6), (0.97, 0.75), (peak + 0.6, 0.8)])
    opening = convex(grid, [(peak, -0.3), (peak + 0.3, 0.8), (peak - 0.3, 0.8)])
    flap = convex(grid, [(peak, -0.3), (peak + 0.3, 0.8), (peak + 0.12, 0.8)])
    return [Part(side, shade(tint, 0.65)), Part(front, tint), Part(opening, paint(0.1, 0.09, 0.1)),
            Part(flap, shade(tint, 1.3))]  # fmt: skip


def _windmill(grid: Grid, rng: np.random.Generator, tint: Colour) -> list[Part]:
    del tint
    body = convex(grid, [(-0.28, -0.25), (0.28, -0.25), (0.46, 0.97), (-0.46, 0.97)])
    cap = ellipse(grid, (0, -0.27), (0.34, 0.24))
    door = union(box(grid, (-0.14, 0.62), (0.14, 0.97)), ellipse(grid, (0, 0.62), (0.14, 0.14)))
    angle = rng.uniform(0.4, 1.1)
    sails, arms = [], []
    for quarter in range(4):
        cos, sin = np.cos(angle + quarter * np.pi / 2), np.sin(angle + quarter * np.pi / 2)
        along, across = grid.u * cos + (grid.v + 0.25) * sin, (grid.v + 0.25) * cos - grid.u * sin
        turned = Grid(along.astype(np.float32), across.astype(np.float32), grid.pixel)
        sails.append(box(turned, (0.18, -0.03), (0.74, 0.24)))
        arms.append(box(turned, (0, -0.06), (0.74, 0.06)))
    return [Part(body, shade((0.88, 0.84, 0.76), rng.uniform(0.8, 1.08))), Part(cap, paint(0.45, 0.2, 0.15)),
            Part(door, paint(0.3, 0.19, 0.1)), Part(union(*sails), paint(0.95, 0.9, 0.78)),
            Part(union(*arms), paint(0.33, 0.2, 0.12))]  # fmt: skip


def _barrel(grid: Grid, rng: np.random.Generator, tint: Colour) -> list[Part]:
    del tint
    body = _cut(ellipse(grid, (0, 0.02), (0.72, 1.35)), 0.9 - np.abs(grid.v - 0.02))
    gaps = _cut(body, np.cos(grid.u * 14) * 0.1 - 0.075)
    hoops = _cut(body, union(*(0.09 - np.abs(grid.v - v) for v in (-0.62, -0.22, 0.28, 0.68))))
    wood = shade((0.58, 0.36, 0.17), rng.uniform(0.75, 1.2))
    return [Part(body, wood), Part(gaps, shade(wood, 0.65)), Part(hoops, paint(0.2, 0.2, 0.22)),
            Part(ellipse(grid, (0, -0.84), (0.56, 0.14)), shade(wood, 1.35))]  # fmt: skip


def _sheep(grid: Grid, rng: np.random.Generator, tint: Colour) -> list[Part]:
    del tint
    legs = union(*(box(grid, (u, 0.3), (u + 0.17, 0.92)) for u in (-0.62, -0.32, 0.08, 0.38)))
    curls = [
        ellipse(grid, (-0.12 + 0.5 * np.cos(k * 0.7), 0.05 + 0.3 * np.sin(k * 0.7)), (0.27, 0.27)) for k in range(9)
    ]
    wool = union(*curls, ellipse(grid, (-0.12, 0.05), (0.6, 0.4)))
    dark = rng.uniform(0.08, 0.2)
    head = union(ellipse(grid, (0.66, -0.2), (0.24, 0.32)), ellipse(grid, (0.42, -0.32), (0.18, 0.1)))
    tuft = union(*(ellipse(grid, (u, -0.5), (0.16, 0.14)) for u in (0.52, 0.72)))
    fleece = shade((0.93, 0.9, 0.83), rng.uniform(0.85, 1.05))
    return [Part(legs, paint(dark, dark, dark)), Part(wool, fleece), Part(head, paint(dark, dark, dark)),
            Part(tuft, shade(fleece, 0.93)),
            Part(ellipse(grid, (0.72, -0.24), (0.08, 0.08)), paint(1, 1, 1))]  # fmt: skip


def _pumpkin(grid: Grid, rng: np.random.Generator, tint: Colour) -> list[Part]:
    del tint
    skin = shade((1, 0.52, 0.1), rng.uniform(0.85, 1.05))
    stem = convex(grid, [(-0.02, -0.9), (0.2, -0.85), (0.13, -0.3), (-0.15, -0.3)])
    ribs = [
        Part(union(*(ellipse(grid, (side * u, 0.2), (half, tall)) for side in (-1, 1))), shade(skin, factor))
        for u, half, tall, factor in ((0.58, 0.38, 0.52, 0.7), (0.32, 0.36, 0.6, 0.86))
    ]
    leaf = ellipse(grid, (0.38, -0.5), (0.26, 0.13))
    return [*ribs, Part(ellipse(grid, (0, 0.2), (0.28, 0.63)), skin), Part(leaf, paint(0.25, 0.55, 0.15)),
            Part(stem, paint(0.25, 0.4, 0.12))]  # fmt: skip


def _train(grid: Grid, rng: np.random.Generator, tint: Colour) -> list[Part]:
    del rng
    cab = box(grid, (-0.9, -0.65), (-0.25, 0.5))
    roof = box(grid, (-0.98, -0.8), (-0.17, -0.6))
    window = box(grid, (-0.74, -0.45), (-0.42, -0.12))
    boiler = union(box(grid, (-0.3, -0.25), (0.72, 0.4)), ellipse(grid, (0.72, 0.08), (0.2, 0.33)))
    chimney = convex(grid, [(0.36, -0.85), (0.76, -0.85), (0.66, -0.2), (0.46, -0.2)])
    dome = ellipse(grid, (0.1, -0.27), (0.17, 0.2))
    frame = union(
        box(grid, (-0.9, 0.35), (0.85, 0.55)), convex(grid, [(0.65, 0.4), (0.8, 0.4), (0.98, 0.85), (0.65, 0.85)])
    )
    places = ((-0.58, 0.6, 0.3), (0.06, 0.66, 0.24), (0.5, 0.66, 0.24))
    wheels = union(*(ellipse(grid, (u, v), (r, r)) for u, v, r in places))
    hubs = union(*(ellipse(grid, (u, v), (0.5 * r, 0.5 * r)) for u, v, r in places))
    dark = paint(0.1, 0.1, 0.11)
    return [Part(chimney, dark), Part(dome, paint(0.85, 0.68, 0.25)), Part(boiler, shade(tint, 0.8)), Part(cab, tint),
            Part(roof, dark), Part(window, paint(0.75, 0.88, 0.95)), Part(frame, dark),
            Part(wheels, paint(0.16, 0.16, 0.17)), Part(hubs, paint(0.75, 0.72, 0.68))]  # fmt: skip


def _gift(grid: Grid, rng: np.random.Generator, tint: Colour) -> list[Part]:
    ribbon = shade(rng.choice([(0.97, 0.95, 0.9), (0.95, 0.8, 0.25), (0.75, 0.08, 0.15)]), 1)
    base, lid = box(grid, (-0.72, -0.2), (0.72, 0.92)), box(grid, (-0.85, -0.4), (0.85, -0.05))
    band = box(grid, (-0.17, -0.4), (0.17, 0.92))
    loops = union(*(ellipse(grid, (u, -0.62), (0.36, 0.25)) for u in (-0.36, 0.36)))
    holes = union(*(ellipse(grid, (u, -0.62), (0.17, 0.1)) for u in (-0.38, 0.38)))
    return [Part(base, shade(tint, 0.85)), Part(lid, shade(tint, 1.1)), Part(band, ribbon), Part(loops, ribbon),
            Part(holes, shade(ribbon, 0.6)),
            Part(ellipse(grid, (0, -0.58), (0.17, 0.2)), shade(ribbon, 0.85))]  # fmt: skip


def _robot(grid: Grid, rng: np.random.Generator, tint: Colour) -> list[Part]:
    del tint
    steel = shade((0.6, 0.66, 0.72), rng.uniform(0.75, 1.2))
    head, body = box(grid, (-0.42, -0.8), (0.42, -0.25)), box(grid, (-0.52, -0.18), (0.52, 0.5))
    neck = union(box(grid, (-0.15, -0.3), (0.15, -0.1)), box(grid, (-0.07, -0.95), (0.07, -0.75)))
    arms = union(*(box(grid, (u - 0.13, -0.15), (u + 0.13, 0.42)) for u in (-0.72, 0.72)))
    legs = union(*(box(grid, (u - 0.15, 0.45), (u + 0.15, 0.97)) for u in (-0.28, 0.28)))
    eyes = union(*(ellipse(grid, (u, -0.58), (0.13, 0.13)) for u in (-0.2, 0.2)))
    panel = box(grid, (-0.34, -0.05), (0.34, 0.32))
    lamps = [Part(ellipse(grid, (u, 0.13), (0.11, 0.11)), colour)
             for u, colour in ((-0.16, paint(0.9, 0.15, 0.15)), (0.16, paint(0.2, 0.8, 0.3)))]  # fmt: skip
    return [Part(union(neck, arms, legs), shade(steel, 0.6)), Part(union(head, body), steel),
            Part(box(grid, (-0.22, -0.42), (0.22, -0.32)), paint(0.15, 0.15, 0.18)), Part(eyes, paint(1, 0.85, 0.2)),
            Part(ellipse(grid, (0, -0.9), (0.1, 0.1)), paint(0.9, 0.15, 0.15)),
            Part(panel, shade(steel, 0.35)), *lamps]  # fmt: skip


def _duck(grid: Grid, rng: np.random.Generator, tint: Colour) -> list[Part]:
    del tint
    down = shade(rng.choice([(0.96, 0.8, 0.15), (0.93, 0.92, 0.88), (0.55, 0.4, 0.26)]), rng.uniform(0.9, 1.05))
    tail = convex(grid, [(-0.98, -0.15), (-0.45, 0.05), (-0.5, 0.6), (-0.8, 0.4)])
    body = _cut(union(ellipse(grid, (-0.12, 0.35), (0.75, 0.45)), tail), 0.72 - grid.v)
    head = union(
        ellipse(grid, (0.4, -0.38), (0.34, 0.33)), convex(grid, [(0.15, -0.4), (0.62, -0.35), (0.6, 0.4), (0.05, 0.3)])
    )
    beak = ellipse(grid, (0.78, -0.3), (0.21, 0.13))
    wing = _cut(ellipse(grid, (-0.2, 0.28), (0.42, 0.27)), grid.v - 0.12 + 0.25 * grid.u)
    return [Part(beak, paint(0.95, 0.45, 0.08)), Part(union(body, head), down), Part(wing, shade(down, 0.75)),
            Part(ellipse(grid, (0.5, -0.45), (0.08, 0.08)), paint(0.05, 0.05, 0.05))]  # fmt: skip


def _cut(shape: Field, limit: NDArray[np.floating]) -> Field:
    """The part of a shape where a second field is positive too."""
    return np.asarray(np.minimum(shape, limit), np.float32)


MORE_THINGS: dict[str, Drawer] = {
    "aeroplane": _aeroplane, "rocket": _rocket, "butterfly": _butterfly, "tent": _tent, "windmill": _windmill,
    "barrel": _barrel, "sheep": _sheep, "pumpkin": _pumpkin, "train": _train, "gift": _gift, "robot": _robot,
    "duck": _duck,
}  # fmt: skip

ALL_THINGS: dict[str, Drawer] = THINGS | MORE_THINGS

# Things of both editions that have a random colour, which captions may name.
ALL_TINTED = TINTED | {"aeroplane", "butterfly", "tent", "train", "gift"}
