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
from densezero.images.thread_pool import start_pool

Item = TypeVar("Item")
Content = TypeVar("Content")

READERS: Final = 4
"""The most threads that read files: a GPU takes images faster than one thread decodes them."""

IN_FLIGHT_BYTES: Final = 300_000_000
"""The most memory between the steps: some images are being read, as many worked on, as many written. Three images of 25
megapixels fit."""


@dataclass(frozen=True)
class Ahead(Generic[Item, Content]):
    """Items that have been read, to be worked on together.

    Args:
        items: what was read.
        readings: give the content of each, or raise what reading raised.
        is_alone: whether nothing is read while these are worked on.
    """

    items: Sequence[Item]
    readings: Sequence[Future[Content]]
    is_alone: bool


@contextmanager
def readers(at_once: int) -> Iterator[Executor]:
    """Threads that read for a model that takes ``at_once`` items. At the end they finish what they have begun."""
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
    """Yield the items in order, each read. Meanwhile the next ones are read, if both fit into ``IN_FLIGHT_BYTES``.

    Args:
        items: what to read.
        read: reads one item, in a thread.
        held_bytes: estimates the memory that an item takes between the steps.
        pool: of the threads.
        at_once: the most items that are given together.
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
    """Items that are read together, and the memory that they take."""

    items: list[Item]
    bytes: int

    @property
    def is_light(self) -> bool:
        return 3 * self.bytes <= IN_FLIGHT_BYTES


def _batches(items: Iterable[Item], held_bytes: Callable[[Item], int], at_once: int) -> Iterator[_Batch[Item]]:
    batch: _Batch[Item] | None = None
    for item in items:
        held = held_bytes(item)
        larger = None if batch is None else _Batch([*batch.items, item], batch.bytes + held)
        if larger is not None and len(larger.items) <= at_once and larger.is_light:
            batch = larger
            continue
        if batch is not None:
            yield batch
        batch = _Batch([item], held)
    if batch is not None:
        yield batch


def picture_bytes(path: Path, of_size: Callable[[tuple[int, int]], int]) -> int:
    """Estimate the memory for an image from its header. Return 0 if the header cannot be read; reading reports it.

    Args:
        path: the image file.
        of_size: gives the bytes of an image of (H, W).
    """
    try:
        return of_size(read_hw(path))
    except InputError:
        return 0


def try_together(
    step: Callable[[Sequence[Item]], Sequence[Content]], items: Sequence[Item]
) -> Sequence[Content] | None:
    """Take a step with several items. Return None for fewer than two or on any error: then take them one by one."""
    if len(items) < 2:
        return None
    try:
        return step(items)
    except Exception:
        return None
