"""Encodes crops of several images together, as many as the device's memory holds."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from densezero.encoders.base import DenseEncoder
from densezero.encoders.device import free_memory, is_out_of_memory
from densezero.errors import DenseZeroWarning


def encode_crops(encoder: DenseEncoder, crops: Sequence[Tensor], readout: str) -> Iterator[tuple[list[int], Tensor]]:
    """Encode crops; those of one size go through the encoder together.

    Where a GPU's memory is too small for a batch, ``encoder.batch_pixels`` is halved, a warning says so, and the crops
    that remain are encoded in smaller batches.

    Args:
        encoder: gives the features.
        crops: (1, 3, h, w) float32 in [0, 1] each.
        readout: of the encoder's last block.

    Yields:
        The indices of B crops, and their features (B, gh, gw, D). Every crop comes once.
    """
    waiting = batches_by_size(crops, range(len(crops)), encoder.batch_pixels)
    while waiting:
        chosen = waiting.pop(0)
        features = _encode(encoder, torch.cat([crops[index] for index in chosen]), readout)
        if features is None:
            remaining = [index for batch in [chosen, *waiting] for index in batch]
            waiting = batches_by_size(crops, remaining, encoder.batch_pixels)
        else:
            yield chosen, features


def _encode(encoder: DenseEncoder, pixels: Tensor, readout: str) -> Tensor | None:
    """Encode a batch; return None where it needs too much memory and can be made smaller."""
    try:
        return encoder.encode_dense(pixels, readout)
    except Exception as error:
        if len(pixels) == 1 or encoder.device.type == "cpu" or not is_out_of_memory(error):
            raise
    free_memory(encoder.device)  # after the except block, whose error keeps the tensors of the failed call
    encoder.batch_pixels = len(pixels) // 2 * pixels.shape[2] * pixels.shape[3]
    warnings.warn(  # the same text each time, which Python shows once
        f"The memory of {encoder.device} is too small for the planned number of windows at once. Smaller batches are "
        "used from now on.",
        DenseZeroWarning,
        stacklevel=2,
    )
    return None


def batches_by_size(crops: Sequence[Tensor], indices: Sequence[int], batch_pixels: int) -> list[list[int]]:
    """Group the indices of crops (1, 3, h, w) by size, and cut the groups into batches of at most these pixels."""
    by_hw: dict[tuple[int, int], list[int]] = {}
    for index in indices:
        by_hw.setdefault((crops[index].shape[2], crops[index].shape[3]), []).append(index)
    batches = []
    for (height, width), group in by_hw.items():
        size = max(1, batch_pixels // (height * width))
        batches += [group[start : start + size] for start in range(0, len(group), size)]
    return batches
