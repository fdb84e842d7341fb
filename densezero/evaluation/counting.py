"""Counts the pixels of one pair of image and label: read it, segment the image, compare."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from densezero.datasets import Dataset, Pair
from densezero.engine.segmenter import Prepared, Scored, Segmenter
from densezero.errors import InputError
from densezero.evaluation.image_counts import ImageCounts, PairState
from densezero.images import read_rgb
from densezero.metrics import count_boundaries, count_pairs


@dataclass(frozen=True)
class Sample:
    """A pair that has been read.

    Attributes:
        pair: the pair.
        prepared: the image as the model takes it.
        target: (H, W) class indices.
        state: the files as they were when they were read.
        seconds: time of each stage so far.
    """

    pair: Pair
    prepared: Prepared
    target: NDArray[np.uint8]
    state: PairState
    seconds: dict[str, float]


@dataclass(frozen=True)
class PairCounter:
    """Counts pairs of a data set.

    Args:
        dataset: the data set.
        segmenter: makes the labels.
        boundary: also count pixels along contours.
    """

    dataset: Dataset
    segmenter: Segmenter
    boundary: bool = False

    def read(self, pair: Pair) -> Sample:
        """Read a pair. This does not use the model, so it may run in another thread.

        Raises:
            InputError: if a file cannot be read, or the image and its label have different sizes.
        """
        seconds: dict[str, float] = {}
        state = PairState.of(pair)
        with timed(seconds, "read"):
            rgb = read_rgb(pair.image)  # (H, W, 3)
            prepared = self.segmenter.prepare(rgb)
        with timed(seconds, "target"):
            target = self.dataset.read_target(pair)  # (H, W)
        if target.shape != rgb.shape[:2]:
            raise InputError(
                f"Expected {pair.label} to have the size of {pair.image}, {rgb.shape[:2]}; got {target.shape}. "
                "The evaluation goes on from here when the file is right."
            )
        return Sample(pair, prepared, target, state, seconds)

    def count(self, sample: Sample, scored: Scored | None = None, scoring_seconds: float = 0.0) -> ImageCounts:
        """Label the image and compare it with its target.

        Args:
            sample: the pair.
            scored: the scored image, if it was scored together with others.
            scoring_seconds: time that this took.
        """
        seconds = dict(sample.seconds)
        with timed(seconds, "segment"):
            scored = scored or self.segmenter.score([sample.prepared])[0]
            labels = self.segmenter.label(scored)  # (H, W)
        seconds["segment"] = round(seconds["segment"] + scoring_seconds, 5)
        with timed(seconds, "count"):
            classes, ignore = len(self.dataset.classes), self.dataset.ignore
            matrix = count_pairs(labels, sample.target, classes, ignore)  # (C, C)
            ignored = sample.target.size - int(matrix.sum())
            boundary = count_boundaries(labels, sample.target, classes, ignore) if self.boundary else None  # (C,) each
        return ImageCounts.from_matrix(sample.pair.name, sample.state, matrix, ignored, seconds, boundary)

    def held_bytes(self, hw: tuple[int, int]) -> int:
        """Estimate the memory of a ``Sample`` of an image of (H, W)."""
        return 5 * hw[0] * hw[1] + self.segmenter.prepared_bytes(hw)  # image and target while they are read


@contextmanager
def timed(seconds: dict[str, float], stage: str) -> Iterator[None]:
    """Note the time of a stage."""
    began = time.perf_counter()
    yield
    seconds[stage] = round(time.perf_counter() - began, 5)
