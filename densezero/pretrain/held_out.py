"""Combinations that no training scene has. Scenes that have one test whether a model can combine known words.

Each word of a held-out combination occurs in training, but in other combinations: training has green things and cars,
but no green car.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from densezero.pretrain.captions import visible_content
from densezero.pretrain.concepts import CONCEPTS, Concept
from densezero.pretrain.scenes import PlacedThing, Scene, draw_scene

HELD_OUT_STREAM = 3  # first number of the seeds of held-out scenes; training has 1

# Those of the first edition are in 2 to 3 of 100 of its scenes.
HELD_OUT_TINTS: Final = frozenset({
    ("green", "car"), ("blue", "house"), ("orange", "ball"), ("pink", "umbrella"), ("white", "flag"),
    ("grey", "flower"), ("red", "tent"), ("yellow", "train"), ("blue", "butterfly"),
})  # fmt: skip

# Those of the first edition are in 1 to 3 of 100 of its scenes.
HELD_OUT_GROUNDS: Final = frozenset({
    ("boat", "snow"), ("fish", "sand"), ("kite", "grass"), ("flower", "sea"), ("fence", "snow"), ("car", "sea"),
    ("sheep", "road"), ("barrel", "snow"), ("robot", "grass"), ("mushroom", "soil"),
})  # fmt: skip

# For each size and edition, the numbers of the held-out scenes found up to now.
_seeds: dict[tuple[tuple[int, int], tuple[Concept, ...]], list[int]] = {}


def has_held_out(scene_things: Iterable[PlacedThing]) -> bool:
    """Whether one of the things has a held-out colour, or stands on a held-out ground."""
    return any(
        (thing.tint, thing.concept) in HELD_OUT_TINTS or (thing.concept, thing.ground) in HELD_OUT_GROUNDS
        for thing in scene_things
    )


def held_out_scene(index: int, hw: tuple[int, int] = (224, 224), *, concepts: tuple[Concept, ...] = CONCEPTS) -> Scene:
    """Draw the index-th scene with a held-out combination that is visible.

    The scenes of the seeds (3, 0), (3, 1), ... are drawn until enough of them have one. A process remembers their
    seeds for each size and edition, so the next scenes take a few drawings each.

    Args:
        index: from 0.
        hw: height and width in pixels, at least 16 each.
        concepts: what a scene can show, as for ``draw_scene``.
    """
    seeds = _seeds.setdefault((hw, concepts), [])
    while len(seeds) <= index:
        number = seeds[-1] + 1 if seeds else 0
        while not has_held_out(visible_content(draw_scene((HELD_OUT_STREAM, number), hw, concepts=concepts)).things):
            number += 1
        seeds.append(number)
    return draw_scene((HELD_OUT_STREAM, seeds[index]), hw, concepts=concepts)


def training_scene(
    stream: int, index: int, hw: tuple[int, int] = (224, 224), *, concepts: tuple[Concept, ...] = CONCEPTS
) -> Scene:
    """Draw the index-th training scene of a stream, the first of its seeds that has no held-out combination.

    The seeds of a scene are (stream, index, 0), (stream, index, 1) and so on. A scene depends on no other one, so they
    can be drawn in parallel, and a larger pool begins with the scenes of a smaller one.

    Args:
        stream: first number of the seeds.
        index: from 0.
        hw: height and width in pixels, at least 16 each.
        concepts: what a scene can show, as for ``draw_scene``.
    """
    attempt = 0
    while True:
        scene = draw_scene((stream, index, attempt), hw, concepts=concepts)
        if not has_held_out(scene.things):  # hidden things count too
            return scene
        attempt += 1
