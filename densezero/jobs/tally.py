"""Counts added up over images as they come, so that no image's counts are kept."""

from __future__ import annotations

import numpy as np

from densezero.evaluation.report import ImageScore, score_image
from densezero.jobs.counts import ImageCounts
from densezero.metrics import BoundaryCounts


class Tally:
    """The counts of many images in one matrix, and each image's own score.

    Args:
        classes: number of classes C.
    """

    def __init__(self, classes: int) -> None:
        self.confusion = np.zeros((classes, classes), np.int64)
        self.boundary = np.zeros((3, classes), np.int64)  # pixels along contours: in both, truth, prediction
        self.seconds: dict[str, float] = {}
        self.scores: dict[str, ImageScore] = {}

    def __len__(self) -> int:
        return len(self.scores)

    def add(self, image: ImageCounts) -> None:
        """Add one image; a name that is there already is left alone."""
        if image.name in self.scores:
            return
        matrix = np.zeros_like(self.confusion)
        image.add_to(matrix)
        self.confusion += matrix
        for index, *along in image.boundary or ():
            self.boundary[:, index] += along
        self.scores[image.name] = score_image(image.name, matrix)
        self._add_seconds(image.seconds)

    def merge(self, other: Tally) -> None:
        """Add the images of another tally, none of which is here."""
        self.confusion += other.confusion
        self.boundary += other.boundary
        self.scores.update(other.scores)
        self._add_seconds(other.seconds)

    @property
    def boundary_counts(self) -> BoundaryCounts:
        """The pixels along contours of all images."""
        return BoundaryCounts(*self.boundary)

    def _add_seconds(self, seconds: dict[str, float]) -> None:
        for stage, time in seconds.items():
            self.seconds[stage] = self.seconds.get(stage, 0.0) + time
