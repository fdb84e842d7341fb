"""Sums confusion counts over images, one image at a time. Of each image only a few numbers stay in memory."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Iterable, Sequence
from importlib.metadata import version
from typing import Any, Final

import numpy as np
import torch

import densezero
from densezero.datasets import Dataset, Pair
from densezero.encoders.base import DenseEncoder
from densezero.engine.segmenter import Segmenter
from densezero.evaluation.image_counts import ImageCounts
from densezero.evaluation.image_sums import ClassSums, ImageSums
from densezero.evaluation.report import ImageScore, Report, score_counts, score_image
from densezero.metrics import BoundaryCounts

STAGES: Final = ("read", "segment", "target", "count")
"""Parts of an image's time, in the order of a report."""


class RunningScores:
    """The confusion matrix over many images, and the score and pixel sums of each image.

    Args:
        classes: number of classes C.
    """

    def __init__(self, classes: int) -> None:
        self.confusion = np.zeros((classes, classes), np.int64)
        self.boundary = np.zeros((3, classes), np.int64)  # pixels along contours: in both, truth, prediction
        self.ignored = 0  # pixels of labels that do not count
        self.seconds: dict[str, float] = {}
        self.scores: dict[str, ImageScore] = {}
        self.sums: dict[str, ClassSums] = {}
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
        self.sums[image.name] = ClassSums.of(matrix)
        self.files[image.name] = image.state.sha256
        self._add_seconds(image.seconds)

    def merge(self, other: RunningScores) -> None:
        """Add the images of other running scores. No image may be in both."""
        self.confusion += other.confusion
        self.boundary += other.boundary
        self.ignored += other.ignored
        self.scores.update(other.scores)
        self.sums.update(other.sums)
        self.files.update(other.files)
        self._add_seconds(other.seconds)

    def to_report(
        self, dataset: Dataset, pairs: Sequence[Pair], segmenter: Segmenter, request: dict[str, Any]
    ) -> Report:
        """Compute the scores from the sums, once.

        Args:
            dataset: the data set.
            pairs: the pairs that were counted, in the order of the report.
            segmenter: made the labels.
            request: everything that decides the numbers; its ``model`` and ``boundary`` are used.
        """
        scores, per_class = score_counts(self.confusion, dataset.classes.names)
        if request["boundary"]:
            boundary = BoundaryCounts(*self.boundary).mean
            scores["boundary_miou"] = None if np.isnan(boundary) else boundary
        return Report(
            dataset=dataset.name,
            model=request["model"],
            protocol=segmenter.protocol.name,
            images=len(self),
            scores=scores,
            per_class=per_class,
            confusion=self.confusion.tolist(),
            per_image=[self.scores[pair.name] for pair in pairs],
            request=request,
            machine=machine_facts(segmenter.encoder),
            seconds={stage: round(self.seconds.get(stage, 0.0), 3) for stage in STAGES},
            vocabulary=json.loads(segmenter.classes.to_json()),
            templates=list(segmenter.templates.texts),
            files_sha256=files_sha256((pair.name, self.files[pair.name]) for pair in pairs),
        )

    def to_sums(self, pairs: Sequence[Pair]) -> ImageSums:
        """Give the pixel sums of each image, in the order of the pairs."""
        return ImageSums.of([(pair.name, self.sums[pair.name]) for pair in pairs], len(self.confusion))

    def _add_seconds(self, seconds: dict[str, float]) -> None:
        for stage, time in seconds.items():
            self.seconds[stage] = self.seconds.get(stage, 0.0) + time


def files_sha256(files: Iterable[tuple[str, tuple[str, str]]]) -> str:
    """Hash all images and labels of an evaluation: each name, and the SHA-256 of its two files."""
    lines = (f"{name} {image} {label}\n".encode("utf-8", "replace") for name, (image, label) in files)
    return hashlib.sha256(b"".join(lines)).hexdigest()


def machine_facts(encoder: DenseEncoder) -> dict[str, Any]:
    """Versions, device and threads, as a report states them."""
    return {
        "densezero": densezero.__version__,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "pillow": version("pillow"),
        "device": str(encoder.device),
        "platform": platform.platform(),
        "threads": torch.get_num_threads(),
    }
