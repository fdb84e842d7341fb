"""Interleaved timing: a machine that is slow for a minute is slow for everything that is compared."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

SETTLE_S = 0.1

Ways = dict[str, Callable[[], object]]


def interleave(ways: Ways, repeats: int) -> dict[str, list[float]]:
    """Time every way once a round, after one round that does not count; every other round goes backwards.

    Returns:
        Seconds of each way, one for each round.
    """
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for work in ways.values():
        work()
    for number in range(repeats):
        for name in list(ways)[:: -1 if number % 2 else 1]:
            seconds[name].append(seconds_of(ways[name]))
    return seconds


def seconds_of(work: Callable[[], object]) -> float:
    """Time one call, when the threads of what ran before have stopped spinning."""
    time.sleep(SETTLE_S)
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def medians(seconds: dict[str, list[float]]) -> dict[str, float]:
    """The median of each way."""
    return {name: statistics.median(times) for name, times in seconds.items()}
