"""The softmax's denominators over an upsampled grid, from far fewer exponentials than pixels times classes.

Between four patch centres every cosine is bilinear, so the sum of the exponentials is smooth there: it is computed at
a few Chebyshev-Lobatto nodes of each cell and interpolated between them by a polynomial. The degree is chosen by the
error bound of that interpolation, so that the error stays at what float32 leaves of a sum of exponentials.
"""

from __future__ import annotations

import math
from functools import lru_cache

import torch
from torch import Tensor

from densezero.engine.upsample import Blend, Span, axis_blend

TOLERANCE = 2e-7  # relative; float32 rounds at 1.2e-7
LEBESGUE = 3.0  # what the second axis makes of the first one's error, and its own
MAX_DEGREE = 12  # enough for cosines, whose halved step between neighbours is at most 1
CHUNK_BYTES = 2**20  # of exponentials at once, so that they stay in the processor's cache


def softmax_denominators(grid: Tensor, hw: tuple[int, int]) -> Tensor:
    """Sum exp(score) over the classes at every pixel of an upsampled grid.

    Args:
        grid: (K, gh, gw) scores of patches, float32.
        hw: rows and columns after bilinear upsampling.

    Returns:
        (h, w) float32.
    """
    patches = grid.permute(1, 2, 0)  # (gh, gw, K)
    degree = smallest_degree(patches)
    down, across = (
        axis_blend(Span(0, targets), sources, targets) for sources, targets in zip(grid.shape[1:], hw, strict=True)
    )
    row_nodes, column_nodes = (_to_nodes(length, degree).to(grid) for length in grid.shape[1:])
    sums = _sums_at_nodes(patches, row_nodes, column_nodes)
    rows, columns = (
        _from_nodes(plan, length, degree).to(grid) for plan, length in zip((down, across), grid.shape[1:], strict=True)
    )
    return rows @ sums @ columns.T


def smallest_degree(patches: Tensor) -> int:
    """Choose the degree whose error bound is within the tolerance.

    On [-1, 1] the Lobatto polynomial of degree n errs by at most max |f^(n+1)| / ((n + 1)! 2^(n-1)); along an axis of a
    cell the exponential of a score that changes by 2 s has the derivative s^(n+1) exp(score). The error of the sum
    relative to itself is at most the mean over classes, but for the spread of their exponentials.

    Args:
        patches: (gh, gw, K).
    """
    steps = [step for axis in (0, 1) if (step := patches.diff(dim=axis).abs_().div_(2)).numel()]
    powers = [step * step for step in steps]
    spread = math.exp(min(float(patches.max() - patches.min()), 50.0))
    for degree in range(2, MAX_DEGREE):
        powers = [power.mul_(step) for power, step in zip(powers, steps, strict=True)]  # of order degree + 1
        largest = max((float(power.mean(-1).max()) for power in powers), default=0.0)
        if LEBESGUE * spread * largest <= TOLERANCE * math.factorial(degree + 1) * 2 ** (degree - 1):
            return degree
    return MAX_DEGREE


def _sums_at_nodes(patches: Tensor, row_nodes: Tensor, column_nodes: Tensor) -> Tensor:
    """Sum the exponentials at the nodes: patches (gh, gw, K), nodes (R, gh) and (S, gw), to (R, S)."""
    classes, count = patches.shape[-1], len(row_nodes)
    wide = column_nodes @ patches  # (gh, S, K)
    sums = patches.new_empty(count, len(column_nodes))
    at_once = max(1, CHUNK_BYTES // (4 * count * classes))
    kept = patches.new_empty(count * at_once * classes)
    for start in range(0, len(column_nodes), at_once):
        part = wide[:, start : start + at_once].flatten(1)  # (gh, s * K)
        scores = torch.mm(row_nodes, part, out=kept[: count * part.shape[1]].view(count, -1))  # (R, s * K)
        sums[:, start : start + at_once] = scores.exp_().view(count, -1, classes).sum(-1)
    return sums


@lru_cache
def _nodes(degree: int) -> tuple[float, ...]:
    """The degree + 1 Lobatto nodes of a cell, from 0 to 1."""
    return tuple((1 - math.cos(math.pi * node / degree)) / 2 for node in range(degree + 1))


def _to_nodes(length: int, degree: int) -> Tensor:
    """(degree * (length - 1) + 1, length) weights that take an axis of patches to its nodes."""
    cells, weights = length - 1, torch.zeros(degree * (length - 1) + 1, length, dtype=torch.float64)
    for node, place in enumerate(_nodes(degree)[:-1]):
        at = torch.arange(cells)
        weights[degree * at + node, at] = 1 - place
        weights[degree * at + node, at + 1] = place
    weights[-1, -1] = 1
    return weights.float()


def _from_nodes(plan: Blend, length: int, degree: int) -> Tensor:
    """(targets, degree * (length - 1) + 1) weights that take the nodes of an axis to its pixels."""
    nodes, share = _nodes(degree), plan.share.double()
    weights = torch.zeros(len(share), degree * (length - 1) + 1, dtype=torch.float64)
    low = plan.low + plan.span.start
    inside = (low < length - 1).nonzero().flatten()
    for node, place in enumerate(nodes):
        others = [other for index, other in enumerate(nodes) if index != node]
        values = torch.stack([(share - other) / (place - other) for other in others]).prod(0)
        weights[inside, degree * low[inside] + node] = values[inside]
    weights[low == length - 1, -1] = 1
    return weights.float()
