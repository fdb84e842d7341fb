"""Sums confusion counts over images, one image at a time, so that memory does not grow with the images."""

from __future__ import annotations

import numpy as np

from densezero.evaluation.report import ImageScore, score_image
from densezero.jobs.evaluate.counts import ImageCounts
from densezero.metrics import BoundaryCounts


class RunningScores:
    """The confusion matrix over many images, and the score of each image.

    Args:
        classes: number of classes C.
    """

    def __init__(self, classes: int) -> None:
        self.confusion = np.zeros((classes, classes), np.int64)
        self.boundary = np.zeros((3, classes), np.int64)  # pixels along contours: in both, truth, prediction
        self.ignored = 0  # pixels of labels that do not count
        self.seconds: dict[str, float] = {}
        self.scores: dict[str, ImageScore] = {}
        self.files: dict[str, tuple[str, str]] = {}  # SHA-256 of the image and of the label

    def __len__(self) -> int:
        return len(self.scores)

    def add(self, image: ImageCounts) -> None:
        """Add one image; do nothing if an image of this name was added before."""
        if image.name in self.scores:
            return
        matrix = np.zeros_like(self.confusion)
        image.add_to(matrix)
        self.confusion += matrix
        self.ignored += image.ignored
        for index, *along in image.boundary or ():
            self.boundary[:, index] += along
        self.scores[image.name] = score_image(image.name, matrix)
        self.files[image.name] = image.state.sha256
        self._add_seconds(image.seconds)

    def merge(self, other: RunningScores) -> None:
        """Add the images of other running scores. No image may be in both."""
        self.confusion += other.confusion
        self.boundary += other.boundary
        self.ignored += other.ignored
        self.scores.update(other.scores)
        self.files.update(other.files)
        self._add_seconds(other.seconds)

    @property
    def boundary_counts(self) -> BoundaryCounts:
        """Pixels along contours, summed over all images."""
        return BoundaryCounts(*self.boundary)

    def _add_seconds(self, seconds: dict[str, float]) -> None:
        for stage, time in seconds.items():
            self.seconds[stage] = self.seconds.get(stage, 0.0) + time
