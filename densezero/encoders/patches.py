"""The first layer of a ViT, computed as a linear layer over patches.

On CUDA torch lets cuDNN round the float32 numbers of a convolution to TF32. A linear layer stays float32 everywhere.
"""

from __future__ import annotations

from typing import Self

from torch import Tensor, nn

from densezero.encoders.products import linear


def project_patches(pixels: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Project patches as a convolution does whose stride is the side of its kernel.

    Args:
        pixels: (B, 3, h, w); h and w are multiples of the patch.
        weight: (D, 3, patch, patch).
        bias: (D,), or None.

    Returns:
        (B, D, h / patch, w / patch), channels last in memory.
    """
    batch, channels, h, w = pixels.shape
    side = weight.shape[-1]
    cells = pixels.reshape(batch, channels, h // side, side, w // side, side)
    patches = cells.permute(0, 2, 4, 1, 3, 5).flatten(3)  # (B, gh, gw, 3 patch patch)
    return linear(patches, weight.flatten(1), bias).permute(0, 3, 1, 2)


class PatchProjection(nn.Conv2d):
    """A convolution over patches that do not overlap, computed by ``project_patches``."""

    def forward(self, pixels: Tensor) -> Tensor:
        """Project (B, 3, h, w) into (B, D, h / patch, w / patch)."""
        return project_patches(pixels, self.weight, self.bias)

    @classmethod
    def of(cls, layer: nn.Conv2d) -> Self:
        """Make one that shares the weights of another convolution."""
        side = layer.kernel_size[0]
        projection = cls(layer.in_channels, layer.out_channels, side, side, bias=layer.bias is not None, device="meta")
        projection.weight, projection.bias = layer.weight, layer.bias
        return projection
