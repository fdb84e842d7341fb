"""From pixels to scores: images are cut into windows, the encoder gives patch features, the text bank scores them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from densezero.encoders.base import DenseEncoder
from densezero.encoders.batches import encode_crops
from densezero.encoders.device import plain_torch
from densezero.engine.protocol import Protocol
from densezero.engine.score_map import ScoreMap
from densezero.errors import InputError
from densezero.images.windows import Window, window_boxes
from densezero.vocabulary.text_bank import TextBank


@plain_torch()
def dense_scores(encoder: DenseEncoder, pixels: Tensor, text: TextBank | Tensor, protocol: Protocol) -> Tensor:
    """Compute the scores that a protocol defines at the size of the model input, before the last resize.

    Args:
        encoder: gives patch features; any object with ``encode_dense`` works.
        pixels: (1, 3, h, w) or (3, h, w) float32 in [0, 1].
        text: the text bank, or (C, D) vectors, one for each class.
        protocol: its windows, read-out and averaging are used here.

    Returns:
        (C, h, w) float32, minus infinity for a class without words. With a scale (P, h, w), the cosines of words. Where
        ``protocol.labels_patch_grid``, (h, w) is the patch grid.

    Raises:
        InputError: for pixels of another shape, or features that are not finite.
    """
    if isinstance(text, Tensor):
        text = TextBank(F.normalize(text.float(), dim=-1), torch.arange(len(text), device=text.device), len(text))
    (scores,) = score_images(encoder, [pixels if pixels.ndim == 4 else pixels[None]], text, protocol)
    require_finite(scores, encoder)
    whole = scores.compute_all()  # (h, w, K)
    return (whole if protocol.scale is not None else text.to(whole.device).scatter(whole)).permute(2, 0, 1)


def score_images(encoder: DenseEncoder, images: Sequence[Tensor], bank: TextBank, protocol: Protocol) -> list[ScoreMap]:
    """Encode images, all their windows together, and score the patches against the text bank.

    Args:
        encoder: gives patch features.
        images: (1, 3, h, w) float32 pixels in [0, 1] of each image, on the encoder's device.
        bank: unit text vectors.
        protocol: windows or whole images, read-out and averaging.

    Returns:
        One map for each image. Its channels are words where the protocol has a scale, else the classes with words.

    Raises:
        InputError: for pixels of another shape.
    """
    for pixels in images:
        if pixels.ndim != 4 or pixels.shape[:2] != (1, 3) or not pixels.is_floating_point():
            raise InputError(
                f"Expected the pixels of one image as (1, 3, h, w) float32; got {tuple(pixels.shape)}, {pixels.dtype}."
            )
    cut = [(pixels, _windows_of(pixels, protocol)) for pixels in images]
    crops = [pixels[:, :, w.top : w.bottom, w.left : w.right] for pixels, windows in cut for w in windows]
    grids = iter(_score_crops(encoder, crops, bank, protocol))  # (gh, gw, K) each
    return [_build_map([next(grids) for _ in windows], windows, pixels, protocol) for pixels, windows in cut]


def require_finite(scores: ScoreMap, encoder: DenseEncoder) -> None:
    """Raise InputError if the features of an image were not finite numbers."""
    if not bool(scores.grids.isfinite().all()):
        dtype = str(encoder.dtype).removeprefix("torch.")
        raise InputError(
            f"Expected finite features of this image; {encoder.name} gave NaN or infinity when computing in {dtype}. "
            "Use float32. If it gives them there too, its weights are damaged."
        )


def _windows_of(pixels: Tensor, protocol: Protocol) -> list[Window]:
    h, w = pixels.shape[-2:]
    return window_boxes(h, w, protocol.window_px, protocol.stride_px) if protocol.window_px else [Window(0, 0, h, w)]


def _build_map(grids: list[Tensor], windows: list[Window], pixels: Tensor, protocol: Protocol) -> ScoreMap:
    """Build the map of an image from the scores (gh, gw, K) of its windows."""
    stacked = torch.stack(grids)  # (N, gh, gw, K); a copy, so that no map keeps the scores of other images
    if stacked.device.type == "mps":
        stacked = stacked.cpu()  # the grids are small, and some versions of MPS lack embedding_bag
    hw = (pixels.shape[2], pixels.shape[3])
    if protocol.labels_patch_grid:
        hw = (stacked.shape[1], stacked.shape[2])
        windows = [Window(0, 0, *hw)]
    return ScoreMap(stacked, windows, hw, protocol.window_scores == "softmax")


def _score_crops(encoder: DenseEncoder, crops: list[Tensor], bank: TextBank, protocol: Protocol) -> list[Tensor]:
    """Score each crop (1, 3, h, w): (gh, gw, K) of each, in the order of the crops."""
    scores: dict[int, Tensor] = {}
    for indices, features in encode_crops(encoder, crops, protocol.readout):
        on_device = bank.to(features.device)
        cosines = on_device.cosines(features.float())  # (B, gh, gw, P)
        best = cosines if protocol.scale is not None else on_device.best_of_class(cosines)  # (B, gh, gw, K)
        scores.update(zip(indices, best, strict=True))
    return [scores[index] for index in range(len(crops))]
