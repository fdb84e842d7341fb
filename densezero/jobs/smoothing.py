"""Smooths the scores of a film over time. The state is kept on disk, so that a stopped run goes on with it."""

from __future__ import annotations

import io
import zipfile
from dataclasses import replace
from typing import Final

import numpy as np
import torch

from densezero.encoders.device import plain_torch, to_device, to_numpy
from densezero.engine.score_map import ScoreMap
from densezero.images import Window
from densezero.jobs.places import OutputFolder

STATE: Final = ".smoothing.npz"
"""Where the state lies, below the output folder, until the run ends."""
SECONDS_BETWEEN: Final = 10.0
"""From one state on disk to the next. A stopped run does the frames of that time again."""


@plain_torch()
def smooth(scores: ScoreMap, before: ScoreMap | None, weight: float) -> ScoreMap:
    """Average the scores of a frame with those before it (exponential moving average).

    With scores s(t) of frame t and weight S: m(1) = s(1), and m(t) = (1 - S) s(t) + S m(t-1). It is computed for the
    scores of each patch in each window, which are cosines unless a refinement came before. So the softmax, the mean
    over windows and all resizing come after it.

    Args:
        scores: s(t).
        before: m(t-1); None for the first frame. One of another size is not used: the average begins anew.
        weight: S, at least 0 and below 1. With 0 the scores are returned as they are.

    Returns:
        m(t). A film that stands still keeps its scores exactly.
    """
    if before is None or weight == 0 or (before.windows, before.hw) != (scores.windows, scores.hw):
        return scores
    if before.grids.shape != scores.grids.shape:
        return scores
    return replace(scores, grids=torch.lerp(scores.grids, before.grids, weight))


def write_state(folder: OutputFolder, key: str, following: str, state: ScoreMap) -> None:
    """Write m(t-1), whole or not at all.

    Args:
        folder: the output folder.
        key: of the request.
        following: name of frame t.
        state: m(t-1).
    """
    content = io.BytesIO()
    np.savez(
        content, grids=to_numpy(state.grids), windows=np.array(state.windows), hw=np.array(state.hw),
        softmax=np.array(state.softmax), key=np.array(key), following=np.array(following),
    )  # fmt: skip
    folder.write(STATE, content.getvalue())


def read_state(folder: OutputFolder, key: str, device: torch.device) -> tuple[str, ScoreMap] | None:
    """Read the name of frame t and m(t-1); None where there is none that belongs to this request.

    Args:
        folder: the output folder.
        key: of the request.
        device: where the scores go.
    """
    try:
        with folder.path(STATE).open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            if str(arrays["key"]) != key:
                return None
            height, width = map(int, arrays["hw"])
            windows = [Window(*map(int, window)) for window in arrays["windows"]]
            grids = to_device(arrays["grids"], device)
            return str(arrays["following"]), ScoreMap(grids, windows, (height, width), bool(arrays["softmax"]))
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):  # none, or damaged: do without
        return None
