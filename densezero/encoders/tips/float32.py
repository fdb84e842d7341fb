"""Modules that stay float32 when a tower is converted to half precision, because the residual stream needs them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Self

from torch import Tensor, nn

from densezero.encoders.products import HALVES


class StaysFloat32(nn.Module):
    """A module whose own tensors stay float32 when it is converted to half precision. Its children may be converted."""

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        def move(tensor: Tensor) -> Tensor:
            moved = fn(tensor)
            return tensor.to(moved.device) if moved.dtype in HALVES else moved

        if recurse:
            for child in self.children():
                child._apply(fn)  # type: ignore[no-untyped-call]
        return super()._apply(move, recurse=False)  # type: ignore[no-any-return, no-untyped-call]


class LayerNorm(StaysFloat32, nn.LayerNorm):
    """``nn.LayerNorm`` with float32 weights."""
