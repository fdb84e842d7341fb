"""Hashes of models, and helpers for the models of other libraries: untrained weights, pixel statistics, messages."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor

from densezero.encoders.hashes import HASH_VERSION

RANDOM = "random"  # in place of a tag: untrained weights
RANDOM_NOTE = "{name} has untrained, random weights: its pictures mean nothing, they only show that the command works."
SEED = 0


def facts_sha256(facts: Mapping[str, object]) -> str:
    """Hexadecimal SHA-256 over ``HASH_VERSION`` and over named facts, which must be JSON values."""
    content = json.dumps({"version": HASH_VERSION, "facts": facts}, sort_keys=True)
    return hashlib.sha256(content.encode("ascii")).hexdigest()


def weights_sha256(state: Mapping[str, Tensor]) -> str:
    """Hexadecimal SHA-256 over the names, shapes and bytes of all tensors, in the order of their names."""
    sha256 = hashlib.sha256()
    for name in sorted(state):
        tensor = state[name].detach().cpu().contiguous()
        sha256.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        sha256.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return sha256.hexdigest()


@contextmanager
def fixed_seed() -> Iterator[None]:
    """Draw the same random weights each time, without changing the caller's random numbers."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(SEED)  # torch.manual_seed would also seed every CUDA device
        yield


def as_channels(numbers: tuple[float, float, float], device: torch.device) -> Tensor:
    """Turn three numbers into (1, 3, 1, 1) float32."""
    return torch.tensor(numbers, dtype=torch.float32, device=device).reshape(1, 3, 1, 1)


def first_line(error: BaseException) -> str:
    """Give the first line of another library's error, at most 200 characters."""
    return f"{type(error).__name__}: {error}".splitlines()[0][:200]
