"""Pixel-adaptive mask refinement, PAMR (arXiv 2005.08104): pixels of similar colour share their scores."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from densezero.encoders.device import plain_torch
from densezero.engine.protocol import Pamr
from densezero.engine.refine.grid import refuse_other_shapes
from densezero.images.windows import row_strips

STRIP_PX = 2**21  # pixels of a strip; each needs about 400 bytes
CLASSES_AT_ONCE = 32  # more do not fit into the cache of a processor


@plain_torch()
def pamr(
    image: Tensor, scores: Tensor, iterations: int = Pamr.iterations, dilations: tuple[int, ...] = Pamr.dilations
) -> Tensor:
    """Replace the scores of each pixel by a mean over its neighbours, again and again; similar colours weigh more.

    Beside the arguments and the result, the memory holds a strip of rows with some classes, and the halo above it.

    Args:
        image: (3, H, W) float32 RGB in [0, 1].
        scores: (C, H, W), of any range.
        iterations: number of means, one after the other.
        dilations: distances of the neighbours, pixels. Each has eight neighbours.

    Returns:
        (C, H, W) float32, a view of (H, W, C).

    Raises:
        InputError: if the shapes do not fit each other.
        ProtocolError: if a number is below 1, or ``dilations`` is empty.
    """
    refuse_other_shapes(image, scores)
    if scores.device.type == "mps":  # some versions lack embedding_bag
        return pamr(image.cpu(), scores.cpu(), iterations, dilations).to(scores.device)
    pixels = scores.float().permute(1, 2, 0).clone(memory_format=torch.contiguous_format)  # (H, W, C)
    return pamr_in_place(image, pixels, Pamr(iterations, dilations)).permute(2, 0, 1)


def pamr_in_place(image: Tensor, pixels: Tensor, settings: Pamr) -> Tensor:
    """Do the same to scores (H, W, C) float32 where they lie, and return them."""
    halo = settings.iterations * max(settings.dilations)
    groups = [slice(first, first + CLASSES_AT_ONCE) for first in range(0, pixels.shape[2], CLASSES_AT_ONCE)]
    above = [pixels[:0, :, classes] for classes in groups]  # the halo above a strip, as it was
    for wanted, needed in row_strips(pixels.shape[0], pixels.shape[1], STRIP_PX, halo):
        weight = neighbour_weights(image[:, needed].float(), settings.dilations)  # (pixels of the strip, neighbours)
        index = _neighbour_index(image[0, needed], settings.dilations)  # likewise
        for place, classes in enumerate(groups):
            part = torch.cat([above[place], pixels[wanted.start : needed.stop, :, classes]])  # (rows, W, classes)
            above[place] = part[: wanted.stop - needed.start][-halo:].clone()
            values = part.view(len(index), -1)
            for _ in range(settings.iterations):
                values = F.embedding_bag(index, values, mode="sum", per_sample_weights=weight)
            first = wanted.start - needed.start
            pixels[wanted, :, classes] = values.view(part.shape)[first : first + wanted.stop - wanted.start]
    return pixels


def neighbour_weights(image: Tensor, dilations: Sequence[int]) -> Tensor:
    """Weigh the neighbours of each pixel of (3, H, W) by their colour: (H * W, neighbours); each row adds up to 1.

    The deviation of a channel is over the nine pixels of every dilation, so the centre counts once for each dilation.
    It is computed from differences to the centre, which have the same deviation as the values.
    """
    height, width = image.shape[1:]
    reach, offsets = max(dilations), list(_offsets(dilations))
    padded = F.pad(image[None], [reach] * 4, mode="replicate")[0]

    def difference(down: int, right: int) -> Tensor:
        top, left = reach + down, reach + right
        return padded[:, top : top + height, left : left + width] - image  # (3, H, W)

    total, squares = torch.zeros_like(image), torch.zeros_like(image)
    for offset in offsets:
        step = difference(*offset)
        total += step
        squares.addcmul_(step, step)
    count = 9 * len(dilations)
    deviation = ((squares - total.square() / count) / (count - 1)).clamp_(min=0).sqrt_()
    sharpness = -1 / (3 * (1e-8 + 0.1 * deviation))  # with the mean over three channels
    affinity = torch.stack([(difference(*offset).abs_() * sharpness).sum(0) for offset in offsets], -1)
    return affinity.softmax(-1).flatten(0, 1)


def _neighbour_index(plane: Tensor, dilations: Sequence[int]) -> Tensor:
    """Give the positions of the neighbours of each pixel of (H, W): (H * W, neighbours) int32; the border repeats."""
    height, width = plane.shape
    down, right = torch.tensor(list(_offsets(dilations)), dtype=torch.int32, device=plane.device).T
    rows, columns = (torch.arange(length, dtype=torch.int32, device=plane.device)[:, None] for length in plane.shape)
    first = (rows + down).clamp_(0, height - 1)[:, None] * width  # (H, 1, neighbours)
    index: Tensor = first + (columns + right).clamp_(0, width - 1)  # (H, W, neighbours)
    return index.flatten(0, 1)


def _offsets(dilations: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Give the rows down and columns right to each neighbour, eight for each dilation."""
    for dilation in dilations:
        steps = (-dilation, 0, dilation)
        yield from ((down, right) for down in steps for right in steps if down or right)
