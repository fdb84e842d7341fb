"""From scores to labels at the image's own size: synonyms, argmax, background, small classes. Part by part."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from torch import Tensor

from densezero.engine.compiled import compiled_channels, demand
from densezero.engine.contenders import Contest, Group
from densezero.engine.protocol import Background, Protocol
from densezero.engine.scores import ScoreMap, highest, strips
from densezero.engine.squares import SIDE
from densezero.engine.upsample import Span
from densezero.engine.workers import alone, share_out
from densezero.vocabulary.text_bank import TextBank


@dataclass(frozen=True)
class LabelRule:
    """How the scores of a pixel become its label.

    Args:
        protocol: scale, threshold and smallest area.
        bank: which words belong to which class.
        background_index: the label of pixels under the threshold; None where there is no such class.
        temperature: of the encoder; turns scores into probabilities for the threshold.
    """

    protocol: Protocol
    bank: TextBank
    background_index: int | None
    temperature: float | None


class Strip(NamedTuple):
    """Some rows of the image: where they are, and (C, rows, W) class scores."""

    start: int
    end: int
    scores: Tensor


def class_strips(scores: ScoreMap, hw: tuple[int, int], rule: LabelRule) -> Iterator[Strip]:
    """Give class scores at the image's size, some rows at a time."""
    map_rows = -(-scores.hw[0] // hw[0])  # of the map, for each row of an image that is smaller than it
    row_px = max(hw[1], map_rows * scores.hw[1])
    for start, end in strips(hw[0], 4 * scores.channels * row_px):
        rows = scores.resized(Span(start, end), Span(0, hw[1]), hw)  # (K, rows, W)
        if rule.protocol.scale is not None:
            yield Strip(start, end, rule.bank.best_of_class((rows * rule.protocol.scale).softmax(0), dim=0))
        else:
            yield Strip(start, end, rule.bank.spread(rows, dim=0))


def label_map(scores: ScoreMap, hw: tuple[int, int], rule: LabelRule) -> Tensor:
    """Label every pixel of an image.

    Args:
        scores: what the protocol defines before the last resize.
        hw: rows and columns of the image.
        rule: how scores become labels.

    Returns:
        (H, W) int64 class indices on the processor.
    """
    dropped = _small_classes(scores, hw, rule) if rule.protocol.min_area_share else None
    if _hangs_on_the_best_alone(rule) and scores.layers[0].grid.device.type == "cpu":
        return _best_labels(scores, hw, rule, dropped)
    labels = torch.empty(hw, dtype=torch.int64)
    for strip in class_strips(scores, hw, rule):
        labels[strip.start : strip.end] = _strip_labels(strip.scores, dropped, rule).cpu()
    return labels


def _hangs_on_the_best_alone(rule: LabelRule) -> bool:
    """Whether the label of a pixel is the class of its highest score, whatever that is."""
    return not rule.protocol.background.threshold or rule.background_index is None


def _best_labels(scores: ScoreMap, hw: tuple[int, int], rule: LabelRule, dropped: Tensor | None) -> Tensor:
    """Label every pixel by its highest score; neither a scale nor a softmax over all words changes which that is."""
    class_of = rule.bank.class_of if rule.protocol.scale is not None else rule.bank.found  # (K,)
    allowed = None if dropped is None else ~dropped[class_of]
    channels = compiled_channels(scores, hw, allowed) if demand.pays(hw) else None
    if channels is not None:
        return alone(lambda: class_of.index_select(0, channels.flatten()).view(hw))
    first, groups = Contest(scores, hw, allowed).outcome()
    rows, columns = first.shape
    labels = alone(lambda: class_of[first][:, None, :, None].repeat(1, SIDE, 1, SIDE))  # (rows, side, columns, side)

    def label(group: Group) -> None:
        best = highest(scores.in_squares(*group), dim=1)  # (M, side, side)
        classes = class_of[group.channels].gather(1, best.flatten(1)).view(best.shape)
        labels[group.squares.rows, :, group.squares.columns] = classes

    share_out(label, groups)
    return alone(lambda: labels.view(rows * SIDE, columns * SIDE)[: hw[0], : hw[1]].contiguous())


def confidence(scores: Tensor, labels: Tensor, rule: LabelRule) -> Tensor:
    """Probability, among all classes, of the label of each pixel.

    The averaged softmax of temperature 1 is nearly uniform, so its logarithm, which is the cosine up to a constant
    wherever one window reaches, is divided by the encoder's temperature first.

    Args:
        scores: (C, rows, W) class scores of the protocol.
        labels: (rows, W) int64 class indices.
        rule: protocol and temperature.

    Returns:
        (rows, W) in [0, 1].
    """
    if rule.protocol.scale is not None:  # already softmax(scale x cosine)
        probabilities = scores
    else:
        assert rule.temperature is not None, "the Segmenter refuses a threshold without a temperature"
        # A class without words has minus infinity, which is no probability and has no logarithm.
        cosines = scores.clamp(min=0).log_() if rule.protocol.window_scores == "softmax" else scores
        probabilities = (cosines / rule.temperature).softmax(0)
    return probabilities.gather(0, labels[None])[0]


def _strip_labels(scores: Tensor, dropped: Tensor | None, rule: LabelRule) -> Tensor:
    kept = scores if dropped is None else scores.masked_fill(dropped.to(scores.device)[:, None, None], float("-inf"))
    labels = highest(kept)
    threshold = rule.protocol.background.threshold
    if threshold and rule.background_index is not None:
        labels[confidence(scores, labels, rule) < threshold] = rule.background_index
    return labels


def _small_classes(scores: ScoreMap, hw: tuple[int, int], rule: LabelRule) -> Tensor:
    """(C,) True for classes, other than background, with too small a share of the area that is not background."""
    plain = replace(rule, protocol=replace(rule.protocol, min_area_share=0.0, background=Background()))
    counts = label_map(scores, hw, plain).flatten().bincount(minlength=rule.bank.classes)
    background = rule.background_index
    if background is not None:
        counts[background] = 0
    small = counts <= rule.protocol.min_area_share * counts.sum()
    if background is not None:
        small[background] = False
    return small if not bool(small.all()) else torch.zeros_like(small)
