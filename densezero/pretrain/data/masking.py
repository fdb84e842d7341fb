"""Masks of patches for masked image modelling."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

LEAST_BLOCK = 4  # patches
LEAST_RATIO = 0.3  # of the height of a block to its width; the greatest is 1 / 0.3
_BLOCKS = 64


def block_mask(rng: np.random.Generator, rows: int, columns: int, ratio: float) -> NDArray[np.bool_]:
    """Mask rectangular blocks of a grid until the wanted number of patches is masked.

    The blocks are those of BEiT (arXiv 2106.08254, algorithm 1), which iBOT also uses. The last block loses the
    patches that are too many. If the blocks do not suffice, single patches are added at random.

    Args:
        rng: chooses the blocks.
        rows: of the grid.
        columns: of the grid.
        ratio: share of the patches to mask, 0 to 1.

    Returns:
        (rows, columns), True where a patch is masked: exactly ``round(ratio * rows * columns)`` patches.
    """
    mask = np.zeros((rows, columns), np.bool_)
    wanted = round(ratio * rows * columns)
    missing = wanted
    for area_share, shape, top_share, left_share in rng.random((_BLOCKS, 4)).tolist():
        if missing <= LEAST_BLOCK:
            break
        area = LEAST_BLOCK + area_share * (missing - LEAST_BLOCK)
        height_per_width = LEAST_RATIO ** (2 * shape - 1)
        height = min(max(round((area * height_per_width) ** 0.5), 1), rows)
        width = min(max(round((area / height_per_width) ** 0.5), 1), columns)
        top, left = int(top_share * (rows - height + 1)), int(left_share * (columns - width + 1))
        mask[top : top + height, left : left + width] = True
        missing = wanted - int(np.count_nonzero(mask))
        if missing < 0:
            _unmask(mask, np.s_[top : top + height, left : left + width], -missing)
            return mask
    _mask_singles(mask, missing, rng)
    return mask


def _unmask(mask: NDArray[np.bool_], block: tuple[slice, slice], count: int) -> None:
    """Unmask the last patches of a block, in reading order."""
    row, column = np.nonzero(mask[block])
    mask[block][row[-count:], column[-count:]] = False


def _mask_singles(mask: NDArray[np.bool_], count: int, rng: np.random.Generator) -> None:
    """Mask single patches at random."""
    free = np.flatnonzero(~mask)
    mask.flat[rng.permutation(free)[:count]] = True
