"""Reading ahead: while one item is worked on, a thread reads the next one, as long as memory is no concern."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Generic, TypeVar

from densezero.errors import InputError
from densezero.images.sizes import read_hw

Item = TypeVar("Item")
Content = TypeVar("Content")

IN_FLIGHT_BYTES: Final = 300_000_000
"""Held at most between the steps: one image is read, one worked on, one written. Three of 25 megapixels fit."""


@dataclass(frozen=True)
class Ahead(Generic[Item, Content]):
    """An item that has been read.

    Args:
        item: what was read.
        reading: gives the content, or raises what reading raised.
        is_alone: whether nothing is read while this item is worked on; the next one wants all memory, or there is none.
    """

    item: Item
    reading: Future[Content]
    is_alone: bool


def one_thread(name: str) -> ThreadPoolExecutor:
    """A thread that does one thing after another; use it as a context, which ends when the thread has."""
    thread = ThreadPoolExecutor(1, f"densezero-{name}")
    thread.submit(int).result()  # it runs before there is work: an interrupt while it starts would lose sight of it
    return thread


def read_ahead(
    items: Sequence[Item], read: Callable[[Item], Content], is_light: Callable[[Item], bool], thread: Executor
) -> Iterator[Ahead[Item, Content]]:
    """Give the items in order, each read; meanwhile the next one is being read, where both are light.

    Args:
        items: what to read.
        read: reads one item, in the thread.
        is_light: whether an item may be in memory beside others.
        thread: of one worker.
    """
    ahead: Future[Content] | None = None
    for place, item in enumerate(items):
        reading = ahead or thread.submit(read, item)
        wait([reading])
        following = items[place + 1 : place + 2]  # none after the last
        is_alone = not following or not (is_light(item) and is_light(following[0]))
        ahead = None if is_alone else thread.submit(read, following[0])
        yield Ahead(item, reading, is_alone)


def is_light(path: Path, px_bytes: int, other_bytes: int = 0) -> bool:
    """Whether three images of this size stay within ``IN_FLIGHT_BYTES``, by the header alone.

    Args:
        path: the image file.
        px_bytes: what is held of an image between the steps, bytes for each of its pixels.
        other_bytes: what is held besides, whatever the image's size.
    """
    try:
        height, width = read_hw(path)
    except InputError:  # nothing to hold; reading it says why
        return True
    return 3 * (px_bytes * height * width + other_bytes) <= IN_FLIGHT_BYTES
