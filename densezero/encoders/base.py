"""The interface of every encoder."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Self

import torch
import torch.nn.functional as F
from torch import Tensor

from densezero.encoders.blocks import BlockFeatures
from densezero.encoders.device import WINDOW_PX, WINDOWS_AT_ONCE, pick_device, pixels_at_once, plain_torch
from densezero.errors import ModelError


class DenseEncoder(ABC):
    """An image encoder with a feature for every patch, and usually a text encoder in the same space.

    Attributes:
        name: the model's name in reports, as the user gave it.
        patch_px: side of a square patch, pixels.
        native_px: image side that the encoder was trained at, pixels.
        width: channels D of a feature.
        temperature: the divisor of cosines in the contrastive loss; None if it is not known.
        device: where the towers compute.
        batch_pixels: number of pixels to encode in one batch, chosen when the encoder is loaded or moved.
        dtype: numeric type of the vision tower; text is always encoded in float32.
        readouts: names of the read-outs that it supports, out of ``READOUTS``.
        depth: number of transformer blocks whose features ``encode_blocks`` gives; 0 if it gives none.
    """

    name: str
    patch_px: int
    native_px: int
    width: int
    temperature: float | None
    device: torch.device
    batch_pixels: int = WINDOWS_AT_ONCE * WINDOW_PX
    dtype: torch.dtype
    readouts: tuple[str, ...]
    depth: int = 0

    @property
    @abstractmethod
    def weights_hash(self) -> str:
        """SHA-256 over everything that changes a feature: weights, sizes, pixel statistics; hexadecimal."""

    @property
    def text_hash(self) -> str:
        """SHA-256 over everything that changes a text vector, the tokenizer included; hexadecimal.

        Raises:
            ModelError: if the tokenizer cannot be loaded.
        """
        return self.weights_hash

    @abstractmethod
    def encode_dense(self, pixels: Tensor, readout: str = "value") -> Tensor:
        """Encode images into a grid of patch features.

        Args:
            pixels: (B, 3, h, w) float32 in [0, 1], RGB, on any device; sides that are not multiples of the patch are
                stretched to the next multiple.
            readout: one of ``readouts``.

        Returns:
            (B, gh, gw, D) float32 on the encoder's device, not normalised.

        Raises:
            ModelError: for a read-out that the encoder does not support, or pixels that are not floating-point numbers.
        """

    def encode_blocks(self, pixels: Tensor, blocks: Sequence[int]) -> list[BlockFeatures]:  # noqa: ARG002 - most refuse
        """Encode images once, and give the features after several transformer blocks, each through the final norm.

        Args:
            pixels: as for ``encode_dense``.
            blocks: block numbers from 0 to ``depth - 1``; negative numbers count from the end.

        Returns:
            For each number, in order: class token (B, D), or (B, 0) if there is none, and grid (B, gh, gw, D), float32
            on the encoder's device. The grid of the last block is that of ``encode_dense`` with ``patch``.

        Raises:
            ModelError: for a block that the encoder does not have, or an encoder that does not give them.
        """
        raise ModelError(
            f"{self.name} does not give the features of single blocks. Use a TIPS model, or a ViT of open_clip or timm."
        )

    @abstractmethod
    def encode_text(self, prompts: Sequence[str]) -> Tensor:
        """Encode N prompts into (N, D) float32 embeddings, not normalised.

        Raises:
            ModelError: if the encoder has no text tower.
        """

    def to(self, device: str | torch.device) -> Self:
        """Move the encoder to another device. Its numeric types stay as they are.

        Args:
            device: ``auto``, ``cpu``, ``cuda``, ``cuda:N`` or ``mps``.

        Returns:
            This encoder.

        Raises:
            ModelError: for an unknown device, or one that this machine does not have.
        """
        target = pick_device(str(device))
        with plain_torch(inference=False):
            self._move(target)
        self.device, self.batch_pixels = target, pixels_at_once(target)
        return self

    def _move(self, device: torch.device) -> None:
        raise ModelError(f"{self.name} cannot be moved to {device}: its class has no way to. Load it on that device.")

    def release_text(self) -> None:  # noqa: B027 - most encoders have nothing to free
        """Free the text tower's weights if the next text can read them from their file again."""

    @property
    def has_text(self) -> bool:
        """Whether the encoder has a text tower. Encoders of images only have none."""
        return True

    @property
    def note(self) -> str | None:
        """One line that the user should read before using the results; None for most models."""
        return None


def stretch_to_patch(pixels: Tensor, patch_px: int) -> Tensor:
    """Stretch (B, 3, h, w) to the next multiples of the patch: bicubic without antialias, as in the official notebook.

    Apple GPUs lack this resize in some versions of torch, so the CPU does it for them.
    """
    if not pixels.is_floating_point():
        raise ModelError(f"Expected pixels as float32 in [0, 1]; got {pixels.dtype}. Divide 8-bit pixels by 255.")
    pixels = pixels.float()
    h, w = pixels.shape[-2:]
    if h < 1 or w < 1:
        raise ModelError(f"Expected images of at least 1 x 1 pixel; got {h} x {w}.")
    hw = (-(-h // patch_px) * patch_px, -(-w // patch_px) * patch_px)
    if hw == (h, w):
        return pixels
    nearby = pixels.cpu() if pixels.device.type == "mps" else pixels
    return F.interpolate(nearby, size=hw, mode="bicubic", align_corners=False)
