"""Captions of a drawn scene: an alt text, a short one, a long one, and a phrase for each region.

``alt_text``, ``short_text`` and ``long_text`` are the three kinds of the TIPSv2 recipe (arXiv 2604.12012, section 3): a
poor text as beside pictures on the web, a short description and a detailed one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple, TypeVar

import numpy as np

from densezero.pretrain.concepts import ALL_CONCEPTS, CONCEPT_INDEX, Concept
from densezero.pretrain.scenes import Mention, PlacedThing, Scene

_T = TypeVar("_T")

# Templates for the word of a region. They are like the usual prompts, so that the text tower learns those.
REGION_TEMPLATES = (
    "{}", "{}", "a {}", "the {}", "a {}.", "a photo of a {}.", "a photo of the {}.", "a bad photo of a {}.",
    "a photo of the large {}.", "a photo of the small {}.", "a photo of many {}.", "a photo of {}s.",
    "art of the {}.", "a {} in a video game.", "a origami {}.", "itap of a {}.", "a drawing of a {}.",
)  # fmt: skip

# Useless words before or after the names in texts on the web; {} is a number.
ALT_BEFORE = ("img {}", "dsc {}", "my holiday", "untitled", "free download", "best", "photo of", "picture {}")
ALT_AFTER = ("wallpaper", "hd", "stock image", "for sale", "2019", "jpg", "my album", "page {}")
LONG_OPENINGS = ("a picture of", "a scene with", "we see", "a drawing of", "this picture shows")

SMALL_SIDE, LARGE_SIDE = 0.23, 0.34  # shares of the shorter side; between them a long text names no size
LEAST_OFFSET = 0.2  # distance of two centres from which a long text names their relation, as a share of the picture
_MOST_PHRASES, _MOST_RELATIONS = 4, 2  # a long text shall fit into 64 word pieces

_NUMBERS = {2: "two", 3: "three", 4: "four", 5: "five"}
_PLURALS = {"fish": "fish", "cactus": "cacti", "sheep": "sheep", "butterfly": "butterflies"}


class SceneContent(NamedTuple):
    """What can be seen in a scene: its things, from back to front, and the names of its stuff."""

    things: tuple[PlacedThing, ...]
    stuff: tuple[str, ...]


def region_phrase(concept: int, rng: np.random.Generator) -> str:
    """Choose one of the words of a concept, and insert it into one of the templates."""
    word = str(rng.choice(ALL_CONCEPTS[concept].words))
    return str(rng.choice(REGION_TEMPLATES)).format(word)


def visible_content(scene: Scene, least_px: int = 12) -> SceneContent:
    """Select the things and the stuff with at least ``least_px`` visible pixels."""
    counts = np.bincount(scene.labels.ravel(), minlength=len(ALL_CONCEPTS))
    shown = (m.concept for m in scene.mentions if counts[CONCEPT_INDEX[m.concept]] >= least_px)
    stuff = tuple(name for name in shown if _concept(name).is_stuff)
    return SceneContent(tuple(thing for thing in scene.things if thing.visible_px >= least_px), stuff)


def alt_text(content: SceneContent, rng: np.random.Generator) -> str:
    """Write a poor text as on the web, with one or two words: ``img 2041 cottage beach``.

    The words are names or synonyms. Their colours are often missing, and half of the texts have useless words.
    """
    words = [_alt_word(thing, rng) for thing in _draw(content.things, int(rng.integers(1, 3)), rng)]
    if content.stuff and (not words or (len(words) == 1 and rng.random() < 0.4)):
        words.append(_pick(_concept(_pick(content.stuff, rng)).words, rng))
    text = _pick((" ", ", ", " and "), rng).join(words)
    if rng.random() < 0.5:
        return text
    number = rng.integers(1, 3000)
    if rng.random() < 0.5:
        return f"{_pick(ALT_BEFORE, rng).format(number)} {text}"
    return f"{text} {_pick(ALT_AFTER, rng).format(number)}"


def short_text(content: SceneContent, rng: np.random.Generator) -> str:
    """Name one or two visible things or kinds of stuff, with colours: ``a red car and the sea``."""
    things = Counter(Mention(thing.concept, thing.tint) for thing in content.things)
    phrases = [_counted(count, mention.tint or "", mention.concept) for mention, count in things.items()]
    phrases += [f"the {name}" for name in content.stuff]
    return " and ".join(_draw(phrases, 2 if rng.random() < 0.7 else 1, rng))


def long_text(content: SceneContent, rng: np.random.Generator) -> str:
    """Describe a scene: names, colours, sizes, grounds, relations and stuff.

    For example ``a picture of a large red car on the road, two small pines on the grass with the sky. the red car is
    below the moon.`` At most four phrases and two relations are named.
    """
    phrases = Counter(_detailed_phrase(thing) for thing in content.things)
    chosen = _draw(tuple(phrases), _MOST_PHRASES, rng)
    things = ", ".join(f"{_counted(phrases[phrase], *phrase[:2])}{phrase[2]}" for phrase in chosen) or "nothing"
    stuff = " and ".join(f"the {name}" for name in content.stuff)
    sentences = [f"{_pick(LONG_OPENINGS, rng)} {things}{' with ' if stuff else ''}{stuff}."]
    sentences += [f"{relation}." for relation in _draw(_relations(content.things, rng), _MOST_RELATIONS, rng)]
    return " ".join(sentences)


def _relations(things: tuple[PlacedThing, ...], rng: np.random.Generator) -> tuple[str, ...]:
    """Say where things are relative to each other. A thing takes part if no other one has its colour and name."""
    names = Counter(_definite(thing) for thing in things)
    single = _draw([thing for thing in things if names[_definite(thing)] == 1], 4, rng)
    pairs = [(first, second) for i, first in enumerate(single) for second in single[i + 1 :]]
    told = [(first, _relation(first, second, rng), second) for first, second in pairs]
    return tuple(f"{_definite(first)} is {words} {_definite(second)}" for first, words, second in told if words)


def _relation(first: PlacedThing, second: PlacedThing, rng: np.random.Generator) -> str:
    """Name the place of the first thing as seen from the second one; empty if their centres are close."""
    down = first.centre[0] - second.centre[0]
    right = first.centre[1] - second.centre[1]
    possible = []
    if abs(down) >= LEAST_OFFSET:
        possible.append("below" if down > 0 else "above")
    if abs(right) >= LEAST_OFFSET:
        possible.append("right of" if right > 0 else "left of")
    return _pick(possible, rng) if possible else ""


def _detailed_phrase(thing: PlacedThing) -> tuple[str, str, str]:
    """Give size and colour, name, and ground: ``("large red", "car", " on the road")``."""
    size = "small" if thing.side <= SMALL_SIDE else "large" if thing.side >= LARGE_SIDE else ""
    ground = f" {'in' if thing.ground == 'sea' else 'on'} the {thing.ground}" if thing.ground else ""
    return " ".join(word for word in (size, thing.tint) if word), thing.concept, ground


def _definite(thing: PlacedThing) -> str:
    return f"the {thing.tint} {thing.concept}" if thing.tint else f"the {thing.concept}"


def _alt_word(thing: PlacedThing, rng: np.random.Generator) -> str:
    word = _pick(_concept(thing.concept).words, rng)
    return f"{thing.tint} {word}" if thing.tint and rng.random() < 0.5 else word


def _concept(name: str) -> Concept:
    return ALL_CONCEPTS[CONCEPT_INDEX[name]]


def _pick(options: Sequence[_T], rng: np.random.Generator) -> _T:
    return options[int(rng.integers(len(options)))]  # a tenth of the time of rng.choice


def _draw(options: Sequence[_T], most: int, rng: np.random.Generator) -> list[_T]:
    """Choose up to ``most`` different items, in random order."""
    return [options[i] for i in rng.permutation(len(options))[:most]]


def _counted(count: int, adjectives: str, name: str) -> str:
    """Write number, adjectives and name: ``an orange ball``, ``two fish``."""
    if count > 1:
        name = _PLURALS.get(name, f"{name}s")
    words = f"{adjectives} {name}".strip()
    number = _NUMBERS.get(count, "many") if count > 1 else "an" if words[0] in "aeiou" else "a"
    return f"{number} {words}"
