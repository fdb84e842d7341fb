"""What a run of ``speed.py`` measures, and what its parts share: models, text vectors, segmenters, tables."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from photographs import photograph
from random_model import write_random_model
from torch import Tensor

import densezero
from densezero.encoders.base import DenseEncoder
from densezero.encoders.device import pick_dtype
from densezero.engine import Protocol
from densezero.images import plan_resize, to_pixels

WORD_PHOTOGRAPHS = (3, 4, 5)  # no part measures these
WORD_SIDE_PX, MOST_CLASSES, NOISE = 448, 847, 0.2
NO_BFLOAT16 = "not measured: this processor has no bfloat16"


@dataclass(frozen=True)
class Table:
    """Rows of one kind of result; values that are lists go into the JSON alone."""

    title: str
    rows: list[dict[str, Any]]


@dataclass(frozen=True)
class Request:
    """What is measured.

    Args:
        work: folder for models, pictures and results.
        sizes: letters of published sizes.
        dtype: ``auto``, which is float32 and bfloat16 where the processor computes in it, or one of the two.
        repeats: rounds of everything that is timed.
        images: photographs of the folder.
        links: most images of the run whose memory is watched.
    """

    work: Path
    sizes: tuple[str, ...]
    dtype: str
    repeats: int
    images: int
    links: int

    @cached_property
    def dtypes(self) -> tuple[str, ...]:
        """Numeric types that are measured."""
        if self.dtype != "auto":
            return (self.dtype,)
        has_bfloat16 = pick_dtype("auto", torch.device("cpu")) == torch.bfloat16
        return ("float32", "bfloat16") if has_bfloat16 else ("float32",)

    @property
    def lacks_bfloat16(self) -> bool:
        """Whether bfloat16 would have been measured on another processor."""
        return self.dtype == "auto" and len(self.dtypes) == 1

    def model(self, size: str) -> Path:
        """The folder of the random model of a size, written once."""
        folder = self.work / f"random-{size}"
        if not (folder / "config.json").exists():
            write_random_model(folder, size)
        return folder

    def encoder(self, size: str, dtype: str) -> DenseEncoder:
        """The random model of a size."""
        return densezero.load_encoder(str(self.model(size)), device="cpu", dtype=dtype)

    def vectors(self, size: str, classes: int) -> Tensor:
        """(C, D) unit text vectors of a size's random model, the same for every numeric type."""
        file = self.model(size) / "vectors.npy"
        if not file.exists():
            np.save(file, vectors_near_features(self.encoder(size, "float32"), MOST_CLASSES).numpy())
        return torch.from_numpy(np.load(file)[:classes])


def vectors_near_features(encoder: DenseEncoder, classes: int) -> Tensor:
    """Text vectors as a trained model has them: each near some patches of photographs, of others than are measured.

    Random directions would give a few classes to every pixel, with near ties everywhere.

    Returns:
        (C, D) of length 1.
    """
    plan = plan_resize((WORD_SIDE_PX, WORD_SIDE_PX), WORD_SIDE_PX)
    grids = [
        encoder.encode_dense(torch.from_numpy(to_pixels(photograph(index, plan.image_hw), plan)))
        for index in WORD_PHOTOGRAPHS
    ]
    features = F.normalize(torch.cat(grids).flatten(0, 2), dim=-1)  # (patches, D)
    random = torch.Generator().manual_seed(0)
    chosen = features[torch.randperm(len(features), generator=random)[:classes]]
    noise = F.normalize(torch.randn(chosen.shape, generator=random), dim=-1)
    return F.normalize(chosen + NOISE * noise, dim=-1)


def segmenter_with(encoder: DenseEncoder, vectors: Tensor, protocol: str | Protocol) -> densezero.Segmenter:
    """Make a Segmenter with these text vectors, one for each class; the text tower is never loaded."""
    names = [f"class {index}" for index in range(len(vectors))]
    return densezero.Segmenter(encoder, names, protocol, text_embeddings=vectors)
