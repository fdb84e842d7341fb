"""The names of splits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from densezero.errors import InputError, did_you_mean

DEFAULT_SPLIT: Final = "val"
"""The split on which papers measure."""


def pick_split(split: str, known: Sequence[str]) -> None:
    """Refuse a split that a data set does not have.

    Raises:
        InputError: there is no such split. The message suggests the most similar one.
    """
    if split not in known:
        raise InputError(f"expected a split of the data set, got {split!r}. {did_you_mean(split, list(known))}")
