"""An encoder without positions, and features to fit."""

import torch

from densezero.encoders.base import DenseEncoder


class MeanColours(DenseEncoder):
    """A patch's feature is its mean colour times a fixed matrix: the same patch, the same feature, wherever it lies."""

    name, patch_px, native_px, width, temperature = "means", 4, 16, 8, None
    device, dtype, readouts = torch.device("cpu"), torch.float32, ("patch",)

    def __init__(self):
        self.matrix = torch.randn(3, 8, generator=torch.Generator().manual_seed(1))
        self.seen = []

    @property
    def weights_hash(self):
        return "0" * 64

    def encode_dense(self, pixels, readout="value"):
        self.seen.append(tuple(pixels.shape[-2:]))
        means = torch.nn.functional.avg_pool2d(pixels, self.patch_px)  # (B, 3, gh, gw)
        return means.permute(0, 2, 3, 1) @ self.matrix

    def encode_text(self, prompts):
        raise NotImplementedError


def some_grid(rows=6, columns=7, width=12, seed=0):
    """(rows, columns, width) features of clearly different variances."""
    generator = torch.Generator().manual_seed(seed)
    mixing = torch.randn(width, width, generator=generator) * torch.linspace(3, 0.2, width)[:, None]
    return torch.randn(rows, columns, width, generator=generator) @ mixing + 1
