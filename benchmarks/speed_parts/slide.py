"""``tips-slide`` on photographs of 683 x 512, against the plain transcription: times faster, and equal labels."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from photographs import photograph
from speed_parts.request import NO_BFLOAT16, Request, Table, segmenter_with
from timing import Ways, interleave, medians
from transcription import plain_image_scores, plain_labels, read_plain_tower

import densezero
from densezero.pretrain.concepts import CONCEPTS
from densezero.pretrain.scenes import draw_scene

HW, CLASSES, PROTOCOL = (512, 683), 150, "tips-slide"
SCENES, PHOTOGRAPHS = 4, 2
SCENE_STREAM = 5  # neither trained on, measured elsewhere, nor shown
NEAR_TIE = 0.01  # of the spread
PLAIN = "transcription"
Picture = NDArray[np.uint8]


def measure_slide(request: Request) -> Iterator[Table]:
    """Measure ``nano`` on drawn scenes and every random model on photographs."""
    yield _measure_nano(request)
    for size in request.sizes:
        yield _measure_random(request, size)
    if request.lacks_bfloat16:
        yield Table(f"{PROTOCOL}, bfloat16", [{"note": NO_BFLOAT16}])


def _measure_nano(request: Request) -> Table:
    names = [concept.name for concept in CONCEPTS]
    segmenters = {
        dtype: densezero.Segmenter(densezero.load_encoder("nano", device="cpu", dtype=dtype), names, PROTOCOL)
        for dtype in request.dtypes
    }
    vectors = next(iter(segmenters.values())).rule.bank.vectors
    scenes = [draw_scene((SCENE_STREAM, index), HW).rgb for index in range(SCENES)]
    folder = Path(str(resources.files("densezero.encoders") / "nano"))
    rows = _compare(request, segmenters, folder, vectors, scenes)
    return Table(f"{PROTOCOL}: nano, {len(names)} classes, drawn scenes of {HW[1]} x {HW[0]}", rows)


def _measure_random(request: Request, size: str) -> Table:
    vectors = request.vectors(size, CLASSES)
    segmenters = {dtype: segmenter_with(request.encoder(size, dtype), vectors, PROTOCOL) for dtype in request.dtypes}
    pictures = [photograph(index, HW) for index in range(PHOTOGRAPHS)]
    rows = _compare(request, segmenters, request.model(size), vectors, pictures)
    return Table(f"{PROTOCOL}: random {size}/14, {CLASSES} classes, photographs of {HW[1]} x {HW[0]}", rows)


def _compare(
    request: Request,
    segmenters: dict[str, densezero.Segmenter],
    folder: Path,
    vectors: torch.Tensor,
    pictures: list[Picture],
) -> list[dict[str, Any]]:
    """Time on the first picture, compare the labels of all."""
    tower = read_plain_tower(folder)
    ways: Ways = {dtype: partial(segmenter.segment, pictures[0]) for dtype, segmenter in segmenters.items()}
    ways[PLAIN] = partial(plain_labels, tower, pictures[0], vectors)
    seconds = interleave(ways, request.repeats)
    middle = medians(seconds)
    likeness = {dtype: Likeness() for dtype in segmenters}
    for picture in pictures:
        scores = plain_image_scores(tower, picture, vectors)  # (C, H, W)
        for dtype, segmenter in segmenters.items():
            likeness[dtype].add(scores, segmenter.segment(picture).labels)
    return [
        {
            "densezero in": dtype,
            "s": round(middle[dtype], 3),
            "transcription in float32, s": round(middle[PLAIN], 3),
            "times faster": round(middle[PLAIN] / middle[dtype], 2),
            **likeness[dtype].to_json(),
            "seconds": seconds[dtype],
            "transcription seconds": seconds[PLAIN],
        }
        for dtype in segmenters
    ]


class Likeness:
    """How like label maps are to the argmax of reference scores, and how near a tie the unlike pixels were.

    The gap of a pixel is that of the reference's two best scores, over the spread from its best to its worst.
    """

    def __init__(self) -> None:
        self._equal: list[NDArray[np.bool_]] = []
        self._gaps: list[NDArray[np.float32]] = []
        self._found: set[int] = set()

    def add(self, scores: torch.Tensor, labels: NDArray[np.integer]) -> None:
        """Compare the labels (H, W) of a picture with its reference scores (C, H, W)."""
        best, index = scores.topk(2, dim=0)
        expected = index[0].numpy()
        gap = (best[0] - best[1]) / (best[0] - scores.amin(0)).clamp(min=1e-30)
        self._equal.append((expected == labels).ravel())
        self._gaps.append(gap.numpy().ravel())
        self._found |= set(np.unique(expected).tolist())

    def to_json(self) -> dict[str, Any]:
        """Percent of equal labels, the classes that occur, and quantiles of the gaps in percent of the spread."""
        equal, gaps = np.concatenate(self._equal), 100 * np.concatenate(self._gaps)
        unlike = gaps[~equal]
        return {
            "equal labels %": round(100 * float(equal.mean()), 4),
            "unequal pixels": len(unlike),
            "of them near ties %": round(100 * float((unlike < 100 * NEAR_TIE).mean()), 2) if len(unlike) else None,
            "gap of the unequal, %: 50, 90, 99, 100": _quantiles(unlike) if len(unlike) else None,
            "gap of all, %": _quantiles(gaps),
            "classes found": len(self._found),
        }


def _quantiles(values: NDArray[np.float32]) -> str:
    return " ".join(f"{value:.2g}" for value in np.quantile(values, (0.5, 0.9, 0.99, 1)))
