"""A thread pool whose threads all start at once."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor


def start_pool(name: str, threads: int) -> ThreadPoolExecutor:
    """Start a pool and all of its threads, so that Ctrl-C cannot come while one of them starts and lose it.

    Args:
        name: prefix of the threads' names.
        threads: number of threads.
    """
    pool = ThreadPoolExecutor(threads, name)
    all_started = threading.Barrier(threads + 1)
    try:
        for _ in range(threads):
            pool.submit(all_started.wait)
        all_started.wait()
    except BaseException:
        all_started.abort()  # otherwise the threads that have started would wait and keep the process alive
        raise
    return pool
