"""The heap while weights are read: a tensor that is let go of between tensors that stay shall leave no hole.

glibc keeps what is freed below 32 MiB for later. While a tower is loaded that is a copy of each of its tensors, a sixth
of the weights in all, which later steps hardly use.
"""

from __future__ import annotations

import ctypes
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager

TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3  # glibc's M_TRIM_THRESHOLD and M_MMAP_THRESHOLD
WHILE_READING = 2**20
AFTERWARDS = 2**25  # as far as glibc raises it by itself, once pieces of that size have been freed


@contextmanager
def large_pieces_apart() -> Iterator[None]:
    """Take pieces of memory of 1 MiB and more from the system, each by itself, so that it goes back when it is freed.

    Nothing changes with another allocator than glibc's, or where the environment sets this one's thresholds.
    """
    set_outside = "glibc.malloc" in os.environ.get("GLIBC_TUNABLES", "")
    if platform.libc_ver()[0] != "glibc" or set_outside or any(name.startswith("MALLOC_") for name in os.environ):
        yield
        return
    set_option = ctypes.CDLL(None).mallopt
    set_option(MMAP_THRESHOLD, WHILE_READING)
    try:
        yield
    finally:
        set_option(MMAP_THRESHOLD, AFTERWARDS)
        set_option(TRIM_THRESHOLD, 2 * AFTERWARDS)
