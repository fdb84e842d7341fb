"""Trained decoders on frozen features: depth, surface normals, and segmentation into ADE20K's classes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from densezero.lazy import lazy_names

if TYPE_CHECKING:
    from densezero.heads.head import Head
    from densezero.heads.load import load_head
    from densezero.heads.names import TASKS
    from densezero.heads.prediction import DensePrediction
    from densezero.heads.predictor import DensePredictor

__all__ = ["TASKS", "DensePrediction", "DensePredictor", "Head", "load_head"]

__getattr__ = lazy_names(
    __name__,
    {
        "TASKS": "densezero.heads.names",
        "DensePrediction": "densezero.heads.prediction",
        "DensePredictor": "densezero.heads.predictor",
        "Head": "densezero.heads.head",
        "load_head": "densezero.heads.load",
    },
)
