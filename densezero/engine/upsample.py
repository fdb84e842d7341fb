"""Bilinear upsampling (align_corners False) of a part only, equal to upsampling the whole, to the last bit."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor


class Span(NamedTuple):
    """Rows or columns from ``start`` to ``end``, the end excluded."""

    start: int
    end: int


@dataclass(frozen=True)
class Blend:
    """Which two source rows (or columns) make each target row (or column), and the share of the second.

    Args:
        low: (R,) int64 first sources, rising, counted from the start of the span.
        high: (R,) int64 second sources, likewise.
        share: (R,) float32 weight of ``high``, 0 to 1.
        span: the sources that are needed.
        changes_nothing: whether each target is one source, in order.
    """

    low: Tensor
    high: Tensor
    share: Tensor
    span: Span
    changes_nothing: bool

    def along(self, source: Tensor, dim: int) -> Tensor:
        """Blend the last dimension (-1) or the last but one (-2)."""
        if self.changes_nothing:
            return source
        low, high, share = self.low, self.high, self.share if dim == -1 else self.share[:, None]
        if source.device != low.device:
            low, high, share = (part.to(source.device) for part in (low, high, share))
        return _taken(source, low, dim).lerp_(_taken(source, high, dim), share)


def _taken(source: Tensor, places: Tensor, dim: int) -> Tensor:
    """``index_select``; on a processor in a third of its time along the last dimension."""
    if dim == -1 and source.device.type == "cpu" and source.dtype is torch.float32:
        return torch.from_numpy(np.take(source.numpy(), places.numpy(), axis=-1, mode="clip"))
    return source.index_select(dim, places)


@lru_cache(maxsize=4096)
def axis_blend(target: Span, sources: int, targets: int) -> Blend:
    """Plan a part of a resize along one axis; plans are kept, since images and their parts are of few sizes.

    Computed in float32, as torch does, so that parts equal the whole to the last bit of the weights.

    Args:
        target: the part wanted, of the targets.
        sources: length of the axis before.
        targets: length of the axis after.
    """
    scale = (torch.tensor(sources, dtype=torch.float32) / targets).double()
    places = torch.arange(target.start, target.end, dtype=torch.float64) + 0.5
    source = (places * scale - 0.5).float().clamp_(min=0)  # rounded once, as a fused multiply and add does
    low = source.long().clamp_(max=sources - 1)
    high, share = (low + 1).clamp_(max=sources - 1), source - low
    if sources == targets:
        return Blend(low - target.start, high - target.start, share, target, changes_nothing=True)
    span = Span(int(low[0]), int(high[-1]) + 1)
    return Blend(low - span.start, high - span.start, share, span, changes_nothing=False)


def blend(source: Tensor, rows: Blend, columns: Blend) -> Tensor:
    """Upsample: first along the columns, then along the rows.

    Args:
        source: (K, r, c), the sources that the blends need and no others.
        rows: of R target rows.
        columns: of W target columns.

    Returns:
        (K, R, W).
    """
    return rows.along(columns.along(source, -1), -2)
