"""Captions of a drawn scene: a short one, a long one, and a phrase for each region."""

from __future__ import annotations

from collections import Counter

import numpy as np

from densezero.pretrain.concepts import CONCEPT_INDEX, CONCEPTS
from densezero.pretrain.scenes import Mention, Scene

# Templates for the word of a region. They are like the usual prompts, so that the text tower learns those.
REGION_TEMPLATES = (
    "{}", "{}", "a {}", "the {}", "a {}.", "a photo of a {}.", "a photo of the {}.", "a bad photo of a {}.",
    "a photo of the large {}.", "a photo of the small {}.", "a photo of many {}.", "a photo of {}s.",
    "art of the {}.", "a {} in a video game.", "a origami {}.", "itap of a {}.", "a drawing of a {}.",
)  # fmt: skip

_NUMBERS = {1: "a", 2: "two", 3: "three", 4: "four", 5: "five"}


def region_phrase(concept: int, rng: np.random.Generator) -> str:
    """Choose one of the words of a concept, and insert it into one of the templates."""
    word = str(rng.choice(CONCEPTS[concept].words))
    return str(rng.choice(REGION_TEMPLATES)).format(word)


def short_caption(scene_mentions: tuple[Mention, ...], rng: np.random.Generator) -> str:
    """Name one or two things or kinds of stuff: ``a red car and the sea``."""
    named = [str(rng.permutation(_phrases(scene_mentions))[0])]
    others = [phrase for phrase in _phrases(scene_mentions) if phrase not in named]
    if others and rng.random() < 0.7:
        named.append(str(rng.choice(others)))
    return " and ".join(named)


def long_caption(scene_mentions: tuple[Mention, ...], rng: np.random.Generator) -> str:
    """Name everything in the scene, things first: ``a picture of two pines, a blue boat with the sea and the sky``."""
    things = [m for m in scene_mentions if not CONCEPTS[CONCEPT_INDEX[m.concept]].is_stuff]
    stuff = [m for m in scene_mentions if CONCEPTS[CONCEPT_INDEX[m.concept]].is_stuff]
    opening = str(rng.choice(["a picture of", "a scene with", "we see", "a drawing of"]))
    ending = " and ".join(_phrases(tuple(stuff)))
    things_text = ", ".join(str(phrase) for phrase in rng.permutation(_phrases(tuple(things)))) if things else "nothing"
    return f"{opening} {things_text} with {ending}."


def visible_mentions(scene: Scene, least_px: int = 12) -> tuple[Mention, ...]:
    """Select the mentions whose concept has at least ``least_px`` visible pixels."""
    counts = np.bincount(scene.labels.ravel(), minlength=len(CONCEPTS))
    return tuple(m for m in scene.mentions if counts[CONCEPT_INDEX[m.concept]] >= least_px)


def _phrases(mentions: tuple[Mention, ...]) -> list[str]:
    counted = Counter(mentions)
    phrases = []
    for mention, count in counted.items():
        if CONCEPTS[CONCEPT_INDEX[mention.concept]].is_stuff:
            phrases.append(f"the {mention.concept}")
            continue
        tint = f"{mention.tint} " if mention.tint else ""
        number = _NUMBERS.get(count, "many")
        phrases.append(f"{number} {tint}{mention.concept}{'s' if count > 1 else ''}")
    return phrases
