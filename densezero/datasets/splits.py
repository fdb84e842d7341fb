"""The parts of a data set, by name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from densezero.errors import InputError, did_you_mean

DEFAULT_SPLIT: Final = "val"
"""What the papers measure on."""


def pick_split(split: str, known: Sequence[str]) -> None:
    """Refuse a split that a data set does not have.

    Raises:
        InputError: no such split; the message gives the nearest.
    """
    if split not in known:
        raise InputError(f"expected a split of the data set, got {split!r}. {did_you_mean(split, list(known))}")
