"""Pillow's settings while files are decoded: truncated files are refused, and warnings are not shown.

Both settings belong to the whole process. Threads that decode at the same time share one change of them: each thread
makes the change where it is missing, and the last thread takes it back.
"""

import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, cast

from PIL import ImageFile


class _DecodingThreads:
    """The threads that decode now, and the settings that they have changed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()  # held while settings change, never while a file is decoded
        self._threads: list[int] = []
        self._filter: Final = ("ignore", self, Warning, None, 0)  # Python calls ``match`` of the second item
        self._filter_lists: list[list[Any]] = []
        self._callers_flag: Any = False

    def match(self, _message: str) -> bool:
        """Whether the thread that warns is decoding. Warnings of other threads are shown as before."""
        return threading.get_ident() in self._threads

    def enter(self) -> None:
        """Add this thread, and change the settings that still have the caller's values."""
        with self._lock:
            self._threads.append(threading.get_ident())
            filters = cast("list[Any]", warnings.filters)
            if self._filter not in filters[:1]:
                filters.insert(0, self._filter)
                self._filter_lists.append(filters)
            if ImageFile.LOAD_TRUNCATED_IMAGES:
                self._callers_flag = ImageFile.LOAD_TRUNCATED_IMAGES
                ImageFile.LOAD_TRUNCATED_IMAGES = False

    def leave(self) -> None:
        """Remove this thread. If it was the last one, restore the caller's settings."""
        with self._lock:
            self._threads.remove(threading.get_ident())
            if self._threads:
                return
            # catch_warnings in another thread may have replaced the list that we changed by a copy.
            for filters in (*self._filter_lists, cast("list[Any]", warnings.filters)):
                filters[:] = [known for known in filters if known is not self._filter]
            self._filter_lists.clear()
            if self._callers_flag:
                ImageFile.LOAD_TRUNCATED_IMAGES, self._callers_flag = self._callers_flag, False


_decoding: Final = _DecodingThreads()


@contextmanager
def strict_and_quiet() -> Iterator[None]:
    """Decode without Pillow's warnings, and refuse truncated files even where ``LOAD_TRUNCATED_IMAGES`` is set.

    Several threads may be inside at the same time. ``warnings.catch_warnings`` does not allow that: it restores a copy
    of the filters, which undoes the change of another thread.
    """
    _decoding.enter()
    try:
        yield
    finally:
        _decoding.leave()
