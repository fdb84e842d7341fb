"""Depth, normals and labels of an image, by a frozen encoder and trained heads."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from densezero.encoders.base import DenseEncoder
from densezero.encoders.batches import batches_by_size
from densezero.encoders.device import plain_torch, to_numpy, upload_pixels
from densezero.errors import InputError, ModelError
from densezero.heads.classes import known_classes
from densezero.heads.fit import head_blocks, require_fit
from densezero.heads.head import Head
from densezero.heads.names import DEFAULT_SIDE_PX, DEPTH, SEGMENTATION
from densezero.heads.prediction import DensePrediction
from densezero.images import resize_rgb
from densezero.images.any_image import AnyImage, as_rgb
from densezero.images.geometry import ResizePlan
from densezero.vocabulary.classes import ClassList

LONGEST_PX = 4096
"""Limit for the long side of the model input, as in the protocols of TIPSv2; it matters for very long strips only."""

Features = dict[int, tuple[Tensor, Tensor]]
"""Of one image: block number to class token (1, D) and grid (1, D, gh, gw)."""


class DensePredictor:
    """Predicts depth, normals or labels of images with an encoder and its heads, without training.

    Args:
        encoder: from ``load_encoder``: the one that the heads were trained on.
        head: a head from ``load_head``, or several for different tasks; one pass of the encoder serves them all. They
            are moved to the device of the encoder.
        side_px: short side of the model input, pixels, rounded to a multiple of the patch. A larger one gives finer
            maps and takes more time. The published heads were trained at 448.
        square: squeeze the image to a square, as the official notebook does; else its ratio is kept.

    Raises:
        ModelError: if a head does not fit the encoder, there is none, or two have the same task.
        InputError: if the side is below 1.

    Example:
        >>> import densezero
        >>> from densezero.heads import DensePredictor
        >>> encoder = densezero.load_encoder("tipsv2-b14-dpt")  # doctest: +SKIP
        >>> head = densezero.load_head("tipsv2-b14", "depth")  # doctest: +SKIP
        >>> DensePredictor(encoder, head).predict("photo.jpg").depth  # doctest: +SKIP
    """

    def __init__(
        self,
        encoder: DenseEncoder,
        head: Head | Sequence[Head],
        side_px: int = DEFAULT_SIDE_PX,
        square: bool = False,
    ) -> None:
        if not hasattr(encoder, "encode_dense"):
            raise ModelError(f"Expected an encoder from densezero.load_encoder; got {encoder!r}.")
        heads = (head,) if isinstance(head, Head) else tuple(head)
        if not heads or not all(isinstance(one, Head) for one in heads):
            raise ModelError(f"Expected a head from densezero.load_head, or several; got {head!r}.")
        if len({one.task for one in heads}) < len(heads):
            raise ModelError(f"Expected heads for different tasks; got {', '.join(one.task for one in heads)}.")
        if side_px < 1:
            raise InputError(f"Expected side_px of at least 1; got {side_px}. Try {DEFAULT_SIDE_PX}.")
        for one in heads:
            require_fit(encoder, one)
        self.encoder, self.heads = encoder, heads
        self.side_px, self.square = side_px, square

    @plain_torch()
    def predict(self, image: AnyImage) -> DensePrediction:
        """Predict the maps of one image.

        Args:
            image: the path of a file, a Pillow image, a uint8 array (H, W, 3), or a tensor (3, H, W), uint8 or
                floating-point in [0, 1]. Arrays and tensors are in RGB.

        Returns:
            The maps of all heads at the image's own size.

        Raises:
            InputError: if the image cannot be used, or its features are not finite.
        """
        rgb = as_rgb(image)  # (H, W, 3)
        plan = self.plan((rgb.shape[0], rgb.shape[1]))
        (features,) = self.encode([resize_rgb(rgb, plan.input_hw)])
        maps = self.decode(features, plan.image_hw)
        if isinstance(image, str | os.PathLike):
            return DensePrediction(maps, Path(image).absolute(), self.classes)  # read again when it is drawn
        return DensePrediction(maps, rgb.copy() if rgb is image else rgb, self.classes)  # the caller may change it

    @property
    def classes(self) -> ClassList | None:
        """The classes of the labels; None without a segmentation head, or if they are not known."""
        return next((known_classes(head) for head in self.heads if head.task == SEGMENTATION), None)

    def plan(self, image_hw: tuple[int, int]) -> ResizePlan:
        """Plan the model input of an image of (H, W)."""
        return plan_input(image_hw, self.encoder.patch_px, self.side_px, self.square)

    @plain_torch()
    def encode(self, inputs: Sequence[NDArray[np.uint8]]) -> list[Features]:
        """Encode model inputs (h, w, 3), each once for all heads; those of one size together.

        Returns:
            For each input: block number to class token (1, D) and grid (1, D, gh, gw).
        """
        blocks = sorted({block for head in self.heads for block in head_blocks(self.encoder, head)})
        pixels = [upload_pixels(each, self.encoder.device) for each in inputs]  # (1, 3, h, w) each
        encoded: dict[int, Features] = {}
        for batch in batches_by_size(pixels, range(len(pixels)), self.encoder.batch_pixels):
            found = self.encoder.encode_blocks(torch.cat([pixels[index] for index in batch]), blocks)
            for row, index in enumerate(batch):
                pairs = ((cls[row, None], grid[row, None].permute(0, 3, 1, 2)) for cls, grid in found)
                encoded[index] = dict(zip(blocks, pairs, strict=True))
        return [encoded[index] for index in range(len(inputs))]

    @plain_torch()
    def decode(self, features: Features, image_hw: tuple[int, int]) -> dict[str, NDArray[Any]]:
        """Compute the maps of all heads, by task, from the features of one image of (H, W).

        Raises:
            InputError: if the features are not finite.
        """
        return {head.task: self._decode(head, features, image_hw) for head in self.heads}

    def choose(self, head: Head, features: Features) -> list[tuple[Tensor, Tensor]]:
        """Choose the features that a head takes, and move the head to where they are.

        Raises:
            InputError: if the features are not finite.
        """
        head.to(self.encoder.device)  # which may have been moved since
        chosen = [features[block] for block in head_blocks(self.encoder, head)]
        if not all(torch.isfinite(tensor).all() for pair in chosen for tensor in pair):
            raise InputError(
                f"The features of {self.encoder.name} are not finite for this image. Load the encoder with float32."
            )
        return chosen

    def _decode(self, head: Head, features: Features, image_hw: tuple[int, int]) -> NDArray[Any]:
        chosen = self.choose(head, features)
        if head.task == SEGMENTATION:
            return to_numpy(head.labels(chosen, image_hw)[0])  # (H, W)
        values = head(chosen, image_hw)[0]
        return to_numpy(values if head.task == DEPTH else values.permute(1, 2, 0).contiguous())


def plan_input(image_hw: tuple[int, int], patch_px: int, side_px: int, square: bool) -> ResizePlan:
    """Plan the model input of an image: its sides are multiples of the patch.

    Args:
        image_hw: (H, W) of the image, pixels.
        patch_px: side of a patch, pixels.
        side_px: short side of the input, pixels. It is shorter where the long side would be above 4096.
        square: both sides are the short side; else the ratio is kept, as far as multiples of the patch allow.

    Example:
        >>> plan_input((512, 683), patch_px=14, side_px=448, square=False).input_hw  # 32 x 43 patches
        (448, 602)
    """
    target, side = side_px, min(image_hw)  # the factor is target / side
    lengths = (side, side) if square else image_hw
    if LONGEST_PX * min(lengths) < side_px * max(lengths):
        target, side = LONGEST_PX, max(lengths)
    step = side * patch_px
    patches = [max(1, (2 * length * target + step) // (2 * step)) for length in lengths]  # rounded to nearest
    return ResizePlan(image_hw, (patches[0] * patch_px, patches[1] * patch_px))
