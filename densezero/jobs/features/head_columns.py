"""Columns of a feature figure that trained heads predict: depth, on one scale for all images, and normals."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from densezero.features.choices import DEPTH_COLORMAP
from densezero.features.encoder_cache import EncoderCache
from densezero.features.figure.colours import heat_rgb, to_bytes
from densezero.features.figure.heat import Scale
from densezero.heads.fit import require_fit
from densezero.heads.head import Head
from densezero.heads.names import DEPTH
from densezero.heads.open import open_heads
from densezero.heads.predictor import DensePredictor
from densezero.images import resize_rgb
from densezero.output.normals_png import normals_to_rgb

Maps = Mapping[str, NDArray[np.float32]]
"""Of one image: depth (H, W) in metres, normals (H, W, 3)."""


def load_heads(encoders: EncoderCache, model: str, tasks: tuple[str, ...]) -> list[Head]:
    """Load the heads of a model before any work.

    Raises:
        ModelError: if the model lacks one of them, naming the models that have heads.
    """
    heads = open_heads(model, tasks)
    for head in heads:
        require_fit(encoders.take(model), head)
    return heads


def predict_maps(predictor: DensePredictor, rgb: NDArray[np.uint8], picture_hw: tuple[int, int]) -> Maps:
    """Predict the maps of an image (H, W, 3) at the size of its pictures."""
    plan = predictor.plan((int(rgb.shape[0]), int(rgb.shape[1])))
    (features,) = predictor.encode([resize_rgb(rgb, plan.input_hw)])
    return predictor.decode(features, picture_hw)


def depth_scale(maps: list[Maps]) -> Scale | None:
    """The nearest and the farthest depth of all images, metres; None without depth."""
    depths = [each[DEPTH] for each in maps if DEPTH in each]
    return Scale(float(min(map(np.min, depths))), float(max(map(np.max, depths)))) if depths else None


def paint_map(task: str, values: NDArray[np.float32], scale: Scale | None) -> NDArray[np.uint8]:
    """Draw a map as a picture (H, W, 3)."""
    if task != DEPTH:
        return normals_to_rgb(values)
    assert scale is not None, "depth has its scale"
    return to_bytes(heat_rgb(scale.share(values), DEPTH_COLORMAP))
