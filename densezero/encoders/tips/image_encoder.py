"""A TIPS vision tower behind the common interface, without words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor

from densezero.encoders.base import DenseEncoder, stretch_to_patch
from densezero.encoders.blocks import BlockFeatures
from densezero.encoders.device import pixels_at_once, plain_torch
from densezero.encoders.file_hash import file_sha256
from densezero.encoders.readouts import READOUTS
from densezero.encoders.tips.vision import VisionTower
from densezero.encoders.weights import facts_sha256
from densezero.errors import ModelError


class TipsImageEncoder(DenseEncoder):
    """A TIPS vision tower.

    Args:
        name: the model's name in reports.
        vision: vision tower with its weights, on its device and in its numeric type.
        weight_files: the files of the weights, for the hash.
        device: where the vision tower is.
        dtype: numeric type that the vision tower computes in.
    """

    temperature: float | None = None

    def __init__(
        self,
        name: str,
        vision: VisionTower,
        weight_files: tuple[Path, ...],
        device: torch.device,
        dtype: torch.dtype,
    ) -> None:
        self.name = name
        self.vision = vision.eval().requires_grad_(False)
        self.patch_px = vision.config.patch_px
        self.native_px = vision.config.native_px
        self.width, self.depth = vision.config.width, vision.config.depth
        self.device, self.batch_pixels = device, pixels_at_once(device)
        self.dtype = dtype
        self.readouts = tuple(READOUTS)
        self._weight_files = weight_files

    @cached_property
    def weights_hash(self) -> str:
        """SHA-256 over the weight files, and the sizes and heads of the tower."""
        weights = [file_sha256(file) for file in self._weight_files]
        return facts_sha256({"weights": weights, "vision": asdict(self.vision.config)})

    @property
    def has_text(self) -> bool:
        """False: the file holds no text tower."""
        return False

    @plain_torch()
    def encode_dense(self, pixels: Tensor, readout: str = "value") -> Tensor:
        """Encode (B, 3, h, w) in [0, 1] into (B, gh, gw, D) float32 patch features."""
        stretched = stretch_to_patch(pixels, self.patch_px).to(self.device)
        return self.vision(stretched, readout).grid.float()  # type: ignore[no-any-return]

    @plain_torch()
    def encode_blocks(self, pixels: Tensor, blocks: Sequence[int]) -> list[BlockFeatures]:
        """Encode (B, 3, h, w) in [0, 1] once into the features after several blocks; see ``DenseEncoder``."""
        stretched = stretch_to_patch(pixels, self.patch_px).to(self.device)
        found = self.vision.read_blocks(stretched, blocks)
        return [BlockFeatures(features.cls[:, 0].float(), features.grid.float()) for features in found]

    def encode_text(self, prompts: Sequence[str]) -> Tensor:  # noqa: ARG002 - the interface's own signature
        """Raise ModelError, because this encoder has no text tower."""
        raise ModelError(
            f"{self.name} encodes images only; its files hold no text tower. For class names take the model itself, "
            f"for example {self.name.removesuffix('-dpt')}."
        )

    def _move(self, device: torch.device) -> None:
        self.vision.to(device)
