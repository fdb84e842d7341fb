"""An encoder without text whose features can be worked out by hand, and pictures for it."""

import numpy as np
import torch
import torch.nn.functional as F

from densezero.encoders.base import DenseEncoder
from densezero.examples.example import Example, read_example


class MeanColour(DenseEncoder):
    """The feature of a patch is its mean colour, and a fourth channel that is always 0.1."""

    name, patch_px, native_px, width, temperature = "mean colour", 4, 16, 4, None
    device, dtype, readouts = torch.device("cpu"), torch.float32, ("value",)
    weights_hash, has_text = "0" * 64, False

    def encode_dense(self, pixels, readout="value"):
        colours = F.avg_pool2d(pixels, self.patch_px).permute(0, 2, 3, 1)
        return F.pad(colours, (0, 1), value=0.1)

    def encode_text(self, prompts):
        raise NotImplementedError


class WordEncoder(MeanColour):
    """The same, which reads the words red, green and blue."""

    has_text, temperature = True, 0.1

    def encode_text(self, prompts):
        return torch.stack([torch.tensor([*(float(word in prompt) for word in WORDS), 0.1]) for prompt in prompts])


WORDS = ("red", "green", "blue")


def squares(top_left=(255, 0, 0), top_right=(0, 255, 0), bottom_left=(0, 0, 255), bottom_right=(255, 255, 0)):
    """Four squares of 8 x 8 pixels."""
    rgb = np.zeros((16, 16, 3), np.uint8)
    rgb[:8, :8], rgb[:8, 8:], rgb[8:, :8], rgb[8:, 8:] = top_left, top_right, bottom_left, bottom_right
    return rgb


def shown(name, rgb, mask):
    return read_example(Example(name, rgb, mask))
