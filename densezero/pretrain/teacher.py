"""The teacher of the losses against prototypes: moving averages of the student's heads and, on request, its tower."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from itertools import chain

import torch
from torch import Tensor, nn

from densezero.encoders.tips.vision import VisionTower
from densezero.errors import ModelError

EMA_CHOICES = ("head", "full")


class Teacher:
    """A teacher that follows its student by exponential moving average (EMA).

    Compute its outputs under ``torch.no_grad()``: with ``"head"`` its tower is the student's. The weights must be
    float32; half precision loses the small steps of the average.

    Source: TIPSv2 (arXiv 2604.12012), section 3, for head-only EMA; DINO (arXiv 2104.14294) for the full one.

    Args:
        vision: the student's vision tower.
        heads: the student's projection heads.
        ema: ``"head"``: only the heads have a moving copy. ``"full"``: the vision tower has one too.
        decay: largest share of the old value that an update keeps, in [0, 1].

    Attributes:
        vision: the student's tower itself for ``"head"``, the copy for ``"full"``.
        heads: the copies of the heads.

    Raises:
        ModelError: for another ``ema``.
    """

    def __init__(self, vision: VisionTower, heads: nn.ModuleDict, ema: str, decay: float) -> None:
        if ema not in EMA_CHOICES:
            raise ModelError(f"Expected an ema of 'head' or 'full'; got {ema!r}.")
        self.ema, self.decay = ema, decay
        self.heads = copy.deepcopy(heads).requires_grad_(False)
        self.vision = copy.deepcopy(vision).requires_grad_(False) if ema == "full" else vision
        self._copies: dict[str, nn.Module] = {"heads": self.heads}
        self._students: dict[str, nn.Module] = {"heads": heads}
        if ema == "full":
            self._copies["vision"], self._students["vision"] = self.vision, vision

    @property
    def copied_bytes(self) -> int:
        """Memory of the copies, bytes."""
        tensors = chain.from_iterable(_tensors(module) for module in self._copies.values())
        return sum(tensor.numel() * tensor.element_size() for tensor in tensors)

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Move the copies: ``value = d * value + (1 - d) * student's``, ``d = min(decay, (1 + step) / (10 + step))``.

        Buffers of integers are copied.

        Args:
            step: number of the training step, from 0.
        """
        decay = min(self.decay, (1 + step) / (10 + step))
        for name, module in self._copies.items():
            _drop_derived(module)
            for value, new in zip(_tensors(module), _tensors(self._students[name]), strict=True):
                if value.is_floating_point():
                    value.lerp_(new, 1 - decay)
                else:
                    value.copy_(new)

    def state_dict(self) -> dict[str, dict[str, Tensor]]:
        """Give the tensors of the copies: ``"heads"`` and, for a full EMA, ``"vision"``."""
        return {name: module.state_dict() for name, module in self._copies.items()}

    def load_state_dict(self, state: dict[str, dict[str, Tensor]]) -> None:
        """Load what ``state_dict`` gave.

        Raises:
            ModelError: if the state is that of a teacher with another ``ema``.
        """
        if set(state) != set(self._copies):
            raise ModelError(
                f"Expected the state of a teacher with ema {self.ema!r}, which has {sorted(self._copies)}; "
                f"got {sorted(state)}. Use the ema of the run that saved it."
            )
        for name, module in self._copies.items():
            module.load_state_dict(state[name])


def _tensors(module: nn.Module) -> Iterator[Tensor]:
    return chain(module.parameters(), module.buffers())


def _drop_derived(module: nn.Module) -> None:
    """Drop what a frozen tower keeps for speed: resized positions, reordered weights. New values make them wrong."""
    module.to(next(module.parameters()).device)
