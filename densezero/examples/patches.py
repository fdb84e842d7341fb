"""The patches of an image: their features, and the share of each patch that lies inside a mask."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from densezero.encoders.base import DenseEncoder
from densezero.encoders.batches import encode_crops
from densezero.encoders.device import plain_torch, upload_pixels
from densezero.examples.recipe import Recipe
from densezero.images import ResizePlan, Window, resize_rgb


class Patches(NamedTuple):
    """The patches of all windows of an image.

    Args:
        features: (N, gh, gw, D) float32 on the processor, of N windows, not normalised.
        windows: the windows, in pixels of the model input.
        plan: the size of the image and of its model input.
    """

    features: Tensor
    windows: list[Window]
    plan: ResizePlan

    def shares(self, mask: NDArray[np.bool_]) -> Tensor:
        """Compute the share of each patch that lies inside a mask (H, W): (N, gh, gw) float32 in [0, 1]."""
        inside = mask.astype(np.float32)
        return torch.from_numpy(np.stack([self._shares_of(window, inside) for window in self.windows]))

    def _shares_of(self, window: Window, inside: NDArray[np.float32]) -> NDArray[np.float32]:
        """Average the mask over the patches of a window: (gh, gw)."""
        rows = cell_weights(window.top, window.bottom, self.plan.input_hw[0], inside.shape[0], self.features.shape[1])
        columns = cell_weights(
            window.left, window.right, self.plan.input_hw[1], inside.shape[1], self.features.shape[2]
        )
        return np.clip(rows @ inside @ columns.T, 0, 1)


def cell_weights(start: int, end: int, input_length: int, image_length: int, cells: int) -> NDArray[np.float32]:
    """Weigh the pixels of an image in each of the equal cells of a window, along one axis.

    Args:
        start: first pixel of the window in the model input.
        end: the pixel after its last.
        input_length: pixels of the model input.
        image_length: pixels of the image.
        cells: patches of the window.

    Returns:
        (cells, image_length) float32; each row adds up to 1.

    Example:
        >>> cell_weights(0, 4, 4, 6, 2)  # two patches of two pixels, from an image of six pixels
        array([[0.33333334, 0.33333334, 0.33333334, 0.        , 0.        ,
                0.        ],
               [0.        , 0.        , 0.        , 0.33333334, 0.33333334,
                0.33333334]], dtype=float32)
    """
    edges = (start + (end - start) * np.arange(cells + 1) / cells) * image_length / input_length
    pixels = np.arange(image_length)
    overlap = np.minimum(edges[1:, None], pixels + 1) - np.maximum(edges[:-1, None], pixels)  # (cells, image_length)
    return (overlap.clip(0) / np.diff(edges)[:, None]).astype(np.float32)


@plain_torch()
def encode_patches(encoder: DenseEncoder, rgb: NDArray[np.uint8], recipe: Recipe) -> Patches:
    """Encode the patches of an image (H, W, 3) as a protocol does."""
    plan = recipe.plan((int(rgb.shape[0]), int(rgb.shape[1])))
    pixels = upload_pixels(resize_rgb(rgb, plan.input_hw), encoder.device)  # (1, 3, h, w)
    windows = recipe.windows(plan.input_hw)
    crops = [pixels[:, :, w.top : w.bottom, w.left : w.right] for w in windows]
    grids: dict[int, Tensor] = {}
    for indices, features in encode_crops(encoder, crops, recipe.readout):
        grids.update(zip(indices, features.float().cpu(), strict=True))  # (gh, gw, D) each
    return Patches(torch.stack([grids[index] for index in range(len(crops))]), windows, plan)
