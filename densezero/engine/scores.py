"""Score maps: what a protocol defines before the last resize, given out strip by strip."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

from densezero.encoders.base import DenseEncoder
from densezero.engine.protocol import Protocol
from densezero.engine.upsample import blend_rows, row_blend
from densezero.errors import InputError
from densezero.images.windows import Window, window_boxes
from densezero.vocabulary.text_bank import TextBank

STRIP_BYTES = 64 * 2**20  # of one float32 strip; three or four of them live at a time
WINDOW_BATCH_PX = 4 * 448 * 448  # pixels encoded at once


class ScoreMap(ABC):
    """Scores of K words or classes over a map of (h, w), of which any rows can be had.

    Attributes:
        channels: K.
        hw: rows and columns of the map.
    """

    channels: int
    hw: tuple[int, int]

    @abstractmethod
    def rows(self, start: int, end: int) -> Tensor:
        """Scores (K, end - start, w) of some rows, float32."""

    def resized_rows(self, start: int, end: int, hw: tuple[int, int]) -> Tensor:
        """Rows of the map resized bilinearly to hw: (K, end - start, W)."""
        blend = row_blend(start, end, self.hw[0], hw[0])
        first, last = blend.span
        return blend_rows(self.rows(first, last), first, blend, hw[1])


class GridScores(ScoreMap):
    """Scores that are held as a whole: one for each patch of the whole image."""

    def __init__(self, grid: Tensor) -> None:
        self._grid = grid  # (K, gh, gw)
        self.channels = grid.shape[0]
        self.hw = (grid.shape[1], grid.shape[2])

    def rows(self, start: int, end: int) -> Tensor:
        """Scores (K, end - start, gw)."""
        return self._grid[:, start:end]


class BlendedScores(ScoreMap):
    """Windows' patch grids, upsampled to their windows and averaged where these overlap."""

    def __init__(self, grids: Tensor, windows: list[Window], hw: tuple[int, int], softmax: bool) -> None:
        self._grids = grids  # (N, K, gh, gw)
        self._windows = windows
        self._softmax = softmax
        self.channels = grids.shape[1]
        self.hw = hw

    def rows(self, start: int, end: int) -> Tensor:
        """Scores (K, end - start, w): the mean over the windows that reach each pixel."""
        total = self._grids.new_zeros(self.channels, end - start, self.hw[1])
        count = self._grids.new_zeros(end - start, self.hw[1])
        for grid, window in zip(self._grids, self._windows, strict=True):
            top, bottom = max(start, window.top), min(end, window.bottom)
            if top >= bottom:
                continue
            scores = self._window_rows(grid, window, top, bottom)  # (K, bottom - top, window width)
            place = (slice(top - start, bottom - start), slice(window.left, window.right))
            total[:, place[0], place[1]] += scores
            count[place] += 1
        return total.div_(count)

    def _window_rows(self, grid: Tensor, window: Window, top: int, bottom: int) -> Tensor:
        height, width = window.hw
        blend = row_blend(top - window.top, bottom - window.top, grid.shape[1], height)
        first, last = blend.span
        scores = blend_rows(grid[:, first:last], first, blend, width)
        return scores.softmax(0) if self._softmax else scores


def cosine(features: Tensor, text: Tensor) -> Tensor:
    """Cosine of every patch with every text vector.

    Args:
        features: (B, gh, gw, D), of any length.
        text: (P, D), of any length.

    Returns:
        (B, P, gh, gw) float32 in [-1, 1].
    """
    units = F.normalize(features.float(), dim=-1)
    similarity = units @ F.normalize(text.float().to(units.device), dim=-1).T  # (B, gh, gw, P)
    return similarity.permute(0, 3, 1, 2).contiguous()


def score_map(encoder: DenseEncoder, pixels: Tensor, bank: TextBank, protocol: Protocol) -> ScoreMap:
    """Encode an image and score it against the text bank.

    Args:
        encoder: gives patch features.
        pixels: (1, 3, h, w) float32 in [0, 1].
        bank: unit text vectors on the encoder's device.
        protocol: whole or windows, and what overlapping windows average.

    Returns:
        (h, w) of K classes that have words, or of K words where the protocol takes their softmax at the end; for whole
        images without a scale the map is the patch grid itself, which is resized once.

    Raises:
        InputError: if pixels are no (1, 3, h, w).
    """
    if pixels.ndim != 4 or pixels.shape[:2] != (1, 3):
        raise InputError(f"Expected the pixels of one image, (1, 3, h, w); got {tuple(pixels.shape)}. Pass one by one.")
    h, w = pixels.shape[-2:]
    if protocol.window_px is None and protocol.scale is None:
        return GridScores(_patch_scores(encoder, pixels, bank, protocol)[0])
    whole = [Window(0, 0, h, w)]
    windows = window_boxes(h, w, protocol.window_px, protocol.stride_px) if protocol.window_px else whole
    grids = torch.cat([_patch_scores(encoder, batch, bank, protocol) for batch in _batches(pixels, windows)])
    return BlendedScores(grids, windows, (h, w), protocol.window_scores == "softmax")


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
    scores = score_map(encoder, pixels if pixels.ndim == 4 else pixels[None], text, protocol)
    rows = scores.rows(0, scores.hw[0])
    return rows if protocol.scale is not None else text.to(rows.device).spread(rows, dim=0)


def strips(rows: int, row_bytes: int) -> Iterator[tuple[int, int]]:
    """Cut rows into strips whose scores stay within the memory set aside for them: (start, end) pairs."""
    height = max(1, STRIP_BYTES // max(row_bytes, 1))
    for start in range(0, rows, height):
        yield start, min(start + height, rows)


def _patch_scores(encoder: DenseEncoder, pixels: Tensor, bank: TextBank, protocol: Protocol) -> Tensor:
    similarity = cosine(encoder.encode_dense(pixels, protocol.readout), bank.vectors)  # (B, P, gh, gw)
    return similarity if protocol.scale is not None else bank.to(similarity.device).best_of_found(similarity, dim=1)


def _batches(pixels: Tensor, windows: list[Window]) -> Iterator[Tensor]:
    height, width = windows[0].hw
    at_once = max(1, WINDOW_BATCH_PX // (height * width))
    for start in range(0, len(windows), at_once):
        crops = [pixels[:, :, box.top : box.bottom, box.left : box.right] for box in windows[start : start + at_once]]
        yield torch.cat(crops)
