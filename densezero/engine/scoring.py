"""From pixels to scores: images in windows, windows through the encoder, patch features against the text bank."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from densezero.encoders.base import DenseEncoder
from densezero.encoders.device import pixels_at_once
from densezero.engine.protocol import Protocol
from densezero.engine.scores import BlendedScores, GridScores, ScoreMap
from densezero.errors import InputError
from densezero.images.windows import Window, window_boxes
from densezero.vocabulary.text_bank import TextBank


def cosine(features: Tensor, text: Tensor) -> Tensor:
    """Cosine of every patch with every text vector.

    Args:
        features: (B, gh, gw, D), of any length.
        text: (P, D), of any length.

    Returns:
        (B, P, gh, gw) float32 in [-1, 1]; in memory the words come last.
    """
    units = F.normalize(features.float(), dim=-1)
    similarity = units @ F.normalize(text.float().to(units.device), dim=-1).T  # (B, gh, gw, P)
    return similarity.permute(0, 3, 1, 2)


def score_maps(encoder: DenseEncoder, images: Sequence[Tensor], bank: TextBank, protocol: Protocol) -> list[ScoreMap]:
    """Encode images and score them against the text bank.

    Windows of one size go through the encoder together, of whichever image they are, as many as memory allows.

    Args:
        encoder: gives patch features.
        images: (1, 3, h, w) pixels of each, float32 in [0, 1], on the encoder's device.
        bank: unit text vectors.
        protocol: whole or windows, and what overlapping windows average.

    Returns:
        For each image (h, w) of K classes that have words, or of K words where the protocol takes their softmax at the
        end; for whole images without a scale the map is the patch grid itself, which is resized once.

    Raises:
        InputError: if the pixels of an image are no (1, 3, h, w).
    """
    for pixels in images:
        if pixels.ndim != 4 or pixels.shape[:2] != (1, 3):
            raise InputError(
                f"Expected the pixels of an image, (1, 3, h, w); got {tuple(pixels.shape)}. Pass it alone."
            )
    windows = [_windows_of(pixels, protocol) for pixels in images]
    crops = [
        pixels[:, :, box.top : box.bottom, box.left : box.right]
        for pixels, boxes in zip(images, windows, strict=True)
        for box in boxes
    ]
    grids = iter(_patch_scores(encoder, crops, bank, protocol))
    return [
        _map_of([next(grids) for _ in boxes], boxes, pixels, protocol)
        for pixels, boxes in zip(images, windows, strict=True)
    ]


def dense_scores(encoder: DenseEncoder, pixels: Tensor, text: TextBank | Tensor, protocol: Protocol) -> Tensor:
    """Scores as the protocol defines them before the last resize.

    Args:
        encoder: gives patch features; anything with ``encode_dense`` will do.
        pixels: (1, 3, h, w) or (3, h, w) float32 in [0, 1].
        text: the text bank, or (C, D) vectors, one for each class.
        protocol: of which the windows and their averaging count here.

    Returns:
        (C, h, w) float32, minus infinity for a class without words; (P, h, w), cosines of words, for a protocol with
        a scale. Without windows, (gh, gw) of the patch grid stands for (h, w).

    Raises:
        InputError: if pixels are none of these shapes.
    """
    if isinstance(text, Tensor):
        text = TextBank(F.normalize(text.float(), dim=-1), torch.arange(len(text), device=text.device), len(text))
    (scores,) = score_maps(encoder, [pixels if pixels.ndim == 4 else pixels[None]], text, protocol)
    rows = scores.rows(0, scores.hw[0])
    return rows if protocol.scale is not None else text.to(rows.device).spread(rows, dim=0)


def _windows_of(pixels: Tensor, protocol: Protocol) -> list[Window]:
    h, w = pixels.shape[-2:]
    return window_boxes(h, w, protocol.window_px, protocol.stride_px) if protocol.window_px else [Window(0, 0, h, w)]


def _map_of(grids: list[Tensor], windows: list[Window], pixels: Tensor, protocol: Protocol) -> ScoreMap:
    """The map of an image from the (1, K, gh, gw) of its windows."""
    if protocol.window_px is None and protocol.scale is None:
        (grid,) = grids[0]
        is_part = grid.untyped_storage().nbytes() > grid.nbytes  # of the scores of several images, which would be kept
        return GridScores(grid.clone() if is_part else grid)
    h, w = pixels.shape[-2:]
    return BlendedScores(torch.cat(grids), windows, (h, w), protocol.window_scores == "softmax")


def _patch_scores(encoder: DenseEncoder, crops: list[Tensor], bank: TextBank, protocol: Protocol) -> list[Tensor]:
    """Scores (1, K, gh, gw) of each crop (1, 3, h, w)."""
    found: dict[int, Tensor] = {}
    for places in _batches(crops):
        features = encoder.encode_dense(torch.cat([crops[place] for place in places]), protocol.readout)
        similarity = bank.to(features.device).cosines(features.float()).permute(0, 3, 1, 2)  # (B, P, gh, gw)
        scores = (
            similarity if protocol.scale is not None else bank.to(similarity.device).best_of_found(similarity, dim=1)
        )
        found |= zip(places, scores[:, None], strict=True)
    return [found[place] for place in range(len(crops))]


def _batches(crops: list[Tensor]) -> Iterator[list[int]]:
    """Places of crops of one size, as many as go through an encoder at once."""
    by_hw: dict[tuple[int, int], list[int]] = {}
    for place, crop in enumerate(crops):
        by_hw.setdefault((crop.shape[2], crop.shape[3]), []).append(place)
    for (height, width), places in by_hw.items():
        at_once = max(1, pixels_at_once(crops[0].device) // (height * width))
        for start in range(0, len(places), at_once):
            yield places[start : start + at_once]
