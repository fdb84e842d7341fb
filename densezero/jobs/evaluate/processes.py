"""Several processes of ``torchrun`` for one evaluation: they divide the images and combine their counts."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TypeVar

from densezero.errors import ProtocolError

Item = TypeVar("Item")


@dataclass(frozen=True)
class Shard:
    """This process's place among the processes of a run.

    Args:
        rank: its number, from 0.
        world: how many there are.
    """

    rank: int = 0
    world: int = 1

    def __post_init__(self) -> None:
        if not 0 <= self.rank < self.world:
            raise ProtocolError(
                f"Expected a rank from 0 to below the number of processes; got {self.rank}, {self.world}."
            )

    def share_of(self, items: list[Item]) -> list[Item]:
        """Every ``world``-th item from ``rank`` on; the shares of all processes are all items, each once."""
        return items[self.rank :: self.world]

    @property
    def leads(self) -> bool:
        """Whether this process writes the report."""
        return self.rank == 0


def is_leading() -> bool:
    """Whether this process writes the report, known before it joins the others."""
    return int(os.environ.get("RANK", "0")) == 0


def own_device(name: str) -> str:
    """The device of this process: where the choice is left to several processes, each takes a CUDA device of its own.

    Args:
        name: as it was asked for.
    """
    import torch

    if name != "auto" or "LOCAL_RANK" not in os.environ or not torch.cuda.is_available():
        return name
    return f"cuda:{int(os.environ['LOCAL_RANK']) % torch.cuda.device_count()}"


def take_own_threads() -> None:
    """Compute on this process's share of the processors, where several processes run on this machine.

    ``torchrun`` gives one thread to each, whatever the machine has, and other launchers give all to everyone. More
    threads than one that ``OMP_NUM_THREADS`` asks for are left as they are.
    """
    processes = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    if processes == 1 or (os.environ.get("OMP_NUM_THREADS") or "1") != "1":
        return
    import torch

    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    torch.set_num_threads(max(1, processors // processes))


def join_processes() -> Shard:
    """Join the other processes that ``torchrun`` started, if it did.

    Returns:
        The place of this process; alone where there are no others.
    """
    world = int(os.environ.get("WORLD_SIZE", "1"))
    if world == 1:
        return Shard()
    import torch.distributed as group

    if not group.is_initialized():
        group.init_process_group("gloo")  # counts are small and on the processor
    return Shard(group.get_rank(), world)


def wait_for_all(shard: Shard) -> None:
    """Go on when every process has come here."""
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
    """Take leave of the other processes."""
    if shard.world > 1:
        import torch.distributed as group

        group.destroy_process_group()
