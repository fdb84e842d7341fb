"""From a patch grid to pixels: nearest, bilinear, or guided by the edges of the image."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from densezero.encoders.device import plain_torch
from densezero.errors import FeatureError, did_you_mean
from densezero.features.choices import UPSAMPLERS
from densezero.images import resize_rgb

_REACH = 2  # patches on each side of the nearest one that count for a pixel
_SPATIAL_SIGMA = 0.8  # patches
_RANGE_SIGMA = 0.1  # of the colour range
_LEAST_LOG_LIKENESS = -14.0  # if no patch has the colour of the pixel, the nearest patches count
_STRIP_PX = 1 << 18


@plain_torch()
def upsample(
    values: NDArray[np.float32],
    how: str = "bilinear",
    *,
    hw: tuple[int, int] | None = None,
    rgb: NDArray[np.uint8] | None = None,
) -> NDArray[np.float32]:
    """Upsample a patch grid to the size of an image. Give either ``hw`` or ``rgb``.

    Args:
        values: (gh, gw, K) or (gh, gw) float32.
        how: one of ``UPSAMPLERS``. ``"guided"`` is joint bilateral upsampling over 5 x 5 patches (Kopf et al., "Joint
            bilateral upsampling", SIGGRAPH 2007).
        hw: height and width to make, pixels; enough for ``"nearest"`` and ``"bilinear"``.
        rgb: (H, W, 3) uint8, the image of the grid. The result has its size, and ``"guided"`` follows its colours.

    Returns:
        (H, W, K) or (H, W) float32, within the range of the values.

    Raises:
        FeatureError: for an unknown way, neither or both of ``hw`` and ``rgb``, a size below 1 pixel, or ``"guided"``
            without ``rgb``.

    Example:
        >>> upsample(np.array([[0.0, 1.0]], np.float32), hw=(1, 4))
        array([[0.  , 0.25, 0.75, 1.  ]], dtype=float32)
    """
    if how not in UPSAMPLERS:
        raise FeatureError(f"Expected a way to upsample; got {how!r}. {did_you_mean(how, list(UPSAMPLERS))}")
    height, width = _size(how, hw, rgb)
    grid = torch.from_numpy(np.array(values, np.float32, order="C"))
    planes = grid.reshape(*grid.shape[:2], -1).permute(2, 0, 1)[None]  # (1, K, gh, gw)
    if how == "guided":
        assert rgb is not None, "checked with the size"
        pixels = _joint_bilateral(planes[0], rgb)[None]
    elif how == "nearest":
        pixels = F.interpolate(planes, size=(height, width), mode="nearest-exact")
    else:
        pixels = F.interpolate(planes, size=(height, width), mode="bilinear", align_corners=False)
    shaped = pixels[0].permute(1, 2, 0).reshape(height, width, *grid.shape[2:])
    return np.ascontiguousarray(shaped.numpy())


def _size(how: str, hw: tuple[int, int] | None, rgb: NDArray[np.uint8] | None) -> tuple[int, int]:
    if rgb is not None and hw is not None:
        raise FeatureError("Expected either hw or rgb, whose size is taken; got both. Leave one out.")
    if rgb is not None:
        if rgb.ndim != 3 or rgb.shape[2] != 3 or rgb.dtype != np.uint8:
            raise FeatureError(f"Expected rgb as uint8 of shape (H, W, 3); got {rgb.dtype} of shape {rgb.shape}.")
        return int(rgb.shape[0]), int(rgb.shape[1])
    if how == "guided":
        raise FeatureError(
            'Expected rgb, the image whose edges "guided" follows; got none. Pass it, or use "bilinear".'
        )
    if hw is None:
        raise FeatureError("Expected a size to upsample to; got none. Pass hw=(height, width), or rgb.")
    if len(hw) != 2 or min(hw) < 1:
        raise FeatureError(f"Expected hw as (height, width) of at least 1 pixel each; got {hw}.")
    return int(hw[0]), int(hw[1])


def _joint_bilateral(planes: Tensor, rgb: NDArray[np.uint8]) -> Tensor:
    """(K, gh, gw) to (K, H, W), strip by strip."""
    rows, columns = planes.shape[1:]
    small = torch.from_numpy(resize_rgb(rgb, (rows, columns))).float().permute(2, 0, 1) / 255  # (3, gh, gw)
    edge = (_REACH,) * 4
    padded = F.pad(torch.cat([planes, small])[None], edge, mode="replicate")[0]  # (K + 3, gh + 4, gw + 4)
    height, width = rgb.shape[:2]
    x, y = _centres(width, columns), _centres(height, rows)
    out = torch.empty(len(planes), height, width, dtype=torch.float32, device="cpu")
    step = max(1, _STRIP_PX // width)
    for start in range(0, height, step):
        part = slice(start, start + step)
        strip = torch.from_numpy(rgb[part].copy()).permute(1, 2, 0).float() / 255  # (W, 3, R)
        out[:, part] = _strip(padded, strip, y[part], x).permute(1, 2, 0)
    return out


def _centres(pixels: int, patches: int) -> Tensor:
    """Centre of each pixel along one axis, in patches: 0 at the centre of the first patch."""
    return (torch.arange(pixels, dtype=torch.float32, device="cpu") + 0.5) * (patches / pixels) - 0.5


def _strip(padded: Tensor, strip: Tensor, y: Tensor, x: Tensor) -> Tensor:
    """Compute the weighted mean over the patches around each pixel of R rows, (W, K, R).

    Args:
        padded: (K + 3, gh + 4, gw + 4) values and colours of the patches. The order of the result, columns first, makes
            the copies of a patch's values contiguous.
        strip: (W, 3, R) colours of the pixels in [0, 1].
        y: (R,) centres of the rows, in patches.
        x: (W,) centres of the columns, in patches.
    """
    channels = len(padded) - 3
    total = torch.zeros(len(x), channels, len(y), dtype=torch.float32, device="cpu")
    weights = torch.zeros(len(x), 1, len(y), dtype=torch.float32, device="cpu")
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
