"""How sure the labels of a run are: the distribution of the confidence of its pixels, to choose a threshold from."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from densezero.encoders.device import plain_torch, to_numpy
from densezero.engine.labelling import LabelRule, probabilities
from densezero.engine.score_map import ScoreMap, Tile

BINS: Final = 1000
_SHOWN: Final = tuple(range(100, BINS, 100))  # 0.1 to 0.9
_PERCENTS: Final = (1, 5, 10, 25, 50, 75, 90)


@plain_torch()
def confidence_map(scores: ScoreMap, hw: tuple[int, int], rule: LabelRule) -> NDArray[np.float32]:
    """Compute the confidence of every pixel of an image, with which thresholds are compared.

    Args:
        scores: of the image's patches.
        hw: (H, W) of the image.
        rule: how scores become probabilities. Classes that ``min_area_share`` drops count here.

    Returns:
        (H, W) float32, the highest probability of each pixel: 1 / K to 1 for K classes with words.
    """
    result = np.empty(hw, np.float32)

    def fill(tile: Tile) -> None:
        highest = probabilities(scores.compute(tile), rule).amax(-1)  # (th, tw)
        result[tile.rows.pixels, tile.columns.pixels] = to_numpy(highest)

    scores.for_each_tile(fill, hw)
    return result


class ConfidenceCounts:
    """Counts the pixels of many images by their confidence, in steps of 0.001. Every pixel counts the same.

    Args:
        rule: of the run; says what the confidence is.

    Attributes:
        images: number of images counted.
        counts: (1001,) int64 pixels of each step; the last one is a confidence of 1.
    """

    def __init__(self, rule: LabelRule) -> None:
        self.rule, self.images = rule, 0
        self.counts = np.zeros(BINS + 1, np.int64)

    def add(self, confidence: NDArray[np.float32]) -> None:
        """Count the pixels of an image, (H, W) in 0 to 1."""
        steps = np.clip(confidence * BINS, 0, BINS).astype(np.int64)
        self.counts += np.bincount(steps.ravel(), minlength=BINS + 1)
        self.images += 1

    def below(self, step: int) -> float:
        """Give the share of the pixels with a confidence below ``step`` / 1000, 0 to 1."""
        return float(self.counts[:step].sum() / max(self.counts.sum(), 1))

    def percentile(self, percent: float) -> float:
        """Give the threshold under which this share of the pixels lies, rounded up to a step of 0.001."""
        cumulated = self.counts.cumsum()
        return float((np.searchsorted(cumulated, percent / 100 * cumulated[-1]) + 1).clip(max=BINS) / BINS)

    def describe(self) -> str:
        """Describe the distribution in a few lines."""
        if not self.images:
            return "confidence: this run segmented no image, so there is nothing to show; --overwrite does them again"
        scale, channels = self.rule.protocol.scale, len(self.rule.class_of_channel)
        logits = f"cosine / {self.rule.temperature:.4g}" if scale is None else f"{scale:g} x cosine"
        over = f"{channels} {'classes that have words' if scale is None else 'words'}"
        images = f"{self.images} image{'s' if self.images > 1 else ''}"
        rows: tuple[tuple[str, list[str]], ...] = (
            ("below", [f"{step / BINS:.1f}" for step in _SHOWN]),
            ("pixels", [f"{100 * self.below(step):.1f} %" for step in _SHOWN]),
            ("", []),
            ("share", [f"{percent} %" for percent in _PERCENTS]),
            ("lies below", [f"{self.percentile(percent):.3f}" for percent in _PERCENTS]),
        )
        lines = [f"confidence of {images}, {self.counts.sum():,} pixels: highest softmax({logits}) over {over}"]
        lines += [f"  {name:<10}" + "".join(f"{value:>9}" for value in values) for name, values in rows]
        lines.append(
            f"  --background-threshold P or --unknown P takes the pixels below P; at most 1 / {channels} = "
            f"{1 / channels:.3g} takes none"
        )
        return "\n".join(line.rstrip() for line in lines)
