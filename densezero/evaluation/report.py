"""The report of an evaluation: the scores, their counts, and everything that is needed to run it again."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from densezero.datasets import DATASETS
from densezero.errors import InputError
from densezero.evaluation.depth_report import KIND
from densezero.evaluation.report_checks import NEWEST_FORMAT, refuse_malformed
from densezero.metrics import iou_scores
from densezero.vocabulary import ClassList

_IMAGE_FIELDS = ("name", "miou", "pixel_accuracy")


@dataclass(frozen=True)
class ImageScore:
    """The scores of one image.

    Args:
        name: name of the pair in the data set.
        miou: mean IoU over the classes of this image, percent; None if every pixel is ignored. It helps to find images.
            A mean over images is not the mIoU of the data set.
        pixel_accuracy: share of correct pixels, percent; None if every pixel is ignored.
    """

    name: str
    miou: float | None
    pixel_accuracy: float | None


@dataclass(frozen=True)
class Report:
    """The result of one evaluation.

    Args:
        dataset: name of the data set.
        model: name of the encoder, as the user gave it.
        protocol: name of the protocol.
        images: number of images.
        scores: ``miou, pixel_accuracy, mean_accuracy, frequency_weighted_iou`` and, if requested, ``boundary_miou``:
            percent, not rounded; None if no pixel is scored.
        per_class: class name to IoU in percent; None for a class that is neither in the labels nor predicted.
        confusion: (C, C) pixel counts; rows are true classes, columns predicted classes.
        per_image: the scores of each image, in the order of the data set.
        request: everything that decides the numbers: data set, split, selection, protocol, words, weights and numeric
            type.
        machine: versions, device and processor.
        seconds: time of each stage, summed over the processes.
        vocabulary: the words, as ``ClassList.to_json`` writes them; empty in older reports, which do not have them.
        templates: the prompt templates; empty in older reports, which do not have them.
        files_sha256: hash of all images and labels when they were measured; empty in format 1.
        format: number of the file format.
    """

    dataset: str
    model: str
    protocol: str
    images: int
    scores: dict[str, float | None]
    per_class: dict[str, float | None]
    confusion: list[list[int]]
    per_image: list[ImageScore]
    request: dict[str, Any]
    machine: dict[str, Any]
    seconds: dict[str, float]
    vocabulary: dict[str, Any] = field(default_factory=dict)
    templates: list[str] = field(default_factory=list)
    files_sha256: str = ""
    format: int = NEWEST_FORMAT

    @property
    def title(self) -> str:
        """Name of the data set for readers: the one that was given, that of an own folder, or the benchmark's."""
        folder = Path(str(self.request.get("root", ""))).name if self.dataset == "folder" else ""
        name = str(self.request.get("name") or folder or self.dataset)
        return f"own {name}" if name != self.dataset and name in DATASETS else name

    @property
    def column(self) -> str:
        """The column of a table: the benchmark, or the title of a data set that is the user's own or was renamed."""
        return self.dataset if self.title == self.dataset else self.title

    def to_json(self) -> str:
        """Write the report as JSON. Each row of the confusion matrix is on its own line."""
        values = asdict(self)
        rows = ",\n  ".join(json.dumps(row) for row in values.pop("confusion"))
        vocabulary = json.dumps(values.pop("vocabulary"), ensure_ascii=False)
        head = json.dumps(values, ensure_ascii=False, indent=1, allow_nan=False)
        return f'{head[:-2]},\n "vocabulary": {vocabulary},\n "confusion": [\n  {rows}\n ]\n}}\n'

    def to_bytes(self) -> bytes:
        """Give the content of the report's file."""
        return self.to_json().encode("utf-8", "backslashreplace")  # file names that are not UTF-8 become JSON escapes

    @classmethod
    def from_json(cls, text: str, source: str = "the text") -> Report:
        """Read what ``to_json`` wrote.

        Args:
            text: the content of the file.
            source: the name of the file, for messages.

        Raises:
            InputError: the text is not a report, or its format is newer than this version knows.
        """
        try:
            values = json.loads(text, parse_constant=_refuse_constant)
            if isinstance(values, dict) and values.get("kind") == KIND:
                raise InputError(f"{source} is a report of depth. Tables and pictures are made of reports of labels.")
            refuse_malformed(values)
        except (ValueError, RecursionError) as error:
            raise InputError(
                f"Expected {source} to be a report of `densezero evaluate`; it cannot be read as one: {error}. Run the "
                "evaluation again."
            ) from None
        known = {each.name for each in fields(cls)}
        values = {name: value for name, value in values.items() if name in known}
        values["per_image"] = [ImageScore(*(score[name] for name in _IMAGE_FIELDS)) for score in values["per_image"]]
        return cls(**values)


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"expected numbers, got {name}")


def read_report(file: Path) -> Report:
    """Read the file of a report.

    Raises:
        InputError: the file cannot be read, or is not a report.
    """
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise InputError(f"Expected a report at {file}; it cannot be read ({error}). Check the path.") from None
    return Report.from_json(text, str(file))


def score_counts(
    confusion: NDArray[np.int64], names: Sequence[str]
) -> tuple[dict[str, float | None], dict[str, float | None]]:
    """Compute the scores of a confusion matrix, and the IoU of each class, both by name.

    Args:
        confusion: (C, C) pixel counts; rows are true classes, columns predicted classes.
        names: names of the C classes.

    Returns:
        The scores and the IoU of each class, in percent; None where no pixel counts.
    """
    scores = iou_scores(confusion)
    overall = {
        "miou": scores.miou,
        "pixel_accuracy": scores.pixel_accuracy,
        "mean_accuracy": scores.mean_accuracy,
        "frequency_weighted_iou": scores.frequency_weighted_iou,
    }
    per_class = dict(zip(names, scores.per_class.tolist(), strict=True))
    return {name: _number(value) for name, value in overall.items()}, {n: _number(v) for n, v in per_class.items()}


def score_image(name: str, confusion: NDArray[np.int64]) -> ImageScore:
    """Compute the scores of one image from its (C, C) pixel counts."""
    scores = iou_scores(confusion)
    return ImageScore(name, _number(scores.miou), _number(scores.pixel_accuracy))


def _number(value: float) -> float | None:
    return None if math.isnan(value) else float(value)


def refuse_odd_counts(report: Report, file: Path) -> None:
    """Refuse a report that was edited by hand into something that cannot be drawn."""
    size = len(report.per_class)
    whole = size > 0 and len(report.confusion) == size and all(len(row) == size for row in report.confusion)
    worded = not report.vocabulary or len(ClassList.from_json(json.dumps(report.vocabulary))) == size
    if not whole or not worded:
        raise InputError(
            f"Expected {file} to have as many rows and columns in its confusion matrix, and as many classes in its "
            f"vocabulary, as it has classes, {size}, and at least one. Run the evaluation again."
        )
