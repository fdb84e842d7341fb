"""Several processes of ``torchrun`` for one evaluation: they divide the images and combine their counts."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, TypeVar

from densezero.errors import DenseZeroError, ProtocolError

Item = TypeVar("Item")

UNSET: Final = (
    "For one process, unset RANK, WORLD_SIZE, LOCAL_RANK and LOCAL_WORLD_SIZE; for several, start with "
    "torchrun --nproc-per-node N -m densezero evaluate ..."
)

LONGEST_WAIT: Final = timedelta(days=30)
"""Of one process for the others; the library's own limit is half an hour."""


@dataclass(frozen=True)
class Shard:
    """This process's place among the processes of a run.

    Args:
        rank: its number, from 0. Number 0 leads: it writes the report.
        world: number of processes.
    """

    rank: int = 0
    world: int = 1

    def __post_init__(self) -> None:
        if not 0 <= self.rank < self.world:
            raise ProtocolError(
                f"Expected a rank from 0 to below the number of processes; got {self.rank}, {self.world}."
            )

    @property
    def leads(self) -> bool:
        """Whether this process writes the report."""
        return self.rank == 0

    def share_of(self, items: list[Item]) -> list[Item]:
        """Every ``world``-th item from ``rank`` on; the shares of all processes are all items, each once."""
        return items[self.rank :: self.world]


def is_leading() -> bool:
    """Whether this process writes the report; known before it joins the others."""
    return _number("RANK", 0) == 0


def check_environment() -> None:
    """Check the variables that ``torchrun`` sets; other programs may have left some of them.

    Raises:
        ProtocolError: naming what is missing or odd.
    """
    world, rank = _number("WORLD_SIZE", 1), _number("RANK", 0)
    for name in ("LOCAL_RANK", "LOCAL_WORLD_SIZE"):
        _number(name, 1)
    missing = [name for name in ("RANK", "MASTER_ADDR", "MASTER_PORT") if not os.environ.get(name)]
    if world > 1 and missing:
        raise ProtocolError(f"The environment's WORLD_SIZE is {world}, but {', '.join(missing)} is not set. {UNSET}")
    if not rank < max(world, 1):
        raise ProtocolError(f"The environment's RANK is {rank}, and WORLD_SIZE {world}. {UNSET}")


def _number(name: str, default: int) -> int:
    """Read a number that ``torchrun`` sets."""
    text = os.environ.get(name) or str(default)
    if not text.isdecimal():
        raise ProtocolError(
            f"Expected the environment's {name} as a number, as torchrun sets it; got {text!r}. {UNSET}"
        )
    return int(text)


@contextmanager
def silent_unless_leading() -> Iterator[None]:
    """Let only the leading process print an error that all processes get; the others exit with status 2."""
    try:
        yield
    except DenseZeroError:
        if is_leading():
            raise
        raise SystemExit(2) from None


def own_device(name: str) -> str:
    """Choose the device of this process: if ``name`` is ``auto``, each process takes its own CUDA device."""
    import torch

    if name != "auto" or "LOCAL_RANK" not in os.environ or not torch.cuda.is_available():
        return name
    return f"cuda:{_number('LOCAL_RANK', 0) % torch.cuda.device_count()}"


def take_own_threads() -> None:
    """Use this process's share of the processors, if several processes run on this machine.

    ``torchrun`` gives one thread to each process; other launchers give all processors to each. A larger
    ``OMP_NUM_THREADS`` of the user is kept.
    """
    processes = _number("LOCAL_WORLD_SIZE", 1)
    if processes == 1 or (os.environ.get("OMP_NUM_THREADS") or "1") != "1":
        return
    import torch

    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    torch.set_num_threads(max(1, processors // processes))


def join_processes() -> Shard:
    """Join the other processes that ``torchrun`` started, if there are any."""
    world = _number("WORLD_SIZE", 1)
    if world <= 1:
        return Shard()
    import torch.distributed as group

    if not group.is_initialized():  # gloo, because counts are small and on the CPU
        group.init_process_group("gloo", timeout=LONGEST_WAIT)
    return Shard(group.get_rank(), world)


def wait_for_all(shard: Shard) -> None:
    """Wait until every process is here."""
    if shard.world > 1:
        import torch.distributed as group

        group.barrier()


def gather(shard: Shard, items: list[Item]) -> list[Item]:
    """Bring the items of all processes to the leading one; the others get an empty list."""
    if shard.world == 1:
        return items
    import torch.distributed as group

    parts: list[list[Item]] | None = [[] for _ in range(shard.world)] if shard.leads else None
    group.gather_object(items, parts)
    return [item for part in parts or [] for item in part]


def leave_processes(shard: Shard) -> None:
    """Leave the group of processes."""
    if shard.world > 1:
        import torch.distributed as group

        group.destroy_process_group()
