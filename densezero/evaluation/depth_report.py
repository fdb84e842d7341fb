"""The report of an evaluation of depth: the scores, those of each image, and all that is needed to run it again."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from densezero.errors import InputError
from densezero.metrics import DepthScores, DepthSums, depth_scores, mean_depth_scores

KIND: Final = "depth"
FORMAT: Final = 1


@dataclass(frozen=True)
class DepthReport:
    """The result of one evaluation of depth.

    Args:
        dataset: name of the data set.
        model: name of the model, as the user gave it.
        images: number of images.
        scores: mean over the images of the scores of each, as in published tables: ``abs_rel`` (a share of 1),
            ``rmse_m`` (metres), ``delta1``, ``delta2``, ``delta3`` (percent). None if no pixel counts.
        scores_over_pixels: the same over the pixels of all images together.
        per_image: for each image its name, its sums, and its scores.
        request: everything that decides the numbers: data set, files, model, weights, head, crop, range.
        machine: versions, device and processor.
        seconds: time of each stage.
        kind: ``"depth"``, which tells this report from one of labels.
        format: number of the file format.
    """

    dataset: str
    model: str
    images: int
    scores: dict[str, float | None]
    scores_over_pixels: dict[str, float | None]
    per_image: list[dict[str, Any]]
    request: dict[str, Any]
    machine: dict[str, Any]
    seconds: dict[str, float]
    kind: str = KIND
    format: int = FORMAT

    @classmethod
    def of(
        cls, sums: Mapping[str, DepthSums], request: dict[str, Any], machine: dict[str, Any], seconds: dict[str, float]
    ) -> DepthReport:
        """Compute the scores from the sums of each image, by name."""
        per_image = [{"name": name, **asdict(each), **_plain(depth_scores(each))} for name, each in sums.items()]
        return cls(
            dataset=request["dataset"],
            model=request["model"],
            images=len(sums),
            scores=_plain(mean_depth_scores(list(sums.values()))),
            scores_over_pixels=_plain(depth_scores(sum(sums.values(), DepthSums()))),
            per_image=per_image,
            request=request,
            machine=machine,
            seconds={stage: round(time, 3) for stage, time in seconds.items()},
        )

    def to_bytes(self) -> bytes:
        """Give the content of the report's file."""
        return (json.dumps(asdict(self), indent=1, allow_nan=False) + "\n").encode()


def read_depth_report(file: Path) -> DepthReport:
    """Read the file of a report.

    Raises:
        InputError: if the file cannot be read, or is not a report of depth that this version knows.
    """
    try:
        values = json.loads(file.read_text(encoding="utf-8"))
        if (values["kind"], values["format"]) != (KIND, FORMAT):
            raise ValueError(f"its kind is {values['kind']!r}, its format {values['format']!r}")
        return DepthReport(**values)
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise InputError(
            f"Expected {file} to be a report of depth; it cannot be read as one ({type(error).__name__}: {error})."
        ) from None


def _plain(scores: DepthScores) -> dict[str, float | None]:
    """Scores as JSON has them: None in place of NaN."""
    return {name: None if math.isnan(value) else value for name, value in asdict(scores).items()}
