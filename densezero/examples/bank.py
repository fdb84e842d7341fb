"""Rows of the text bank that are made from examples.

Cosines between patches are far larger than cosines between patches and words, so a row beside words is calibrated.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from densezero.encoders.base import DenseEncoder
from densezero.encoders.device import plain_torch
from densezero.examples.classes import find_class
from densezero.examples.example import Shown
from densezero.examples.patches import Patches, encode_patches
from densezero.examples.recipe import Recipe
from densezero.vocabulary.classes import ClassList
from densezero.vocabulary.text_bank import TextBank

SPREAD: Final = 2.0
"""Spread of a calibrated row over the spread of the words. On drawn scenes 1 was worse, and 3 no better."""


class ClassPatches(NamedTuple):
    """The patches of all example images of one class.

    Args:
        features: (N, D) float32 unit features.
        inside: (N,) share of each patch that shows the class, 0 to 1.
    """

    features: Tensor
    inside: Tensor


class Row(NamedTuple):
    """A row of the bank: the score of a unit feature is its product with ``vector`` (D,), plus ``offset``."""

    vector: Tensor
    offset: float = 0.0


@plain_torch()
def add_examples(
    bank: TextBank, shown: Sequence[Shown], classes: ClassList, encoder: DenseEncoder, recipe: Recipe
) -> TextBank:
    """Add a row for each class that has examples. Without examples this returns the bank itself.

    Args:
        bank: of words; it may be empty.
        shown: the examples; those that are given twice count once.
        classes: of the bank. Each example has the name of one of them, or one of its words.
        encoder: gives the features.
        recipe: how an image is encoded.

    Returns:
        The bank on the encoder's device. A row is calibrated if the bank has words, else it is the mean feature.
    """
    if not shown:
        return bank
    words = bank.to(torch.device("cpu"))
    rows: dict[int, Row] = {}
    for index, patches in _patches_of_classes(shown, classes, encoder, recipe).items():
        others = words.vectors[words.class_of != index]
        compared = others if len(others) else words.vectors
        rows[index] = calibrated_row(patches, compared) if len(compared) else Row(mean_feature(patches))
    vectors = torch.cat([words.vectors, *(row.vector[None] for row in rows.values())])
    class_of = torch.cat([words.class_of, torch.tensor(list(rows))])
    offsets = torch.cat([torch.zeros(len(words.vectors)), torch.tensor([row.offset for row in rows.values()])])
    order = class_of.argsort(stable=True)
    return TextBank(vectors[order], class_of[order], bank.classes, offsets[order]).to(encoder.device)


def mean_feature(patches: ClassPatches) -> Tensor:
    """Average the features inside the masks, to unit length: (D,). A patch weighs as much as it shows of the class."""
    return F.normalize(patches.inside @ patches.features, dim=0)


def calibrated_row(patches: ClassPatches, words: Tensor) -> Row:
    """Make a row whose scores can be compared with the cosines of words.

    Its direction is the mean feature inside the masks minus the mean feature outside. Its length gives its scores twice
    the spread that the best cosine of other words has. With its offset it wins as many patches of the example images as
    their masks hold.

    Args:
        patches: of the example images.
        words: (P, D) unit vectors of the words of the other classes, at least one.
    """
    features, inside = patches
    outside = 1 - inside
    direction = inside @ features / inside.sum() - outside @ features / outside.sum().clamp(min=1e-6)
    best = (features @ words.T).amax(1)  # (N,)
    scores = features @ direction  # (N,)
    ratio = float(best.std(correction=0) / scores.std(correction=0).clamp(min=1e-6))
    gain = SPREAD * ratio if ratio > 0 else 1.0
    behind = (best - gain * scores).sort().values  # how much the row lacks at each patch
    count = min(max(round(float(inside.sum())), 1), len(behind))
    offset = float(behind[count - 1] + behind[min(count, len(behind) - 1)]) / 2
    return Row(gain * direction, offset)


def _patches_of_classes(
    shown: Sequence[Shown], classes: ClassList, encoder: DenseEncoder, recipe: Recipe
) -> dict[int, ClassPatches]:
    """Encode every example image once. Masks of one class on one image are joined."""
    encoded: dict[str, Patches] = {}
    by_class: dict[int, dict[str, Shown]] = defaultdict(dict)
    for example in shown:
        image = example.record["image_sha256"]
        if image not in encoded:
            encoded[image] = encode_patches(encoder, example.rgb, recipe)
        index = find_class(classes, example.name)
        assert index is not None, "with_example_classes has added it"
        before = by_class[index].get(image)
        by_class[index][image] = example if before is None else before.joined(example)
    return {
        index: _join((encoded[image], example) for image, example in of_class.items())
        for index, of_class in by_class.items()
    }


def _join(images: Iterable[tuple[Patches, Shown]]) -> ClassPatches:
    features, inside = [], []
    for patches, example in images:
        features.append(F.normalize(patches.features.flatten(0, 2), dim=-1))
        inside.append(patches.shares(example.mask).flatten())
    return ClassPatches(torch.cat(features), torch.cat(inside))
