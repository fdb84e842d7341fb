"""Bilinear upsampling (align_corners False) of some rows only, equal to upsampling the whole."""

from __future__ import annotations

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor


class RowBlend(NamedTuple):
    """Which two source rows make each target row, and the share of the second.

    Args:
        low: (R,) int64 upper source rows.
        high: (R,) int64 lower source rows.
        share: (R,) float32 weight of ``high``, 0 to 1.
    """

    low: Tensor
    high: Tensor
    share: Tensor

    @property
    def span(self) -> tuple[int, int]:
        """First source row and the end of the source rows that are needed."""
        return int(self.low[0]), int(self.high[-1]) + 1


def row_blend(start: int, end: int, source_rows: int, target_rows: int) -> RowBlend:
    """Plan target rows ``start`` to ``end`` of a resize from ``source_rows`` to ``target_rows``.

    Computed in float32, as torch does, so that strips equal the whole to the last bit of the weights.
    """
    scale = torch.tensor(source_rows, dtype=torch.float32) / target_rows
    source = ((torch.arange(start, end, dtype=torch.float32) + 0.5) * scale - 0.5).clamp_(min=0)
    low = source.long().clamp_(max=source_rows - 1)
    return RowBlend(low, (low + 1).clamp_(max=source_rows - 1), source - low)


def blend_rows(source: Tensor, first_row: int, blend: RowBlend, width: int) -> Tensor:
    """Upsample the planned rows.

    Args:
        source: (K, rows, w) that holds source rows from ``first_row`` on.
        first_row: index of the first row that ``source`` holds.
        blend: which rows make which.
        width: columns W of the result.

    Returns:
        (K, R, W).
    """
    wide = source if source.shape[-1] == width else _stretch_columns(source, width)
    low, high = (index.to(source.device) - first_row for index in (blend.low, blend.high))
    upper = wide.index_select(-2, low)
    return upper.lerp_(wide.index_select(-2, high), blend.share.to(source)[:, None])


def _stretch_columns(source: Tensor, width: int) -> Tensor:
    hw = (source.shape[-2], width)
    return F.interpolate(source[None], size=hw, mode="bilinear", align_corners=False)[0]
