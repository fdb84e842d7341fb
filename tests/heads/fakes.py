"""Small encoders and heads with random weights, and the golden features."""

import torch

from densezero.encoders.tips import TipsImageEncoder, VisionConfig, VisionTower
from densezero.heads.dpt import DptConfig, DptDecoder
from densezero.heads.head import Head
from tests.encoders.towers import fill_randomly

WIDTH = 24
OUTPUTS = {"depth": 16, "normals": 3, "segmentation": 5}


def small_encoder(depth=5, width=WIDTH, name="small", dtype=torch.float32):
    """A vision tower with random weights, as an encoder of images."""
    tower = fill_randomly(VisionTower(VisionConfig(width, depth, 2, 48, "mlp", 14, 56))).to(dtype)
    return TipsImageEncoder(name, tower, (), torch.device("cpu"), dtype)


def fill_by_fan_in(module, seed=0):
    """Random weights that keep the size of the numbers from layer to layer."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in module.parameters():
            fan_in = parameter[0].numel() if parameter.ndim > 1 else 25
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * (1.5 / fan_in) ** 0.5)
    return module.eval()


def small_head(task, width=WIDTH, seed=0, outputs=None, **settings):
    """A head with random weights."""
    config = DptConfig(width, (4, 8, 16, 24), 16, outputs or OUTPUTS[task])
    decoder = fill_by_fan_in(DptDecoder(config), seed)
    return Head(f"small-{task}", task, decoder, "0" * 64, **settings)


def random_features(grid_hw=(5, 7), width=WIDTH, batch=1, seed=0):
    """Four pairs of class token (B, D) and grid (B, D, gh, gw)."""
    generator = torch.Generator().manual_seed(seed)
    return [
        (torch.randn(batch, width, generator=generator), torch.randn(batch, width, *grid_hw, generator=generator))
        for _ in range(4)
    ]


def golden_features(io):
    """The features of one of the reference's files."""
    return [(torch.from_numpy(io[f"cls_{level}"]), torch.from_numpy(io[f"grid_{level}"])) for level in range(4)]
