"""From scores to labels at the image's own size, tile by tile: argmax, background threshold, smallest area."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from densezero.encoders.cpu_threads import parallel_for
from densezero.encoders.device import plain_torch, to_numpy
from densezero.engine.protocol import Background, Protocol
from densezero.engine.score_map import ScoreMap, Tile
from densezero.vocabulary.text_bank import TextBank

BYTE_CLASSES = 254  # labels fit into a byte up to here; 255 means "no label"


@dataclass(frozen=True)
class LabelRule:
    """How the scores of a pixel become its label.

    Args:
        protocol: scale, background threshold and smallest area.
        bank: the words of each class.
        background_index: the label of pixels below the threshold; None where no class is called background.
        temperature: of the encoder; turns cosines into probabilities for the threshold.
    """

    protocol: Protocol
    bank: TextBank
    background_index: int | None
    temperature: float | None

    @property
    def channel_class(self) -> Tensor:
        """(K,) class index of each channel of a score map: words with a scale, else the classes that have words."""
        return self.bank.class_of if self.protocol.scale is not None else self.bank.worded_classes


def label_map(scores: ScoreMap, hw: tuple[int, int], rule: LabelRule) -> Tensor:
    """Label every pixel of an image.

    Args:
        scores: as the protocol defines them before the last resize.
        hw: (H, W) of the image.
        rule: how scores become labels.

    Returns:
        (H, W) class indices on the device of the scores, uint8 up to 254 classes, else int32.
    """
    class_of = rule.channel_class.to(scores.grids.device)  # (K,)
    dropped = _small_classes(scores, hw, rule) if rule.protocol.min_area_share else None  # (C,)
    allowed = None if dropped is None else ~dropped[class_of]  # (K,)
    threshold = rule.protocol.background.threshold
    dtype = torch.uint8 if rule.bank.classes <= BYTE_CLASSES else torch.int32
    labels = torch.empty(hw, dtype=dtype, device=class_of.device)

    def label(tile: Tile) -> None:
        values = scores.tile(tile)  # (R, C, K)
        best = _argmax(values if allowed is None else values.masked_fill(~allowed, -torch.inf))  # (R, C)
        classes = class_of[best]
        if threshold and rule.background_index is not None:
            confidence = _probabilities(values, rule).gather(-1, best[..., None])[..., 0]
            classes.masked_fill_(confidence < threshold, rule.background_index)
        labels[tile.rows.targets, tile.columns.targets] = classes

    parallel_for(label, scores.tiles(hw), _threads(scores))
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
        values = scores.tile(tile)  # (R, C, K)
        if rule.protocol.scale is not None:
            values = bank.best_of_class(_probabilities(values, rule))
        result[:, tile.rows.targets, tile.columns.targets] = to_numpy(bank.scatter(values)).transpose(2, 0, 1)

    parallel_for(fill, scores.tiles(hw), _threads(scores))
    return result


def _threads(scores: ScoreMap) -> int:
    return torch.get_num_threads() if scores.grids.device.type == "cpu" else 1


def _argmax(values: Tensor) -> Tensor:
    """Find the first highest channel: (R, C, K) to (R, C) int64. On a CPU, NumPy is six times faster than torch."""
    return torch.from_numpy(values.numpy().argmax(-1)) if values.device.type == "cpu" else values.argmax(-1)


def _probabilities(values: Tensor, rule: LabelRule) -> Tensor:
    """Turn scores (R, C, K) into probabilities over the channels, in place: softmax(cosine x scale or / temperature).

    The softmax of temperature 1, which ``tips-slide`` averages, is nearly uniform. Its logarithm is the cosine up to a
    constant wherever one window reaches, so that takes the place of the cosine.
    """
    if rule.protocol.scale is not None:
        return values.mul_(rule.protocol.scale).softmax(-1)
    assert rule.temperature is not None, "the Segmenter refuses a threshold without a temperature"
    cosines = values.log_() if rule.protocol.window_scores == "softmax" else values
    return cosines.div_(rule.temperature).softmax(-1)


def _small_classes(scores: ScoreMap, hw: tuple[int, int], rule: LabelRule) -> Tensor:
    """(C,) True for each class, other than background, whose share of the area without background is too small.

    No class is dropped where all of them are too small and there is no background to take their place.
    """
    plain = replace(rule, protocol=replace(rule.protocol, min_area_share=0.0, background=Background()))
    pixels = label_map(scores, hw, plain).flatten().bincount(minlength=rule.bank.classes)  # (C,)
    foreground = torch.ones_like(pixels, dtype=torch.bool)
    if rule.background_index is not None:
        foreground[rule.background_index] = False
    total = (pixels * foreground).sum()
    small = (pixels <= rule.protocol.min_area_share * total) & foreground
    return small & ~small.all()
