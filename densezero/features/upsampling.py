"""From a patch grid to pixels: nearest, bilinear, or guided by the image's own edges."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from densezero.errors import FeatureError, did_you_mean
from densezero.features.choices import UPSAMPLERS
from densezero.images import resize_rgb

_REACH = 2  # patches on each side that a pixel looks at
_SPATIAL_SIGMA = 0.8  # patches
_RANGE_SIGMA = 0.1  # of the colour range
_LEAST_LOG_LIKENESS = -14.0  # where no patch looks like the pixel, the nearest count
_STRIP_PX = 1 << 18


def upsample(values: NDArray[np.float32], rgb: NDArray[np.uint8], how: str = "bilinear") -> NDArray[np.float32]:
    """Upsample a patch grid to the size of a picture.

    Args:
        values: (gh, gw, K), or (gh, gw).
        rgb: (H, W, 3) uint8, the picture that the grid belongs to; its colours count for ``guided`` alone.
        how: one of ``UPSAMPLERS``. Guided: Kopf et al., "Joint bilateral upsampling", SIGGRAPH 2007, over 5 x 5
            patches.

    Returns:
        (H, W, K) or (H, W), within the range of the values.

    Raises:
        FeatureError: for an unknown way.
    """
    if how not in UPSAMPLERS:
        raise FeatureError(f"Expected a way to upsample; got {how!r}. {did_you_mean(how, list(UPSAMPLERS))}")
    hw = (int(rgb.shape[0]), int(rgb.shape[1]))
    planes = torch.from_numpy(values).reshape(*values.shape[:2], -1).permute(2, 0, 1)[None]  # (1, K, gh, gw)
    if how == "nearest":
        raised = F.interpolate(planes, size=hw, mode="nearest-exact")
    elif how == "bilinear":
        raised = F.interpolate(planes, size=hw, mode="bilinear", align_corners=False)
    else:
        raised = _joint_bilateral(planes[0], rgb)[None]
    pixels = raised[0].permute(1, 2, 0).reshape(*hw, *values.shape[2:])
    return np.ascontiguousarray(pixels.numpy())


def _joint_bilateral(planes: Tensor, rgb: NDArray[np.uint8]) -> Tensor:
    """(K, gh, gw) to (K, H, W), strip by strip."""
    rows, columns = planes.shape[1:]
    small = torch.from_numpy(resize_rgb(rgb, (rows, columns))).float().permute(2, 0, 1) / 255  # (3, gh, gw)
    edge = (_REACH,) * 4
    padded = F.pad(torch.cat([planes, small])[None], edge, mode="replicate")[0]  # (K + 3, gh + 4, gw + 4)
    height, width = rgb.shape[:2]
    x = (torch.arange(width) + 0.5) * (columns / width) - 0.5
    y = (torch.arange(height) + 0.5) * (rows / height) - 0.5
    out = torch.empty(len(planes), height, width)
    step = max(1, _STRIP_PX // width)
    for start in range(0, height, step):
        part = slice(start, start + step)
        strip = torch.tensor(rgb[part]).permute(1, 2, 0).float() / 255  # (W, 3, R)
        out[:, part] = _strip(padded, strip, y[part], x).permute(1, 2, 0)
    return out


def _strip(padded: Tensor, strip: Tensor, y: Tensor, x: Tensor) -> Tensor:
    """Weighted mean over the patches around each pixel, (W, K, R).

    Columns come first, so that a patch's values are copied in runs; ``y`` and ``x`` are the pixels' places in patches.
    """
    channels = len(padded) - 3
    total = torch.zeros(len(x), channels, len(y))
    weights = torch.zeros(len(x), 1, len(y))
    near_y, near_x = y.round().long(), x.round().long()
    for down in range(-_REACH, _REACH + 1):
        far_y = (near_y + down - y).square()
        row = padded[:, near_y + down + _REACH].permute(2, 0, 1).contiguous()  # (gw + 4, K + 3, R)
        for right in range(-_REACH, _REACH + 1):
            far = (near_x + right - x).square()[:, None, None] + far_y  # (W, 1, R)
            patch = row.index_select(0, near_x + right + _REACH)  # (W, K + 3, R)
            unlike = (patch[:, channels:] - strip).square_().sum(1, keepdim=True)  # (W, 1, R)
            likeness = unlike.mul_(-0.5 / _RANGE_SIGMA**2).clamp_min_(_LEAST_LOG_LIKENESS)
            weight = likeness.sub_(far, alpha=0.5 / _SPATIAL_SIGMA**2).exp_()
            total.addcmul_(patch[:, :channels], weight)
            weights += weight
    return total.div_(weights)
