"""Textures of stuff: sky, wall, mountain and the grounds. All are (h, w, 3) float32, about 0 to 1."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float32]
Hw = tuple[int, int]

_SKIES = (
    ((0.3, 0.55, 0.9), (0.75, 0.87, 0.97)),
    ((0.5, 0.7, 0.9), (0.9, 0.93, 0.95)),
    ((0.35, 0.35, 0.6), (0.98, 0.65, 0.4)),
)
_NIGHT = ((0.03, 0.04, 0.14), (0.12, 0.14, 0.3))


def sky(rng: np.random.Generator, hw: Hw, night: bool) -> Float:
    """A gradient from one colour at the top to another at the horizon."""
    top, low = _NIGHT if night else _SKIES[rng.integers(len(_SKIES))]
    down = np.linspace(0, 1, hw[0], dtype=np.float32)[:, None, None]
    column = np.asarray(top, np.float32) * (1 - down) + np.asarray(low, np.float32) * down
    return np.broadcast_to(column, (*hw, 3))


def wall(rng: np.random.Generator, hw: Hw) -> Float:
    """Rows of bricks; every second row is shifted by half a brick."""
    y, x = _pixels(hw)
    tall = max(min(hw) * rng.uniform(0.05, 0.09), 3)
    course = np.floor(y / tall)
    along = x / (2.2 * tall) + 0.5 * (course % 2)
    mortar = np.minimum((y / tall) % 1, (along % 1) * 2.2) < 0.18
    tone = 1 + 0.12 * np.sin(course * 12.9 + np.floor(along) * 78.2)
    brick = np.array(rng.choice([(0.6, 0.27, 0.2), (0.55, 0.4, 0.3), (0.5, 0.22, 0.2)]), np.float32)
    return np.where(mortar[..., None], np.float32(0.72), brick * tone[..., None]).astype(np.float32)


def mountain(rng: np.random.Generator, hw: Hw) -> Float:
    """Dim slopes with diagonal folds."""
    y, x = _pixels(hw)
    base = np.array(rng.choice([(0.4, 0.38, 0.48), (0.35, 0.42, 0.38), (0.48, 0.42, 0.38)]), np.float32)
    folds = np.sin((x + y * 0.7) * (60 / min(hw)) + 2 * np.sin(y * (20 / min(hw))))
    return np.asarray(base * (1 + 0.1 * folds)[..., None], np.float32)


def ridge(rng: np.random.Generator, columns: Float) -> Float:
    """Height of a mountain ridge, (1, w), about 0 to 1, for columns from 0 to 1."""
    height = np.zeros_like(columns)
    for octave in (1, 2, 4):
        phase = columns * octave * rng.uniform(1.5, 2.5) + rng.uniform(0, 1)
        height += np.abs((phase % 1) * 2 - 1) / octave
    return np.asarray(height / 1.75, np.float32)


def _grass(rng: np.random.Generator, hw: Hw) -> Float:
    y, x = _pixels(hw)
    blades = np.sin(x * rng.uniform(1.2, 1.9) + 3 * np.sin(y * 0.31)) * np.sin(y * 0.9 + x * 0.2)
    green = np.array([0.3, 0.58, 0.2], np.float32) * rng.uniform(0.75, 1.2)
    return np.asarray(green * (1 + 0.13 * blades)[..., None], np.float32)


def _sand(rng: np.random.Generator, hw: Hw) -> Float:
    y, x = _pixels(hw)
    ripples = np.sin(y * (90 / min(hw)) + 3 * np.sin(x * (12 / min(hw)) + rng.uniform(0, 6)))
    return np.asarray(
        np.array([0.88, 0.77, 0.52], np.float32) * rng.uniform(0.85, 1.1) * (1 + 0.05 * ripples)[..., None], np.float32
    )


def _sea(rng: np.random.Generator, hw: Hw) -> Float:
    y, x = _pixels(hw)
    waves = np.sin(y * (130 / min(hw)) + np.sin(x * (40 / min(hw)) + y * 0.15) + rng.uniform(0, 6))
    blue = np.array(rng.choice([(0.12, 0.36, 0.62), (0.1, 0.45, 0.55), (0.15, 0.3, 0.5)]), np.float32)
    return np.asarray(blue + 0.07 * np.clip(waves, 0, 1)[..., None], np.float32)


def _snow(rng: np.random.Generator, hw: Hw) -> Float:
    y, x = _pixels(hw)
    drifts = np.sin(x * (9 / min(hw)) + y * (25 / min(hw)) + rng.uniform(0, 6))
    return np.asarray(np.array([0.9, 0.93, 0.98], np.float32) * (0.97 + 0.04 * drifts)[..., None], np.float32)


def _road(rng: np.random.Generator, hw: Hw) -> Float:
    y, x = _pixels(hw)
    asphalt = np.full((*hw, 3), rng.uniform(0.28, 0.42), np.float32)
    middle = hw[0] * rng.uniform(0.75, 0.9)
    dashes = (np.abs(y - middle) < hw[0] * 0.012) & ((x / min(hw) * 6) % 1 < 0.55)
    asphalt[dashes] = 0.85
    return asphalt


def _soil(rng: np.random.Generator, hw: Hw) -> Float:
    """Dark furrows that meet far away, with clods."""
    y, x = _pixels(hw)
    far_y, far_x = 0.1 * hw[0], rng.uniform(0.3, 0.7) * hw[1]
    angle = np.arctan2(x - far_x, np.maximum(y - far_y, 1))
    furrows = np.sin(angle * rng.uniform(30, 40))
    down, right = y / min(hw), x / min(hw)
    clods = np.sin(97 * right + 2 * np.sin(71 * down)) * np.sin(120 * down + 33 * right)
    brown = np.array(rng.choice([(0.36, 0.22, 0.13), (0.42, 0.25, 0.14), (0.3, 0.2, 0.14)]), np.float32)
    return np.asarray(brown * (1 + 0.35 * furrows + 0.12 * clods)[..., None], np.float32)


def _floor(rng: np.random.Generator, hw: Hw) -> Float:
    """Square tiles in two colours, smaller far away."""
    y, x = _pixels(hw)
    depth = 1 / np.maximum(y / hw[0] - 0.12, 0.1)
    across = np.floor((x / min(hw) - rng.uniform(0.3, 0.7)) * depth * 3.2 + rng.uniform(0, 1))
    along = np.floor(depth * 3.2 + rng.uniform(0, 1))
    light, dark = rng.choice([((0.88, 0.86, 0.8), (0.3, 0.3, 0.33)), ((0.9, 0.82, 0.68), (0.55, 0.3, 0.22)),
                              ((0.82, 0.85, 0.85), (0.3, 0.45, 0.45))])  # fmt: skip
    return np.asarray(np.where(((across + along) % 2 == 0)[..., None], light, dark), np.float32)


def _pixels(hw: Hw) -> tuple[Float, Float]:
    y, x = np.mgrid[: hw[0], : hw[1]].astype(np.float32)
    return y, x


GROUNDS: dict[str, Callable[[np.random.Generator, Hw], Float]] = {
    "grass": _grass,
    "sand": _sand,
    "sea": _sea,
    "snow": _snow,
    "road": _road,
    "soil": _soil,
    "floor": _floor,
}
