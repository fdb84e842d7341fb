"""Reading ahead: the next items are read while the current ones are worked on, if memory allows it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future, wait
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Generic, TypeVar

from densezero.errors import InputError
from densezero.images.sizes import read_hw
from densezero.jobs.thread_pool import start_pool

Item = TypeVar("Item")
Content = TypeVar("Content")

READERS: Final = 4
"""The most threads that read files: a GPU takes images faster than one thread decodes them."""

IN_FLIGHT_BYTES: Final = 300_000_000
"""Held at most between the steps: some images are read, as many worked on, and as many written. Three of 25 megapixels
fit."""


@dataclass(frozen=True)
class Ahead(Generic[Item, Content]):
    """Items that have been read, to be worked on together.

    Args:
        items: what was read.
        readings: give the content of each, or raise what reading raised.
        is_alone: whether nothing is read while these are worked on; the next want all memory, or there are none.
    """

    items: Sequence[Item]
    readings: Sequence[Future[Content]]
    is_alone: bool


@contextmanager
def readers(at_once: int) -> Iterator[Executor]:
    """Threads that read for those who work on so many items at once; what they have begun they end, and no more."""
    with start_pool("densezero-read", min(at_once, READERS)) as pool:
        try:
            yield pool
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def read_ahead(
    items: Iterable[Item],
    read: Callable[[Item], Content],
    held_bytes: Callable[[Item], int],
    pool: Executor,
    at_once: int = 1,
) -> Iterator[Ahead[Item, Content]]:
    """Give the items in order, each read, some at once; meanwhile the next are being read, where both are light.

    Args:
        items: what to read.
        read: reads one item, in a thread.
        held_bytes: what is held of an item between the steps. An item is light, and so are several, if three times
            that stay within ``IN_FLIGHT_BYTES``; what is not comes by itself, with nothing beside it.
        pool: of the threads.
        at_once: as many items are given together, or fewer where they would not be light.
    """
    ahead: list[Future[Content]] = []
    batches = _batches(items, held_bytes, at_once)
    batch = next(batches, None)
    while batch is not None:
        readings = ahead or [pool.submit(read, item) for item in batch.items]
        following = next(batches, None)
        wait(readings)
        is_alone = following is None or not (batch.is_light and following.is_light)
        ahead = [] if is_alone or following is None else [pool.submit(read, item) for item in following.items]
        yield Ahead(batch.items, readings, is_alone)
        batch = following


@dataclass
class _Batch(Generic[Item]):
    """Items that are read together, and what is held of them."""

    items: list[Item]
    bytes: int

    @property
    def is_light(self) -> bool:
        return 3 * self.bytes <= IN_FLIGHT_BYTES


def _batches(items: Iterable[Item], held_bytes: Callable[[Item], int], at_once: int) -> Iterator[_Batch[Item]]:
    batch: _Batch[Item] | None = None
    for item in items:
        held = held_bytes(item)
        if batch is not None:
            larger = _Batch([*batch.items, item], batch.bytes + held)
            if len(batch.items) < at_once and larger.is_light:
                batch = larger
                continue
            yield batch
        batch = _Batch([item], held)
    if batch is not None:
        yield batch


def picture_bytes(path: Path, of_size: Callable[[tuple[int, int]], int]) -> int:
    """What is held of an image, by the header alone; nothing of what has none, which is told when it is read.

    Args:
        path: the image file.
        of_size: bytes held of an image of (H, W).
    """
    try:
        return of_size(read_hw(path))
    except InputError:
        return 0


def try_together(
    step: Callable[[Sequence[Item]], Sequence[Content]], items: Sequence[Item]
) -> Sequence[Content] | None:
    """Take a step with several items at once.

    Returns:
        What it gives for each; None for one item alone, or where it fails: then take it with each alone, which does or
        tells. What it had in memory has been let go of.
    """
    if len(items) < 2:
        return None
    try:
        return step(items)
    except Exception:
        return None
