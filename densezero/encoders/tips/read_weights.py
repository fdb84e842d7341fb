"""Reads the weights of a vision tower from its file, with little more memory than the weights themselves need."""

from __future__ import annotations

from dataclasses import dataclass
from mmap import mmap

import torch
from torch import Tensor

from densezero.encoders.products import HALVES, FastLinear
from densezero.encoders.tips.checkpoint import TensorFile
from densezero.encoders.tips.vision import VisionTower

BLOCKS = "blocks."
LARGE_BYTES = 2**25 - 2**16  # just below 32 MiB, the largest size that glibc learns from


@dataclass(frozen=True)
class TowerSource:
    """Where a tower's tensors are stored: a file, and the prefix of their names in it."""

    tensors: TensorFile
    prefix: str = ""


def read_weights(tower: VisionTower, source: TowerSource, device: torch.device) -> None:
    """Read a tower's weights one by one, so that at most one of them is in memory twice.

    The file is opened again for each block, because the pages of a mapped file that have been read count as memory.

    Args:
        tower: without memory for its weights, in the numeric types that they get, needing no gradients.
        source: where the weights are stored; names and shapes have been checked.
        device: where the weights go.

    Raises:
        ModelError: if the file is damaged.
    """
    state = tower.state_dict()
    for part in [*(f"{BLOCKS}{index}." for index in range(len(tower.blocks))), ""]:
        names = {name.removeprefix(part) for name in state if name.startswith(part)}
        if not part:
            names = {name for name in names if not name.startswith(BLOCKS)}
        for name, value in source.tensors.each(source.prefix + part, names):
            _put(tower, part + name, value, state[part + name].dtype, device)
    _make_allocator_keep_activations()


def _put(tower: VisionTower, name: str, value: Tensor, dtype: torch.dtype, device: torch.device) -> None:
    layer_name, _, own_name = name.rpartition(".")
    layer = tower.get_submodule(layer_name)
    if device.type == "cpu" and dtype in HALVES and own_name == "weight" and isinstance(layer, FastLinear):
        layer.load_state_dict({own_name: _copy_to_pages(value, dtype)}, assign=True, strict=False)
        if layer is not tower.get_submodule(f"{BLOCKS}{len(tower.blocks) - 1}.attn.qkv"):  # read-outs use parts of it
            layer.reorder()
    else:
        own = value.to(device, dtype, copy=True).contiguous()
        layer.load_state_dict({own_name: own}, assign=True, strict=False)


def _copy_to_pages(value: Tensor, dtype: torch.dtype) -> Tensor:
    """Copy a tensor to memory that goes back to the system when it is freed, which malloc's memory may not."""
    pages = mmap(-1, value.numel() * dtype.itemsize)
    return torch.frombuffer(pages, dtype=dtype).view(value.shape).copy_(value)


def _make_allocator_keep_activations() -> None:
    """Allocate one large piece of memory and free it, without writing to it.

    From then on glibc keeps freed memory up to this size for the next activations. Before, it gives it back to the
    system after each block, and a ViT-B spends 2 to 5 % of its time on getting new pages.
    """
    torch.empty(LARGE_BYTES, dtype=torch.uint8, device="cpu")
