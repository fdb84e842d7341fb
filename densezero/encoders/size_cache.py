"""A cache of values that depend on the image size."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

SIZES_KEPT = 8

Value = TypeVar("Value")


class SizeCache(Generic[Value]):
    """Keeps the values of the last few sizes. Threads can share it. A copy or pickle of it is empty."""

    def __init__(self) -> None:
        self._kept: dict[tuple[int, int], Value] = {}

    def get(self, hw: tuple[int, int], make: Callable[[], Value]) -> Value:
        """Give the value of a size (rows, columns); make it if it is not kept."""
        kept = self._kept
        if hw not in kept:
            latest = list(kept.items())[1 - SIZES_KEPT :]
            kept = self._kept = {
                **dict(latest),
                hw: make(),
            }  # a new dictionary, because other threads may read the old one
        return kept[hw]

    def clear(self) -> None:
        """Drop all values."""
        self._kept = {}

    def __getstate__(self) -> dict[str, Any]:
        return {"_kept": {}}
