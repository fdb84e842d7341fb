"""The DPT decoder: features of four blocks of a vision transformer become one map of raw outputs.

Source: Vision Transformers for Dense Prediction (arXiv 2103.13413), in the form of TIPSv2 (arXiv 2604.12012).

Shapes: B images, D channels of a token, gh x gw patches, K channels of the decoder. The raw outputs have 16 rows for
each two rows of patches (one more for an odd number), and columns likewise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from densezero.encoders.products import linear
from densezero.errors import ModelError
from densezero.heads.convolution import Convolution, TransposedConvolution

LEVELS = 4
ACTIVATIONS = ("identity", "relu")


@dataclass(frozen=True)
class DptConfig:
    """Sizes of a DPT decoder.

    Args:
        width: channels D of the encoder's tokens.
        level_widths: channels of the four maps, from the shallowest block to the deepest.
        channels: channels K of the decoder.
        outputs: channels of the raw output: depth bins, 3, or classes.
        activation: ``"identity"`` or ``"relu"``, between the last two layers.

    Raises:
        ModelError: if a number is below 1, there are not four levels, or the activation is unknown.
    """

    width: int
    level_widths: tuple[int, ...]
    channels: int
    outputs: int
    activation: str = "identity"

    def __post_init__(self) -> None:
        if len(self.level_widths) != LEVELS:
            raise ModelError(f"Expected {LEVELS} levels of a DPT decoder; got {len(self.level_widths)}.")
        sizes = (self.width, *self.level_widths, self.channels, self.outputs)
        if min(sizes) < 1:
            raise ModelError(f"Expected sizes of at least 1 in a DPT decoder; got {sizes}.")
        if self.activation not in ACTIVATIONS:
            raise ModelError(f"Expected an activation out of {', '.join(ACTIVATIONS)}; got {self.activation!r}.")


class DptDecoder(nn.Module):
    """Reassembles the tokens of four blocks into maps, fuses the maps, and computes the raw outputs.

    Its weights and its products stay float32.
    """

    def __init__(self, config: DptConfig) -> None:
        super().__init__()
        self.config = config
        self.reassemble = nn.ModuleList(
            Reassemble(config.width, width, level) for level, width in enumerate(config.level_widths)
        )
        self.convs = nn.ModuleList(
            Convolution(width, config.channels, 3, padding=1, bias=False) for width in config.level_widths
        )
        self.fusions = nn.ModuleList(Fusion(config.channels, lateral=level > 0) for level in range(LEVELS))
        self.project = Convolution(config.channels, config.channels, 3, padding=1)
        self.head = nn.Linear(config.channels, config.outputs)
        self.float()  # also if the caller has set another default type

    def forward(self, features: Sequence[tuple[Tensor, Tensor]]) -> Tensor:
        """Decode the features of four blocks, the shallowest first.

        Args:
            features: four pairs of class token (B, D) and grid (B, D, gh, gw), float32.

        Returns:
            (B, outputs, 16 * ceil(gh / 2), 16 * ceil(gw / 2)) raw outputs.
        """
        levels = [
            conv(reassemble(cls, grid))  # (B, K, rows, columns)
            for conv, reassemble, (cls, grid) in zip(self.convs, self.reassemble, features, strict=True)
        ]
        fused: Tensor | None = None
        for fusion, level in zip(self.fusions, reversed(levels), strict=True):
            fused = fusion(level, fused)  # twice the rows and columns of the deeper one
        hidden = self.project(fused).permute(0, 2, 3, 1)  # (B, rows, columns, K)
        if self.config.activation == "relu":
            hidden = F.relu(hidden)
        return linear(hidden, self.head.weight, self.head.bias).permute(0, 3, 1, 2)


class Reassemble(nn.Module):
    """Turns the tokens of one block into a map of 4, 2, 1 or 1/2 times the rows and columns of the grid."""

    def __init__(self, width: int, level_width: int, level: int) -> None:
        super().__init__()
        self.readout = nn.Linear(2 * width, width)
        self.projection = Convolution(width, level_width, 1)
        self.resize: nn.Module = (
            TransposedConvolution(level_width, level_width, 4, stride=4),
            TransposedConvolution(level_width, level_width, 2, stride=2),
            nn.Identity(),
            Convolution(level_width, level_width, 3, stride=2, padding=1),
        )[level]

    def forward(self, cls: Tensor, grid: Tensor) -> Tensor:
        """Mix the class token (B, D) into each patch of (B, D, gh, gw): (B, level width, rows, columns)."""
        # The layer's input is patch and class token side by side. The class token is equal for all patches of an image,
        # so its half of the product is computed once.
        of_patch, of_cls = self.readout.weight.chunk(2, dim=1)
        patches = linear(grid.permute(0, 2, 3, 1), of_patch)  # (B, gh, gw, D)
        mixed = patches + F.linear(cls, of_cls, self.readout.bias)[:, None, None]
        mixed = F.gelu(mixed, approximate="tanh").permute(0, 3, 1, 2)  # (B, D, gh, gw)
        return self.resize(self.projection(mixed))  # type: ignore[no-any-return]


class Fusion(nn.Module):
    """Adds the map of one level to what the deeper levels gave, and doubles its rows and columns."""

    def __init__(self, channels: int, lateral: bool) -> None:
        super().__init__()
        self.lateral = ResidualUnit(channels) if lateral else None
        self.main = ResidualUnit(channels)
        self.projection = Convolution(channels, channels, 1)

    def forward(self, level: Tensor, deeper: Tensor | None) -> Tensor:
        """Fuse (B, K, rows, columns) with the deeper map, if there is one; give twice the rows of the deeper map."""
        fused = level
        if self.lateral is not None and deeper is not None:
            if level.shape != deeper.shape:  # an odd grid; first resized, then the residual unit
                level = F.interpolate(level, size=deeper.shape[2:], mode="bilinear", align_corners=False)
            fused = deeper + self.lateral(level)
        # The published order is: first upsample, then project. Both are linear, and the weights of the four neighbours
        # add up to 1, so the result is the same, with a quarter of the products.
        projected = self.projection(self.main(fused))
        return F.interpolate(projected, scale_factor=2, mode="bilinear", align_corners=True)


class ResidualUnit(nn.Module):
    """Adds to a map two 3 x 3 convolutions of it, with ReLU before each."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = Convolution(channels, channels, 3, padding=1, bias=False)
        self.conv2 = Convolution(channels, channels, 3, padding=1, bias=False)

    def forward(self, maps: Tensor) -> Tensor:
        """Map (B, K, rows, columns) to the same shape."""
        hidden: Tensor = self.conv1(F.relu(maps))
        return maps + self.conv2(F.relu(hidden))  # type: ignore[no-any-return]


def empty_decoder(config: DptConfig) -> DptDecoder:
    """Build a decoder without memory for its weights."""
    with torch.device("meta"):
        return DptDecoder(config)
