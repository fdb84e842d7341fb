"""What the raw outputs of a decoder mean: metres, unit normals or classes; and their resize to the image.

Source: the official decoders of TIPSv2 (arXiv 2604.12012).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from densezero.encoders.cpu_threads import parallel_for
from densezero.errors import ModelError

STRIP_BYTES = 16 * 2**20  # of upsampled logits at once, in each thread


@dataclass(frozen=True)
class DepthRange:
    """The nearest and the farthest depth that a head can give, metres.

    Raises:
        ModelError: unless 0 < nearest < farthest.
    """

    nearest_m: float = 0.001
    farthest_m: float = 10.0

    def __post_init__(self) -> None:
        if not 0 < self.nearest_m < self.farthest_m < float("inf"):
            raise ModelError(f"Expected depths with 0 < nearest < farthest; got {self.nearest_m}, {self.farthest_m} m.")


def depth_from_logits(logits: Tensor, depths: DepthRange) -> Tensor:
    """Turn the logits of depth bins into the expected depth.

    The weight of a bin is its logit, or 0 if that is negative, plus the nearest depth as a number.

    Args:
        logits: (B, bins, h, w) float32.
        depths: depth of the first and the last bin; the others are spaced evenly.

    Returns:
        (B, h, w) metres.
    """
    bins = torch.linspace(depths.nearest_m, depths.farthest_m, logits.shape[1], device="cpu").to(logits.device)
    weights = F.relu(logits) + depths.nearest_m
    weights /= weights.sum(1, keepdim=True)
    return torch.einsum("bkhw,k->bhw", weights, bins)


def resize_depth(depth: Tensor, hw: tuple[int, int]) -> Tensor:
    """Resize (B, h, w) metres to (B, H, W), bilinearly."""
    return F.interpolate(depth[:, None], size=hw, mode="bilinear", align_corners=False)[:, 0]


def unit_normals(raw: Tensor) -> Tensor:
    """Scale vectors (B, 3, h, w) to length 1."""
    return F.normalize(raw, dim=1)


def resize_normals(normals: Tensor, hw: tuple[int, int]) -> Tensor:
    """Resize unit vectors (B, 3, h, w) to (B, 3, H, W), bicubically, and scale them to length 1 again."""
    resized = F.interpolate(normals, size=hw, mode="bicubic", align_corners=False)
    return resized.div_(resized.norm(dim=1, keepdim=True).clamp_(min=1e-12))


def resize_logits(logits: Tensor, hw: tuple[int, int]) -> Tensor:
    """Resize (B, C, h, w) logits to (B, C, H, W), bilinearly. For a large image this needs C times its pixels."""
    return F.interpolate(logits, size=hw, mode="bilinear", align_corners=False)


def label_map(logits: Tensor, hw: tuple[int, int], strip_bytes: int = STRIP_BYTES) -> Tensor:
    """Give each pixel the class with the highest logit, of logits resized as by ``resize_logits``.

    It resizes some rows of the image at a time, so it needs little memory. The result does not depend on their number.

    Args:
        logits: (C, h, w) float32, of at most 254 classes.
        hw: (H, W) of the image, pixels.
        strip_bytes: memory for the resized logits of some rows, in each thread.

    Returns:
        (H, W) uint8 class indices on the device of the logits.
    """
    height, width = hw
    planes = logits.permute(1, 2, 0).contiguous()  # (h, w, C)
    rows_at_once = max(1, strip_bytes // (width * logits.shape[0] * logits.dtype.itemsize))
    labels = torch.empty(hw, dtype=torch.uint8, device=logits.device)

    def label(top: int) -> None:
        strip = _resize_rows(planes, torch.arange(top, min(top + rows_at_once, height), device="cpu"), hw)
        labels[top : top + rows_at_once] = _argmax(strip)

    threads = torch.get_num_threads() if logits.device.type == "cpu" else 1
    parallel_for(label, range(0, height, rows_at_once), threads)
    return labels


def _resize_rows(planes: Tensor, rows: Tensor, hw: tuple[int, int]) -> Tensor:
    """Compute some rows of the resized map: (h, w, C) to (T, W, C), as ``interpolate`` does.

    Along the rows by two weights of each; then ``interpolate`` resizes the columns alone.
    """
    length = planes.shape[0]
    scale = torch.tensor(length, dtype=torch.float32, device="cpu") / hw[0]  # rounded as in interpolate
    position = ((rows.double() + 0.5) * scale.double() - 0.5).float().clamp(min=0)
    low = position.long().clamp(max=length - 1)
    high = (low + 1).clamp(max=length - 1)
    share = (position - low).to(planes.device)[:, None, None]  # of the higher neighbour
    mixed = planes[low.to(planes.device)].mul_(1 - share).addcmul_(planes[high.to(planes.device)], share)  # (T, w, C)
    channels_first = mixed[None].permute(0, 3, 1, 2)  # (1, C, T, w), with strides that torch knows as channels last
    resized = F.interpolate(channels_first, size=(len(rows), hw[1]), mode="bilinear", align_corners=False)
    return resized[0].permute(1, 2, 0)


def _argmax(logits: Tensor) -> Tensor:
    """Find the first highest channel of (T, W, C). On a CPU, NumPy takes a third of torch's time."""
    return torch.from_numpy(logits.numpy().argmax(-1)) if logits.device.type == "cpu" else logits.argmax(-1)
