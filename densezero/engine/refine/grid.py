"""The grid solve of PEARL (arXiv 2603.21528, text-aware Laplacian propagation): a screened Poisson equation on cells.

Each cell keeps its own scores as far as they are confident. It takes on the scores of its four neighbours as far as the
image has no edge in between.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from densezero.encoders.device import plain_torch
from densezero.engine.protocol import Grid
from densezero.errors import InputError

LEAST_CONFIDENCE, EDGE_SHARPNESS, OWN_CLASS, TEXT_TEMPERATURE = 0.05, 5.0, 10.0, 0.5
GREY = (0.299, 0.587, 0.114)


@plain_torch()
def grid_solve(
    image: Tensor, scores: Tensor, text: Tensor, cells: int = Grid.cells, iterations: int = Grid.iterations
) -> Tensor:
    """Smooth scores on a coarse grid, between the edges of the image, and resize them back.

    Args:
        image: (3, H, W) float32 RGB in [0, 1].
        scores: (C, H, W) cosines.
        text: (C, D) unit vectors.
        cells: about how many cells lie along each side. A cell is a whole number of pixels.
        iterations: steps of the solver.

    Returns:
        (C, H, W) float32.

    Raises:
        InputError: if the shapes do not fit each other.
        ProtocolError: if a number is below 1.
    """
    refuse_other_shapes(image, scores)
    if text.ndim != 2 or len(text) != len(scores):
        raise InputError(f"Expected text (C, D) with a row for each of {len(scores)} scores; got {tuple(text.shape)}.")
    settings = Grid(cells, iterations)
    step = pool_step(scores.shape[1:], settings.cells)
    pooled_image, pooled = (F.avg_pool2d(each.float(), step) for each in (image, scores))
    solved = solve(pooled_image, pooled.permute(1, 2, 0), text.float(), settings.iterations)
    planes = solved.permute(2, 0, 1).contiguous()  # (C, rows, columns)
    return F.interpolate(planes[None], scores.shape[1:], mode="bilinear", align_corners=False)[0]


def refuse_other_shapes(image: Tensor, scores: Tensor) -> None:
    """Raise InputError unless the image is (3, H, W) and the scores are (C, H, W)."""
    if scores.ndim != 3 or image.shape != (3, *scores.shape[1:]) or not scores.numel():
        raise InputError(
            f"Expected an image (3, H, W) and scores (C, H, W) of one size; got {tuple(image.shape)} and "
            f"{tuple(scores.shape)}."
        )


def pool_step(hw: Sequence[int], cells: int) -> tuple[int, int]:
    """Give the rows and columns of pixels in a cell; what remains at the lower and right border is dropped."""
    return max(1, round(hw[0] / cells)), max(1, round(hw[1] / cells))


def solve(image: Tensor, scores: Tensor, text: Tensor, iterations: int) -> Tensor:
    """Approach the solution F of (diag(trust) + Laplacian) F = trust x scores, starting from the scores.

    Args:
        image: (3, rows, columns) mean colour of each cell.
        scores: (rows, columns, C) mean cosines of each cell.
        text: (C, D) unit vectors.
        iterations: steps of conjugate gradients.

    Returns:
        (rows, columns, C) float32.
    """
    if scores.device.type == "mps":  # it has no float64, and some versions lack embedding_bag
        return solve(image.cpu(), scores.cpu(), text.cpu(), iterations).to(scores.device)
    rows, columns, classes = scores.shape
    probability = scores.softmax(-1)
    distinct = ((text @ text.T / TEXT_TEMPERATURE).softmax(-1).diagonal() + OWN_CLASS) / (1 + OWN_CLASS)  # (C,)
    weighted = probability * distinct
    agreement = (probability * weighted).sum(-1).clamp(0, 1)
    trust = probability.amax(-1).clamp(min=LEAST_CONFIDENCE).square() * (1 + agreement)  # (rows, columns)
    grey = torch.tensordot(image.new_tensor(GREY), image, 1)  # (rows, columns)
    across = _edges(grey[:, 1:] - grey[:, :-1], (weighted[:, 1:] * probability[:, :-1]).sum(-1))
    down = _edges(grey[1:] - grey[:-1], (weighted[1:] * probability[:-1]).sum(-1))
    start = scores.contiguous().view(-1, classes)  # (cells, C)
    multiply = _five_point_product(trust, across, down)
    return _conjugate_gradients(multiply, trust.view(-1, 1) * start, start, iterations).view(rows, columns, classes)


def _edges(difference: Tensor, similarity: Tensor) -> Tensor:
    """Weigh the edges between cells in one direction: high without a step of grey, higher for equal classes."""
    grey = difference.abs()
    stop = torch.exp(-EDGE_SHARPNESS * grey / (grey.mean() + 1e-6))
    return (stop * (1 + similarity.clamp(0, 1))).clamp(0, 1)


def _five_point_product(trust: Tensor, across: Tensor, down: Tensor) -> Callable[[Tensor], Tensor]:
    """Give the product of the matrix with (cells, C): of each cell, the weighted sum of itself and its neighbours."""
    rows, columns = trust.shape
    left, right = F.pad(across, (1, 0)), F.pad(across, (0, 1))
    upper, lower = F.pad(down, (0, 0, 1, 0)), F.pad(down, (0, 0, 0, 1))
    own = trust + left + right + upper + lower
    weight = torch.stack([own, -left, -right, -upper, -lower], -1).view(-1, 5)
    steps = torch.tensor([0, -1, 1, -columns, columns], device=trust.device)
    index = torch.arange(rows * columns, device=trust.device)[:, None] + steps
    index.clamp_(0, rows * columns - 1)  # beyond the border the weight is 0
    return lambda values: F.embedding_bag(index, values, mode="sum", per_sample_weights=weight)


def _conjugate_gradients(
    multiply: Callable[[Tensor], Tensor], target: Tensor, start: Tensor, iterations: int
) -> Tensor:
    """Approach x in ``multiply(x) = target``, (cells, C), with one step length for all classes together.

    Twenty-five steps do not converge. So the start, the order and the number of steps are part of the method.
    """
    solution = start.clone()
    residual = target - multiply(start)
    direction, norm = residual.clone(), _dot(residual, residual)
    for _ in range(iterations):
        product = multiply(direction)
        length = norm / (_dot(direction, product) + 1e-12)
        solution.addcmul_(direction, length)
        residual.addcmul_(product, -length)
        last, norm = norm, _dot(residual, residual)
        direction.mul_(norm / (last + 1e-12)).add_(residual)
    return solution


def _dot(a: Tensor, b: Tensor) -> Tensor:
    """Sum the products of all values. The cells are added in float64, else the order of the classes would show."""
    total: Tensor = torch.linalg.vecdot(a, b).double().sum()
    return total.float()
