import numpy as np
import pytest
import torch
import torch.nn.functional as F

from densezero.encoders.base import DenseEncoder, stretch_to_patch
from densezero.encoders.device import plain_torch
from densezero.encoders.tips import VisionConfig, VisionTower
from tests.encoders.towers import TowerEncoder, fill_randomly


class ColourEncoder(DenseEncoder):
    """Features are a random turn of each patch's mean colour, so that random images have lively scores."""

    name, width, native_px, patch_px = "colour", 8, 56, 14
    device, dtype = torch.device("cpu"), torch.float32
    weights_hash = "c" * 64

    def __init__(self, temperature=0.01):
        self.temperature = temperature
        self.turn = torch.randn(3, self.width, generator=torch.Generator().manual_seed(5))

    @plain_torch()
    def encode_dense(self, pixels, readout="value"):
        means = F.avg_pool2d(stretch_to_patch(pixels, self.patch_px), self.patch_px)  # (B, 3, gh, gw)
        return (means - 0.5).permute(0, 2, 3, 1) @ self.turn

    encode_text = TowerEncoder.encode_text


@pytest.fixture
def colour_encoder():
    return ColourEncoder()


@pytest.fixture(scope="session")
def tower_encoder():
    return TowerEncoder(fill_randomly(VisionTower(VisionConfig(32, 2, 2, 64, "mlp", 14, 56))))


@pytest.fixture
def pixels():
    """Draw blotches of colour, (1, 3, h, w) in [0, 1]."""

    def draw(h, w, seed=0):
        coarse = torch.rand(1, 3, max(h // 10, 1), max(w // 10, 1), generator=torch.Generator().manual_seed(seed))
        return F.interpolate(coarse, size=(h, w), mode="nearest")

    return draw


@pytest.fixture
def rgb(pixels):
    """Draw blotches of colour, (H, W, 3) uint8."""

    def draw(height, width, seed=0):
        levels = (pixels(height, width, seed)[0].permute(1, 2, 0) * 255).to(torch.uint8)
        return np.ascontiguousarray(levels.numpy())

    return draw
