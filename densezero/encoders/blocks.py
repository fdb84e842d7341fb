"""Features of single transformer blocks: what they are, and which blocks a number means."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from torch import Tensor

from densezero.errors import ModelError


class BlockFeatures(NamedTuple):
    """Tokens after one block and the final norm.

    Attributes:
        cls: (B, D) the first class token; (B, 0) if the encoder has none.
        grid: (B, gh, gw, D) patch tokens.
    """

    cls: Tensor
    grid: Tensor


def split_tokens(tokens: Tensor, prefix: int, grid_hw: tuple[int, int], *, has_cls: bool) -> BlockFeatures:
    """Split (B, prefix + gh * gw, D) tokens into the class token, which is the first, and the grid."""
    cls = tokens[:, 0] if has_cls else tokens.new_empty(tokens.shape[0], 0)
    grid = tokens[:, prefix:].reshape(tokens.shape[0], *grid_hw, tokens.shape[-1])
    return BlockFeatures(cls.float(), grid.float())


def find_blocks(blocks: Sequence[int], depth: int) -> list[int]:
    """Turn block numbers, of which negative ones count from the end, into numbers from 0.

    Args:
        blocks: at least one number from ``-depth`` to ``depth - 1``.
        depth: number of blocks of the tower.

    Raises:
        ModelError: if the list is empty, or a number is out of range or not a whole number.

    Example:
        >>> find_blocks([2, -1], depth=12)
        [2, 11]
    """
    if len(blocks) == 0:
        raise ModelError("Expected at least one block; got none. Name blocks by their numbers from 0.")
    for number in blocks:
        if type(number) is not int or not -depth <= number < depth:
            raise ModelError(
                f"Expected blocks from 0 to {depth - 1}, or from -1 to {-depth} counted from the end; got {number!r}."
            )
    return [number % depth for number in blocks]
