"""Convolutions that stay float32 on every device.

On CUDA torch lets cuDNN round the float32 numbers of a convolution to TF32, whose 10 bits are too few for depth. The
switch for it belongs to the whole process, so these layers pass it with each call instead.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Convolution(nn.Conv2d):
    """``nn.Conv2d`` without TF32."""

    def forward(self, maps: Tensor) -> Tensor:
        """Map (B, in, rows, columns) to (B, out, rows', columns')."""
        return _convolve(self, maps)


class TransposedConvolution(nn.ConvTranspose2d):
    """``nn.ConvTranspose2d`` without TF32."""

    def forward(self, maps: Tensor) -> Tensor:  # type: ignore[override]  # the output's size is never asked for
        """Map (B, in, rows, columns) to (B, out, rows', columns')."""
        return _convolve(self, maps)


def _convolve(layer: nn.Conv2d | nn.ConvTranspose2d, maps: Tensor) -> Tensor:
    convolved: Tensor = torch.ops.aten._convolution(
        maps,
        layer.weight,
        layer.bias,
        layer.stride,
        layer.padding,
        layer.dilation,
        layer.transposed,
        layer.output_padding,
        layer.groups,
        benchmark=False,
        deterministic=False,
        cudnn_enabled=True,
        allow_tf32=False,
    )
    return convolved
