"""Threads for many small steps on the processor.

A step of a few thousand numbers is too small to be cut among torch's own threads: they wait for each other at every
operation, and for whoever else uses the processor. So whole steps go to threads that compute each by itself.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import TypeVar

import torch

Part = TypeVar("Part")
Result = TypeVar("Result")


def share_out(work: Callable[[Part], None], parts: Iterable[Part], threads: int | None = None) -> None:
    """Do some work on every part, on several threads.

    Args:
        work: on one part; it must not touch what the work on another part does.
        parts: what there is to do.
        threads: as many; None takes as many as torch may use.

    Raises:
        Exception: whatever the work on the first part that fails raises; the work on the others is finished first.
    """
    threads = threads or torch.get_num_threads()
    if threads == 1:
        for part in parts:
            work(part)
        return
    started = [_pool(threads).submit(_infer, work, part) for part in parts]
    errors = [error for step in started if (error := step.exception())]
    if errors:
        raise errors[0]


def alone(work: Callable[[], Result]) -> Result:
    """Do some work in a thread that computes by itself, and give what it gives.

    Raises:
        Exception: whatever the work raises.
    """
    threads = torch.get_num_threads()
    return work() if threads == 1 else _pool(threads).submit(_infer, work).result()


def _infer(work: Callable[..., Result], *parts: object) -> Result:
    with torch.inference_mode():  # which each thread enters for itself
        return work(*parts)


def start_pool(name: str, threads: int, begin: Callable[[], None] | None = None) -> ThreadPoolExecutor:
    """Start threads before there is work: an interrupt while one starts would lose sight of it.

    Args:
        name: of the threads, to which a number is added.
        threads: as many.
        begin: what each does first.
    """
    pool = ThreadPoolExecutor(threads, name, begin)
    together = threading.Barrier(threads + 1)
    try:
        for _ in range(threads):
            pool.submit(together.wait)
        together.wait()
    except BaseException:
        together.abort()  # otherwise those that have started would wait for ever, and the process for them
        raise
    return pool


@lru_cache
def _pool(threads: int) -> ThreadPoolExecutor:
    known = torch.get_num_threads()
    pool = start_pool("densezero", threads, _compute_alone)
    torch.set_num_threads(known)  # of threads still to come, which would follow the last that was set
    return pool


def _compute_alone() -> None:
    torch.get_num_threads()  # a thread's first look sets it to what is set for all
    torch.set_num_threads(1)


os.register_at_fork(after_in_child=_pool.cache_clear)  # threads do not live on in a child
