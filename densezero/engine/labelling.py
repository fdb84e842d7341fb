"""From scores to labels at the image's own size, tile by tile: argmax, background threshold, smallest area."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from densezero.encoders.device import plain_torch, to_numpy
from densezero.engine.protocol import Protocol
from densezero.engine.score_map import ScoreMap, Tile
from densezero.vocabulary.background import Background
from densezero.vocabulary.text_bank import TextBank

BYTE_CLASSES = 254  # labels are uint8 up to here, else uint16; 255 and 65535 mean "no label" in files


@dataclass(frozen=True)
class LabelRule:
    """How the scores of a pixel become its label.

    Args:
        protocol: scale, background threshold and smallest area.
        bank: the words of each class.
        background_index: of the class called background; None without one.
        temperature: of the encoder; turns cosines into probabilities for the threshold.
    """

    protocol: Protocol
    bank: TextBank
    background_index: int | None
    temperature: float | None

    @property
    def class_of_channel(self) -> Tensor:
        """(K,) class index of each channel. With a scale a channel is a word, without one a class that has words."""
        return self.bank.class_of if self.protocol.scale is not None else self.bank.worded_classes

    @property
    def uncertain_index(self) -> int | None:
        """The label of pixels below the threshold: background, or unknown, which is the last class."""
        return self.bank.classes - 1 if self.protocol.background.unknown else self.background_index


def label_map(scores: ScoreMap, hw: tuple[int, int], rule: LabelRule) -> Tensor:
    """Label every pixel of an image.

    Args:
        scores: of the image's patches.
        hw: (H, W) of the image.
        rule: how scores become labels.

    Returns:
        (H, W) class indices on the device of the scores, uint8 up to 254 classes, else int32.
    """
    class_of_channel = rule.class_of_channel.to(scores.grids.device)  # (K,)
    background, uncertain = rule.background_index, rule.uncertain_index
    threshold = rule.protocol.background.least_confidence
    dropped = _small_classes(scores, hw, rule) if rule.protocol.min_area_share else None  # (C,)
    allowed = None if dropped is None else ~dropped[class_of_channel]  # (K,)
    dtype = torch.uint8 if rule.bank.classes <= BYTE_CLASSES else torch.int32
    labels = torch.empty(hw, dtype=dtype, device=class_of_channel.device)

    def label(tile: Tile) -> None:
        values = scores.compute(tile)  # (th, tw, K)
        best = _argmax(values if allowed is None else values.masked_fill(~allowed, -torch.inf))  # (th, tw)
        classes = class_of_channel[best]
        if allowed is not None and background is not None:
            classes.masked_fill_(~allowed[best], background)  # only where all channels are dropped
        if threshold and uncertain is not None:
            confidence = probabilities(values, rule).gather(-1, best[..., None])[..., 0]
            classes.masked_fill_(confidence < threshold, uncertain)
        labels[tile.rows.pixels, tile.columns.pixels] = classes

    scores.for_each_tile(label, hw)
    return labels


@plain_torch()
def class_scores(scores: ScoreMap, hw: tuple[int, int], rule: LabelRule) -> NDArray[np.float32]:
    """Compute the scores of every class at the image's size, by the same tiles as the labels.

    Returns:
        (C, H, W) float32: cosines, averaged probabilities, or with a scale the probability of the best word; minus
        infinity for a class without words.
    """
    bank = rule.bank.to(scores.grids.device)
    result = np.empty((bank.classes, *hw), np.float32)

    def fill(tile: Tile) -> None:
        values = scores.compute(tile)  # (th, tw, K)
        if rule.protocol.scale is not None:
            values = bank.best_of_class(probabilities(values, rule))
        result[:, tile.rows.pixels, tile.columns.pixels] = to_numpy(bank.scatter(values)).transpose(2, 0, 1)

    scores.for_each_tile(fill, hw)
    return result


def _argmax(values: Tensor) -> Tensor:
    """Find the first highest channel, (th, tw) int64. On a CPU, NumPy is six times faster than torch."""
    return torch.from_numpy(values.numpy().argmax(-1)) if values.device.type == "cpu" else values.argmax(-1)


def probabilities(values: Tensor, rule: LabelRule) -> Tensor:
    """Turn scores (th, tw, K) into probabilities over the channels. The scores are overwritten.

    With a scale: softmax(scale x cosine). Else: softmax(cosine / temperature). ``tips-slide`` averages softmax values
    instead of cosines. Where one window covers a pixel, the logarithm of a softmax value is the cosine minus a
    constant, and softmax ignores constants. So the logarithm takes the place of the cosine. Where windows overlap, this
    is approximate.
    """
    if rule.protocol.scale is not None:
        return values.mul_(rule.protocol.scale).softmax(-1)
    assert rule.temperature is not None, "the Segmenter refuses a threshold without a temperature"
    cosines = values.log_() if rule.protocol.averages_softmax else values
    return cosines.div_(rule.temperature).softmax(-1)


def _small_classes(scores: ScoreMap, hw: tuple[int, int], rule: LabelRule) -> Tensor:
    """(C,) True for each class, except background, that covers at most ``min_area_share`` of the foreground.

    Areas are those of a first labelling, without threshold. If all classes are too small and there is no background
    class, none is dropped.
    """
    without_threshold = replace(rule, protocol=replace(rule.protocol, min_area_share=0.0, background=Background()))
    pixels = label_map(scores, hw, without_threshold).flatten().bincount(minlength=rule.bank.classes)  # (C,)
    foreground = torch.ones_like(pixels, dtype=torch.bool)
    if rule.background_index is not None:
        foreground[rule.background_index] = False
    small = (pixels <= rule.protocol.min_area_share * (pixels * foreground).sum()) & foreground
    return small & ~small.all()
