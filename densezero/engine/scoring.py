"""From pixels to scores: images are cut into windows, the encoder gives patch features, the text bank scores them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor

from densezero.encoders.base import DenseEncoder
from densezero.encoders.batches import encode_crops
from densezero.encoders.device import plain_torch
from densezero.engine.protocol import Grid, Pamr, Protocol
from densezero.engine.refine.grid import pool_step, solve
from densezero.engine.refine.pixel_adaptive import pamr_in_place
from densezero.engine.score_map import ScoreMap
from densezero.errors import InputError
from densezero.images.windows import Window
from densezero.vocabulary.text_bank import TextBank


@plain_torch()
def dense_scores(encoder: DenseEncoder, pixels: Tensor, text: TextBank | Tensor, protocol: Protocol) -> Tensor:
    """Compute the scores that a protocol defines at the size of the model input, before the last resize.

    Args:
        encoder: gives patch features; any object with ``encode_dense`` works.
        pixels: (1, 3, h, w) or (3, h, w) float32 in [0, 1].
        text: the text bank, or (C, D) vectors, one for each class.
        protocol: its windows, read-out, averaging and refinement are used here. A refinement at the size of the image
            comes after the last resize, and so not here.

    Returns:
        (C, h, w) float32, minus infinity for a class without words. With a scale (P, h, w), the cosines of words. Where
        ``protocol.labels_patch_grid``, (h, w) is the patch grid.

    Raises:
        InputError: for pixels of another shape, or features that are not finite.
    """
    if isinstance(text, Tensor):
        text = TextBank(F.normalize(text.float(), dim=-1), torch.arange(len(text), device=text.device), len(text))
    if isinstance(protocol.refine, Pamr) and protocol.refine.image_size:
        protocol = replace(protocol, refine=None, window_scores="cosine")
    pixels = pixels if pixels.ndim == 4 else pixels[None]
    (scores,) = score_images(encoder, [pixels], text, protocol)
    require_finite(scores, encoder)
    whole = refine_map(scores, pixels, text, protocol, scores.hw).compute_all()  # (h, w, K)
    return (whole if protocol.scale is not None else text.to(whole.device).scatter(whole)).permute(2, 0, 1)


def score_images(encoder: DenseEncoder, images: Sequence[Tensor], bank: TextBank, protocol: Protocol) -> list[ScoreMap]:
    """Encode images, all their windows together, and score the patches against the text bank.

    Args:
        encoder: gives patch features.
        images: (1, 3, h, w) float32 pixels in [0, 1] of each image, on the encoder's device.
        bank: unit text vectors.
        protocol: windows or whole images, read-out and averaging.

    Returns:
        One map for each image, before refinement. Its channels are words where the protocol has a scale or a
        refinement, else the classes with words.

    Raises:
        InputError: for pixels of another shape.
    """
    for pixels in images:
        if pixels.ndim != 4 or pixels.shape[:2] != (1, 3) or not pixels.is_floating_point():
            raise InputError(
                f"Expected the pixels of one image as (1, 3, h, w) float32; got {tuple(pixels.shape)}, {pixels.dtype}."
            )
    cut = [(pixels, protocol.recipe.windows((pixels.shape[2], pixels.shape[3]))) for pixels in images]
    crops = [pixels[:, :, w.top : w.bottom, w.left : w.right] for pixels, windows in cut for w in windows]
    grids = iter(_score_crops(encoder, crops, bank, protocol))  # (gh, gw, K) each
    return [_build_map([next(grids) for _ in windows], windows, pixels, protocol) for pixels, windows in cut]


def refine_map(
    scores: ScoreMap, pixels: Tensor, bank: TextBank, protocol: Protocol, image_hw: tuple[int, int]
) -> ScoreMap:
    """Refine the map of an image, if the protocol says so.

    Args:
        scores: cosines of words, as ``score_images`` gives them.
        pixels: (1, 3, h, w) float32 in [0, 1].
        bank: unit text vectors.
        protocol: its refinement, and whether a class has the best cosine of its words now.
        image_hw: (H, W) of the image, for a refinement at that size.

    Returns:
        A map that is one grid: cells, or pixels. Its channels are words where the protocol has a scale, else classes.
    """
    settings, hw = protocol.refine, scores.hw
    if settings is None:
        return scores
    image, bank = pixels[0].to(scores.grids.device), bank.to(scores.grids.device)
    if isinstance(settings, Grid):
        step = pool_step(hw, settings.cells)
        refined = solve(F.avg_pool2d(image, step), scores.pool(step), bank.units, settings.iterations)
    else:
        hw = image_hw if settings.image_size else hw
        image = F.interpolate(image[None], hw, mode="bilinear", align_corners=False)[0]
        refined = pamr_in_place(image, scores.compute_all(hw), settings)  # (H, W, P), or (h, w, P)
    best = refined if protocol.scale is not None else bank.best_of_class(refined)  # (rows, columns, K)
    return ScoreMap(best[None], [Window(0, 0, *hw)], hw, softmax=False)


def require_finite(scores: ScoreMap, encoder: DenseEncoder) -> None:
    """Raise InputError if the features of an image were not finite numbers."""
    if not bool(scores.grids.isfinite().all()):
        dtype = str(encoder.dtype).removeprefix("torch.")
        raise InputError(
            f"Expected finite features of this image; {encoder.name} gave NaN or infinity when computing in {dtype}. "
            "Use float32. If it gives them there too, its weights are damaged."
        )


def _build_map(grids: list[Tensor], windows: list[Window], pixels: Tensor, protocol: Protocol) -> ScoreMap:
    """Build the map of an image from the scores (gh, gw, K) of its windows."""
    stacked = torch.stack(grids)  # (N, gh, gw, K); a copy, so that no map keeps the scores of other images
    if stacked.device.type == "mps":
        stacked = stacked.cpu()  # the grids are small, and some versions of MPS lack embedding_bag
    hw = (pixels.shape[2], pixels.shape[3])
    if protocol.labels_patch_grid:
        hw = (stacked.shape[1], stacked.shape[2])
        windows = [Window(0, 0, *hw)]
    return ScoreMap(stacked, windows, hw, protocol.averages_softmax)


def _score_crops(encoder: DenseEncoder, crops: list[Tensor], bank: TextBank, protocol: Protocol) -> list[Tensor]:
    """Score each crop (1, 3, h, w): (gh, gw, K) of each, in the order of the crops."""
    scores: dict[int, Tensor] = {}
    for indices, features in encode_crops(encoder, crops, protocol.readout):
        on_device = bank.to(features.device)
        cosines = on_device.cosines(features.float())  # (B, gh, gw, P)
        best_now = protocol.scale is None and protocol.refine is None
        best = on_device.best_of_class(cosines) if best_now else cosines  # (B, gh, gw, K)
        scores.update(zip(indices, best, strict=True))
    return [scores[index] for index in range(len(crops))]
