"""Labels by compiled loops, for those who have numba: the same to the last one, in a fraction of the time.

The loops round otherwise than torch. So they label what is clear, and note the pixels that are too close to call; the
channels that may be highest there are compared as they are without the loops.
"""

from __future__ import annotations

from functools import lru_cache
from importlib.util import find_spec
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from densezero.engine.corners import Axis
from densezero.engine.runs import runs_along
from densezero.engine.scores import GridScores, ScoreMap, highest
from densezero.engine.squares import SomeSquares, squares_along
from densezero.engine.upsample import Blend, Span, axis_blend
from densezero.engine.workers import alone, share_out

if TYPE_CHECKING:
    from densezero.engine.kernels import Steps

BAND = 4  # rows of squares at once
MARGIN = 2e-6  # of scores that reach 1, or of their exponentials; the two ways differed over gaps of 1e-7 at most
LARGEST = 1.01  # score that is a cosine, of which the loops have the exponential
CLOSE_ONE_IN = 16  # pixels: where more are too close, as with a class given twice, all is done without the loops
LEAST_ROOM = 64
CLOSE_SCORES = 500_000  # of pixels that are too close to call, at once
PAYS_FROM = 2_000_000  # pixels: to label them without the loops takes about as long as to load these
SMALL_PX = 2**16  # of an image: below, what the loops save is hardly worth the 130 MB that they take


@lru_cache
def load_kernels() -> ModuleType | None:
    """Import the loops and try them; None where numba is missing, cannot work here or is told not to compile."""
    if find_spec("numba") is None:
        return None
    try:
        from numba import config

        from densezero.engine import kernels

        if getattr(config, "DISABLE_JIT", False):
            return None
        falling, rising = torch.tensor([1.0, 0.0]), torch.tensor([0.0, 1.0])
        tried = _channels_by(kernels, GridScores(torch.stack([falling, rising])[:, None]), (1, 4), None)
    except Exception:  # a numpy that this numba does not know, no room for what is compiled, a torn file of it, ...
        return None  # and a run goes on without
    works = tried is not None and tried.tolist() == [[0, 0, 1, 1]]
    return kernels if works else None


class Demand:
    """Whether the loops are worth loading in this process.

    Attributes:
        pixels: of images that are not small, labelled so far.
    """

    def __init__(self) -> None:
        self.pixels = 0

    def pays(self, hw: tuple[int, int]) -> bool:
        """Count an image, and say whether to label it by the loops: not before enough was labelled without them."""
        if hw[0] * hw[1] < SMALL_PX:
            return False
        had = self.pixels
        self.pixels += hw[0] * hw[1]
        return had >= PAYS_FROM


demand = Demand()


def compiled_channels(scores: ScoreMap, hw: tuple[int, int], allowed: Tensor | None = None) -> Tensor | None:
    """Find the first channel that is highest at every pixel of an image.

    Args:
        scores: the map that is resized to the image, on the processor.
        hw: rows and columns of the image.
        allowed: (K,) False for channels that are left out; all are allowed where this is None.

    Returns:
        (H, W) int32; None where numba is missing, too many pixels are too close to call, or scores are no cosines.
    """
    kernels = load_kernels()
    return None if kernels is None else _channels_by(kernels, scores, hw, allowed)


def _channels_by(kernels: ModuleType, scores: ScoreMap, hw: tuple[int, int], allowed: Tensor | None) -> Tensor | None:
    down, across = scores.axes(hw)
    patches, exponential, weights = scores.mixture
    if exponential and not alone(lambda: bool(torch.stack(patches.aminmax()).abs().amax() <= LARGEST)):
        return None  # for what is no number too
    if allowed is not None:
        patches = patches.masked_fill(~allowed, float("-inf"))
    field = kernels.Field(
        grids=patches.contiguous().numpy(),
        weights=np.empty((0, 0, 0), np.float32) if weights is None else weights.numpy(),
        exponential=exponential,
        margin=np.float32(MARGIN),
    )
    steps = _steps_along(kernels, down), _steps_along(kernels, across)
    channels = np.empty(hw, np.int32)
    starts = steps[0].pieces[steps[0].squares]  # of the rows of squares
    close: list[Tensor] = []
    fits: list[bool] = []

    def label(first: int) -> None:
        last = min(first + BAND, len(starts) - 1)
        room = np.empty((3, max(LEAST_ROOM, (starts[last] - starts[first]) * hw[1] // CLOSE_ONE_IN)), np.int64)
        count = kernels.label_squares(first, last, field, *steps, channels, room)
        fits.append(count <= room.shape[1])
        close.append(torch.from_numpy(room[:, :count].copy()))

    share_out(label, range(0, len(starts) - 1, BAND))
    if not all(fits):
        return None
    found = torch.from_numpy(channels)
    alone(lambda: _settle(torch.cat(close, 1), scores, (down, across), found))
    return found


@lru_cache(maxsize=64)
def _steps_along(kernels: ModuleType, axes: tuple[Axis, ...]) -> Steps:
    """Plan an axis; plans are kept, since images are of few sizes."""
    axis, runs = axes[0], runs_along(axes, kernels.SIDE)
    pieces = np.array([span.start for span in runs.spans] + [axis.image_px])
    low, high, share = _plan(axis.map_px, axis.image_px)
    begins = np.array([window.begin for window in axes])
    patches = [_plan(window.patches, window.length) for window in axes]
    lows, highs, shares = (np.stack(parts) for parts in zip(*patches, strict=True))  # (N, length)

    def reached(starts: NDArray[np.int64]) -> NDArray[np.int64]:
        """First pixel of each window, and the one after the last, that a part of the axis hangs on: (parts, N, 2)."""
        first = low[starts[:-1], None] - begins
        after = high[starts[1:] - 1, None] + 1 - begins
        return np.stack([first, after], -1).clip(0, lows.shape[1])

    squares = reached(pieces[runs.begins])
    windows, last = np.arange(len(axes)), lows.shape[1] - 1
    first = lows[windows, squares[..., 0].clip(max=last)]
    count = highs[windows, (squares[..., 1] - 1).clip(min=0)] + 1 - first
    held = np.stack([first, np.where(squares[..., 0] < squares[..., 1], count, 0)], -1)
    steps: Steps = kernels.Steps(
        squares=np.array(runs.begins), pieces=pieces, held=held, reach=reached(pieces), begins=begins,
        sources=np.stack([low, high]), share=share, patches=np.stack([lows, highs]), patch_share=shares,
    )  # fmt: skip
    return steps


def _plan(sources: int, targets: int) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float32]]:
    """First and second source of every target, and the weight of the second."""
    plan: Blend = axis_blend(Span(0, targets), sources, targets)
    low = plan.low + plan.span.start
    high = low if plan.changes_nothing else plan.high + plan.span.start
    return low.numpy(), high.numpy(), plan.share.numpy()


def _settle(close: Tensor, scores: ScoreMap, axes: tuple[tuple[Axis, ...], tuple[Axis, ...]], channels: Tensor) -> None:
    """Find the highest of some channels (3, n: row, column, channel) of some pixels, and write it."""
    places = close[0] * channels.shape[1] + close[1]
    places, order = places.sort(stable=True)  # a pixel's channels rise, as they were
    pixels, counts = torch.unique_consecutive(places, return_counts=True)
    if not len(pixels):
        return
    starts, most = counts.cumsum(0) - counts, int(counts.max())
    some = close[2, order][starts[:, None] + torch.arange(most).minimum(counts[:, None] - 1)]  # (n, most)
    squares = squares_along(axes[0], 1), squares_along(axes[1], 1)
    rows, columns = pixels // channels.shape[1], pixels % channels.shape[1]
    for part in torch.split(torch.arange(len(pixels)), max(1, CLOSE_SCORES // most)):
        found = scores.in_squares(SomeSquares(squares, rows[part], columns[part]), some[part])  # (n, most, 1, 1)
        best = highest(found, dim=1).flatten(1)
        channels[rows[part], columns[part]] = some[part].gather(1, best)[:, 0].int()
