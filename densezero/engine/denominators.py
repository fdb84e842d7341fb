"""The softmax's denominators over an upsampled grid, from one exponential for each patch and class.

Between four patch centres every score is bilinear, so the sum of the exponentials is smooth there: it is computed at
the corners and thirds of each cell, and a cubic goes through these. At the thirds an exponential is a product of those
at the corners: exp((2 a + b) / 3) = exp(a / 3)^2 exp(b / 3). Where an error bound of the cubic is above the tolerance,
the grid is made finer first.
"""

from __future__ import annotations

import math
from functools import lru_cache

import torch
import torch.nn.functional as F
from torch import Tensor

from densezero.engine.upsample import Span, axis_blend

TOLERANCE = 1e-6  # relative; it is the same for all classes of a pixel, so that a label hardly hangs on it
LEBESGUE = 3.0  # what the second axis makes of the first one's error, and its own
CUBIC = 16 / 81 / math.factorial(4)  # of a function on [-1, 1] with a fourth derivative of 1, from four even nodes
CHUNK = 200_000  # exponentials of thirds at once, so that they stay in the processor's cache


def softmax_denominators(grid: Tensor, hw: tuple[int, int]) -> Tensor:
    """Sum exp(score) over the classes at every pixel of an upsampled grid.

    Args:
        grid: (K, gh, gw) scores of patches, float32.
        hw: rows and columns after bilinear upsampling.

    Returns:
        (h, w) float32.
    """
    parts = parts_of_a_cell(grid.permute(1, 2, 0))
    rows, columns = (_from_thirds(*lengths, parts).to(grid) for lengths in zip(grid.shape[1:], hw, strict=True))
    return rows @ _sums_at_thirds(_finer(grid, parts).permute(1, 2, 0)) @ columns.T


def parts_of_a_cell(patches: Tensor) -> int:
    """Choose in how many parts a cell is cut along each axis, so that the error bound is within the tolerance.

    Along an axis of a part the exponential of a score that changes by 2 s has the fourth derivative s^4 exp(score) on
    [-1, 1]. The error of the sum relative to itself is at most that of the mean of s^4 over the classes, but for the
    spread of their exponentials.

    Args:
        patches: (gh, gw, K).
    """
    squares = [step.square_() for axis in (0, 1) if (step := patches.diff(dim=axis)).numel()]  # (2 s)^2
    fourths = [torch.linalg.vector_norm(square, dim=-1).square_() for square in squares]  # the sum of (2 s)^4
    mean = max((float(fourth.max()) for fourth in fourths), default=0.0) / (16 * patches.shape[-1])
    lowest, highest = patches.aminmax()
    error = LEBESGUE * CUBIC * mean * math.exp(min(float(highest - lowest), 50.0))
    return max(1, math.ceil((error / TOLERANCE) ** (1 / 4))) if math.isfinite(error) else 1


def _finer(grid: Tensor, parts: int) -> Tensor:
    if parts == 1:
        return grid
    hw = [parts * (length - 1) + 1 for length in grid.shape[1:]]
    return F.interpolate(grid[None], size=hw, mode="bilinear", align_corners=True)[0]


def _sums_at_thirds(patches: Tensor) -> Tensor:
    """Sum the exponentials of patches (gh, gw, K) at their places and at the thirds between: (R, S)."""
    height, width = (3 * (length - 1) + 1 for length in patches.shape[:2])
    sums = patches.new_empty(height, width)
    step = max(1, CHUNK // (width * patches.shape[2]))
    thirds, squares, products = patches.new_empty(3, min(step + 1, len(patches)), width, patches.shape[2])
    for top in range(0, len(patches), step):
        rows = patches[top : top + step + 1]
        part, last = sums[3 * top : 3 * (top + len(rows) - 1) + 1], len(rows) - 1
        _thirds(rows.div(9).exp_(), thirds)
        torch.mul(thirds, thirds, out=squares)
        part[::3] = torch.mul(squares, thirds, out=products)[: last + 1].sum(-1)
        part[1::3] = torch.mul(squares[:last], thirds[1 : last + 1], out=products[:last]).sum(-1)
        part[2::3] = torch.mul(thirds[:last], squares[1 : last + 1], out=products[:last]).sum(-1)
    return sums


def _thirds(roots: Tensor, thirds: Tensor) -> None:
    """From exp(score / 9) of patches (r, gw, K), exp(score / 3) at these and the thirds: the first r of (R, S, K)."""
    thirds, squares = thirds[: len(roots)], roots * roots
    torch.mul(squares, roots, out=thirds[:, ::3])
    torch.mul(squares[:, :-1], roots[:, 1:], out=thirds[:, 1::3])
    torch.mul(roots[:, :-1], squares[:, 1:], out=thirds[:, 2::3])


@lru_cache(maxsize=32)
def _from_thirds(length: int, targets: int, parts: int) -> Tensor:
    """(targets, 3 * parts * (length - 1) + 1) weights that take the thirds along an axis to its pixels."""
    plan, last = axis_blend(Span(0, targets), length, targets), parts * (length - 1)
    places = (parts * (plan.low + plan.span.start + plan.share.double())).clamp(max=last)
    cells = places.floor().clamp(max=max(last - 1, 0))
    weights = torch.zeros(len(places), 3 * max(last, 1) + 1, dtype=torch.float64)
    pixels, first = torch.arange(len(places)), 3 * cells.long()
    for node in range(4):
        others = [other for other in range(4) if other != node]
        values = torch.stack([(3 * (places - cells) - other) / (node - other) for other in others]).prod(0)
        weights[pixels, first + node] = values
    return weights[:, : 3 * last + 1].float()
