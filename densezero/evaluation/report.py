"""The report of an evaluation: scores, the counts they come from, and all that is needed to run it again."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from types import NoneType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from densezero.errors import InputError
from densezero.metrics import iou_scores

FORMAT = 2
"""1: without ``files_sha256``."""


@dataclass(frozen=True)
class ImageScore:
    """How one image came out.

    Args:
        name: of the pair in the data set.
        miou: mean IoU over the classes of this image alone, percent; None where every pixel is ignored. For finding
            images, never for averaging.
        pixel_accuracy: percent; None where every pixel is ignored.
    """

    name: str
    miou: float | None
    pixel_accuracy: float | None


@dataclass(frozen=True)
class Report:
    """One evaluation.

    Args:
        dataset: name of the data set.
        model: name of the encoder, as it was asked for.
        protocol: name of the protocol.
        images: number of images.
        scores: ``miou, pixel_accuracy, mean_accuracy, frequency_weighted_iou`` and, if asked for, ``boundary_miou`` in
            percent, unrounded; None where nothing counts.
        per_class: class name to IoU in percent; None for a class that is nowhere.
        confusion: rows truth, columns prediction.
        per_image: each image's own scores, in the order of the data set.
        request: what decides the numbers: data set, split, selection, protocol, words, weights, numeric type.
        machine: versions, device and processor.
        seconds: time for each stage, added up over the processes.
        vocabulary: the words, as ``ClassList.to_json`` writes them; empty in reports of before they were kept.
        templates: the sentences that the words were set in; empty in reports of before they were kept.
        files_sha256: of the images and labels, as they were measured; empty in reports of before it was kept.
        format: of this file.
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
    format: int = FORMAT

    def to_json(self) -> str:
        """Write the report as JSON, a row of the confusion matrix on a line."""
        values = asdict(self)
        rows = ",\n  ".join(json.dumps(row) for row in values.pop("confusion"))
        vocabulary = json.dumps(values.pop("vocabulary"), ensure_ascii=False)
        head = json.dumps(values, ensure_ascii=False, indent=1, allow_nan=False)
        return f'{head[:-2]},\n "vocabulary": {vocabulary},\n "confusion": [\n  {rows}\n ]\n}}\n'

    def to_bytes(self) -> bytes:
        """Give the report as the content of its file."""
        return self.to_json().encode("utf-8", "backslashreplace")  # file names that are no text become JSON escapes

    @classmethod
    def from_json(cls, text: str, source: str = "the text") -> Report:
        """Read what ``to_json`` wrote.

        Raises:
            InputError: if it is no report.
        """
        try:
            values = json.loads(text)
            _refuse_other_format(values.get("format", 1))
            known = {each.name for each in fields(cls)}
            values = {name: value for name, value in values.items() if name in known}
            values["per_image"] = [ImageScore(**score) for score in values["per_image"]]
            report = cls(**values)
            _refuse_odd_fields(vars(report))
            return report
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise InputError(
                f"Expected {source} to be a report of `densezero evaluate`; it cannot be read as one "
                f"({type(error).__name__}: {error}). Run the evaluation again."
            ) from None


def _refuse_other_format(number: Any) -> None:
    """Raise ValueError for a format that this version does not know."""
    if not isinstance(number, int) or isinstance(number, bool) or number < 1:
        raise ValueError(f"expected format as a number from 1 to {FORMAT}, got {number!r}")
    if number > FORMAT:
        raise ValueError(f"its format is {number}, and this version of densezero knows formats up to {FORMAT}")


def _refuse_odd_fields(values: dict[str, Any]) -> None:
    """Raise TypeError or KeyError where a field is not what its readers take it for."""
    kinds = {"dataset": str, "model": str, "protocol": str, "images": int, "confusion": list, "templates": list}
    kinds |= dict.fromkeys(("scores", "per_class", "request", "machine", "seconds", "vocabulary"), dict)
    odd = [name for name, kind in kinds.items() if not isinstance(values[name], kind)]
    if not odd and not isinstance(values["scores"]["miou"], (int, float, NoneType)):
        odd.append("scores.miou")
    if odd:
        raise TypeError(f"{', '.join(odd)} of another type")


def read_report(file: Path) -> Report:
    """Read a report's file.

    Raises:
        InputError: if it cannot be read, or is no report.
    """
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise InputError(f"Expected a report at {file}; it cannot be read ({error}).") from None
    return Report.from_json(text, str(file))


def score_counts(
    confusion: NDArray[np.int64], names: Sequence[str]
) -> tuple[dict[str, float | None], dict[str, float | None]]:
    """The scores of a confusion matrix by name, and the IoU of each class by name: percent, None where absent."""
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
    """One image's own scores."""
    scores = iou_scores(confusion)
    return ImageScore(name, _number(scores.miou), _number(scores.pixel_accuracy))


def _number(value: float) -> float | None:
    return None if math.isnan(value) else float(value)
