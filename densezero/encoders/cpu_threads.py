"""A pool of threads for the tiles of an image, on the CPU.

The steps of one tile are too small to be shared among torch's own threads, which wait for each other after every
operation. So each tile goes to one thread, and torch computes single-threaded there.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import TypeVar

import torch

Item = TypeVar("Item")


def parallel_for(work: Callable[[Item], None], items: Iterable[Item], threads: int) -> None:
    """Call ``work`` on every item, on several threads.

    Args:
        work: handles one item; it must not write what another item's call reads or writes.
        items: what to work on.
        threads: how many threads; 1 uses the caller's.

    Raises:
        Exception: what ``work`` raised for the first item that failed. The others are finished first.
    """
    if threads == 1:
        for item in items:
            work(item)
        return
    futures = [_pool(threads).submit(torch.inference_mode()(work), item) for item in items]
    errors = [error for future in futures if (error := future.exception())]
    if errors:
        raise errors[0]


@lru_cache
def _pool(threads: int) -> ThreadPoolExecutor:
    """Start the threads at once, because ``set_num_threads`` in one also sets what later threads begin with."""
    all_started, before = threading.Barrier(threads + 1), torch.get_num_threads()

    def begin() -> None:
        torch.get_num_threads()  # the first call in a thread would overwrite what is set before it
        torch.set_num_threads(1)
        all_started.wait()

    pool = ThreadPoolExecutor(threads, "densezero_tiles", begin)
    try:
        for _ in range(threads):
            pool.submit(int)
        all_started.wait()
    except BaseException:
        all_started.abort()  # after Ctrl-C, the threads that wait would keep the process alive
        raise
    finally:
        torch.set_num_threads(before)
    return pool


if hasattr(os, "register_at_fork"):  # not on Windows, which does not fork
    os.register_at_fork(after_in_child=_pool.cache_clear)  # a child process has none of the threads
