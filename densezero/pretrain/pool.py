"""A pool of drawn scenes on disk, and random crops of them at many scales."""

from __future__ import annotations

import json
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from densezero.pretrain.captions import visible_mentions
from densezero.pretrain.scenes import Mention, Scene, draw_scene

POOL_PX = 224
TRAINING_STREAM = 1  # first number of all training seeds; scenes for evaluation have other first numbers


@dataclass(frozen=True)
class Batch:
    """A batch of crops of scenes.

    Args:
        pixels: (B, 3, side, side) float32 in [0, 1].
        labels: (B, side, side) uint8 concept indices.
        mentions: for each crop, the visible concepts of the whole scene.
    """

    pixels: Tensor
    labels: Tensor
    mentions: list[tuple[Mention, ...]]


class ScenePool:
    """Scenes in memory-mapped files. They are drawn once and used many times."""

    def __init__(self, folder: Path, count: int) -> None:
        self.count = count
        if not (folder / "mentions.json").exists():
            _draw_pool(folder, count)
        shape = (count, POOL_PX, POOL_PX)
        self._rgb = np.memmap(folder / "rgb.u8", np.uint8, "r", shape=(*shape, 3))
        self._labels = np.memmap(folder / "labels.u8", np.uint8, "r", shape=shape)
        listed = json.loads((folder / "mentions.json").read_text())
        self._mentions = [tuple(Mention(*pair) for pair in scene) for scene in listed]

    def label_counts(self, concepts: int) -> NDArray[np.int64]:
        """(C,) pixels of each concept in the first 1000 scenes of the pool."""
        return np.bincount(self._labels[:1000].ravel(), minlength=concepts)

    def batch(self, step: int, size: int, side_px: int) -> Batch:
        """Make the batch of a training step. The same step always gives the same batch."""
        rng = np.random.default_rng((TRAINING_STREAM, 7, step))
        chosen = rng.integers(0, self.count, size)
        crops = [self._crop(index, rng, side_px) for index in chosen]
        pixels = torch.stack([crop[0] for crop in crops])
        noise = torch.from_numpy(rng.normal(0, 1, pixels.shape).astype(np.float32))
        pixels = (pixels + noise * float(rng.uniform(0, 0.03))).clamp(0, 1)
        return Batch(pixels, torch.stack([crop[1] for crop in crops]), [self._mentions[i] for i in chosen])

    def _crop(self, index: int, rng: np.random.Generator, side_px: int) -> tuple[Tensor, Tensor]:
        least = max(side_px // 2, 72) if side_px <= POOL_PX else side_px // 3
        crop_px = POOL_PX if rng.random() < 0.4 else int(rng.integers(least, POOL_PX + 1))
        y, x = rng.integers(0, POOL_PX - crop_px + 1, 2)
        window = np.s_[index, y : y + crop_px, x : x + crop_px]
        rgb = torch.from_numpy(np.array(self._rgb[window])).permute(2, 0, 1)[None].float() / 255
        labels = torch.from_numpy(np.array(self._labels[window]))[None, None]
        hw = (side_px, side_px)
        if crop_px != side_px:
            rgb = F.interpolate(rgb, hw, mode="bilinear", antialias=True, align_corners=False)
            labels = F.interpolate(labels, hw, mode="nearest-exact")
        if rng.random() < 0.5:
            rgb, labels = rgb.flip(-1), labels.flip(-1)
        return rgb[0], labels[0, 0]


def _draw_pool(folder: Path, count: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    shape = (count, POOL_PX, POOL_PX)
    rgb = np.memmap(folder / "rgb.u8", np.uint8, "w+", shape=(*shape, 3))
    labels = np.memmap(folder / "labels.u8", np.uint8, "w+", shape=shape)
    mentions = []
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as workers:
        for index, scene in enumerate(workers.map(_draw_one, range(count), chunksize=32)):
            rgb[index], labels[index] = scene.rgb, scene.labels
            mentions.append([(m.concept, m.tint) for m in visible_mentions(scene)])
    rgb.flush()
    labels.flush()
    (folder / "mentions.json").write_text(json.dumps(mentions))


def _draw_one(index: int) -> Scene:
    return draw_scene((TRAINING_STREAM, index), (POOL_PX, POOL_PX))
