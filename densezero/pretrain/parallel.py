"""Data parallelism: several processes, started by ``torchrun``, each with a part of every batch."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from densezero.errors import ModelError


@dataclass(frozen=True)
class Ranks:
    """Which of how many processes this is.

    Args:
        rank: number of this process, from 0.
        count: number of processes.
    """

    rank: int = 0
    count: int = 1

    def gather(self, rows: Tensor) -> Tensor:
        """Put the rows (B, D) of all processes under each other: (count * B, D). Gradients flow back to their owner."""
        if self.count == 1:
            return rows
        gathered: Tensor = _Gather.apply(rows, self)
        return gathered

    def mean(self, value: Tensor) -> Tensor:
        """Average a tensor over all processes, in place."""
        if self.count > 1:
            with _others_there():
                dist.all_reduce(value)
            value /= self.count
        return value

    @contextmanager
    def first_alone(self) -> Iterator[None]:
        """Let the first process go through a block before the others: what it wrote is there for them."""
        if self.count > 1 and self.rank:
            self._meet()
        yield
        if self.count > 1 and not self.rank:
            self._meet()

    @staticmethod
    def _meet() -> None:
        with _others_there():
            dist.barrier()

    def average_gradients(self, parameters: Iterable[Tensor]) -> None:
        """Average the gradients over all processes; a parameter that has none in any process keeps none."""
        if self.count == 1:
            return
        for parameter in parameters:
            if parameter.grad is not None:
                self.mean(parameter.grad)


class _Gather(torch.autograd.Function):
    """All rows of all processes; backwards, the gradients of a row from all processes are added up."""

    @staticmethod
    def forward(context: Any, rows: Tensor, ranks: Ranks) -> Tensor:
        context.ranks, context.size = ranks, len(rows)
        parts = [torch.empty_like(rows) for _ in range(ranks.count)]
        with _others_there():
            dist.all_gather(parts, rows.contiguous())
        return torch.cat(parts)

    @staticmethod
    def backward(context: Any, gradient: Tensor) -> tuple[Tensor, None]:
        summed = gradient.contiguous()
        with _others_there():
            dist.all_reduce(summed)
        first = context.ranks.rank * context.size
        return summed[first : first + context.size], None


@contextmanager
def _others_there() -> Iterator[None]:
    """Turn the failure to reach the other processes into a sentence.

    Raises:
        ModelError: if one of them has ended.
    """
    try:
        yield
    except RuntimeError as error:
        raise ModelError(
            f"Another process of this training has ended, so this one ends ({str(error).splitlines()[0][:80]}). See "
            "what the other one said."
        ) from None


@contextmanager
def join(device: torch.device) -> Iterator[Ranks]:
    """Join the processes that ``torchrun`` started; without it this process is alone."""
    count = int(os.environ.get("WORLD_SIZE", "1"))
    if count == 1 or "RANK" not in os.environ:
        yield Ranks()
        return
    if device.type == "cuda":
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield Ranks(dist.get_rank(), count)
    finally:
        dist.destroy_process_group()
