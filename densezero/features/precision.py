"""Double precision for sums over many features."""

from __future__ import annotations

from torch import Tensor


def to_double(tensor: Tensor) -> Tensor:
    """Convert to float64, on the device of the tensor. An Apple GPU has no float64: its tensors go to the processor."""
    return (tensor.cpu() if tensor.device.type == "mps" else tensor).double()
