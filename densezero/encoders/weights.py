"""Hashes of models, and what other libraries' models share: untrained weights from a fixed seed, pixel statistics."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor

from densezero.encoders.hashes import HASH_VERSION

RANDOM = "random"  # what stands for the tag of untrained weights
RANDOM_NOTE = "{name} has untrained, random weights: its pictures mean nothing, they only show that all runs."
SEED = 0


def facts_sha256(facts: Mapping[str, object]) -> str:
    """Hexadecimal SHA-256 over named facts, which JSON can hold, and over ``HASH_VERSION``."""
    content = json.dumps({"version": HASH_VERSION, "facts": facts}, sort_keys=True)
    return hashlib.sha256(content.encode("ascii")).hexdigest()


def weights_sha256(state: Mapping[str, Tensor]) -> str:
    """Hexadecimal SHA-256 over the names, shapes and bytes of all tensors, in the order of their names."""
    digest = hashlib.sha256()
    for name in sorted(state):
        tensor = state[name].detach().cpu().contiguous()
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


@contextmanager
def fixed_seed() -> Iterator[None]:
    """Draw the same weights each time and leave the caller's random numbers as they were."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(SEED)  # torch.manual_seed would also seed every CUDA device
        yield


def as_channels(numbers: tuple[float, float, float], device: torch.device) -> Tensor:
    """Turn three numbers into (1, 3, 1, 1) float32."""
    return torch.tensor(numbers, dtype=torch.float32, device=device).reshape(1, 3, 1, 1)


def first_line(error: BaseException) -> str:
    """Say in at most 200 characters what another library complained of."""
    return f"{type(error).__name__}: {error}".splitlines()[0][:200]
