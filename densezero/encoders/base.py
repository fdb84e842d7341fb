"""The one interface that every encoder answers to."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from densezero.errors import ModelError


class DenseEncoder(ABC):
    """An image encoder with a feature for every patch, and usually a text encoder in the same space.

    Attributes:
        name: what the user asked for, as written into reports.
        patch_px: side of a square patch, pixels.
        native_px: image side that the encoder was trained at, pixels.
        width: channels D of a feature.
        temperature: what the contrastive loss divided cosines by; None where it is not known.
        device: where the towers compute.
        dtype: numeric type of the vision tower; text is always encoded in float32.
        readouts: names of the read-outs that it has, out of ``READOUTS``.
    """

    name: str
    patch_px: int
    native_px: int
    width: int
    temperature: float | None
    device: torch.device
    dtype: torch.dtype
    readouts: tuple[str, ...]
    batch_pixels: int = 4 * 448 * 448

    @property
    @abstractmethod
    def weights_hash(self) -> str:
        """SHA-256 over the weight files, hexadecimal."""

    @abstractmethod
    def encode_dense(self, pixels: Tensor, readout: str = "value") -> Tensor:
        """Encode images into a grid of patch features.

        Args:
            pixels: (B, 3, h, w) float32 in [0, 1], RGB; sides that are no multiples of the patch are stretched to the
                next multiple.
            readout: one of ``readouts``.

        Returns:
            (B, gh, gw, D) float32 on the encoder's device, not normalised.

        Raises:
            ModelError: for a read-out that the encoder lacks.
        """

    @abstractmethod
    def encode_text(self, prompts: Sequence[str]) -> Tensor:
        """Encode N prompts into (N, D) float32 embeddings, not normalised.

        Raises:
            ModelError: if the encoder has no text tower.
        """

    def release_text(self) -> None:  # noqa: B027 - most encoders have nothing to let go of
        """Let go of the text tower's weights where they lie apart; they are read again when a text comes."""

    @property
    def has_text(self) -> bool:
        """Whether ``encode_text`` gives embeddings; no for encoders of images alone."""
        return True

    @property
    def note(self) -> str | None:
        """One line that a user should read before trusting the results; None for ordinary models."""
        return None


def stretch_to_patch(pixels: Tensor, patch_px: int) -> Tensor:
    """Stretch (B, 3, h, w) to the next multiples of the patch: bicubic without antialias, as the notebook has it."""
    h, w = pixels.shape[-2:]
    if h < 1 or w < 1:
        raise ModelError(f"Expected images of at least 1 x 1 pixel; got {h} x {w}.")
    hw = (-(-h // patch_px) * patch_px, -(-w // patch_px) * patch_px)
    if hw == (h, w):
        return pixels
    return F.interpolate(pixels, size=hw, mode="bicubic", align_corners=False)
