"""The encoder alone: windows through our tower and others' with the same weights, beside the roof of the processor."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch
from gemm_roof import best_rate, roof_ways
from rivals import find_rivals
from speed_parts.request import NO_BFLOAT16, Request, Table
from timing import Ways, interleave, medians

from densezero.encoders.tips import PUBLISHED_SIZES, VisionConfig

WINDOW_PX, WINDOWS = 448, 2  # as many as a photograph of 683 x 512 has
OURS = "densezero"


def window_gflop(config: VisionConfig, hw: tuple[int, int]) -> float:
    """GFLOP of one window, a multiplication and an addition being two, without what the value read-out can leave out.

    Products alone: patches, all of the trunk's blocks, and of the last block the values, projection and MLP of the
    patches. Norms, activations and softmax are not counted.

    Args:
        config: sizes of the tower.
        hw: height and width of the window, multiples of the patch.
    """
    width, mlp_products = config.width, 2 if config.ffn == "mlp" else 3
    patches = (hw[0] // config.patch_px) * (hw[1] // config.patch_px)
    tokens = patches + 2
    mlp = mlp_products * width * config.mlp_width  # multiplications for a token
    block = tokens * (4 * width * width + mlp) + 2 * tokens * tokens * width
    last = patches * (2 * width * width + mlp)
    embedding = patches * 3 * config.patch_px**2 * width
    return 2e-9 * (embedding + (config.depth - 1) * block + last)


def measure_encoder(request: Request) -> Iterator[Table]:
    """Measure every size in every numeric type."""
    for size in request.sizes:
        for dtype in request.dtypes:
            yield _measure(request, size, dtype)
    if request.lacks_bfloat16:
        yield Table("encoder, bfloat16", [{"note": NO_BFLOAT16}])


def _measure(request: Request, size: str, dtype: str) -> Table:
    config, kind = PUBLISHED_SIZES[size].vision, getattr(torch, dtype)
    pixels = torch.rand(WINDOWS, 3, WINDOW_PX, WINDOW_PX, generator=torch.Generator().manual_seed(0))
    ours: Callable[[torch.Tensor], object] = request.encoder(size, dtype).encode_dense
    towers = {OURS: ours, **find_rivals(request.model(size), config, pixels, kind)}
    tokens = WINDOWS * ((WINDOW_PX // config.patch_px) ** 2 + 2)
    products, gflop = roof_ways(config, tokens, kind)
    ways: Ways = {**{name: partial(encode, pixels) for name, encode in towers.items()}, **products}
    seconds = interleave(ways, request.repeats)
    middle = medians(seconds)
    best, roof = best_rate(middle, gflop)
    needed = WINDOWS * window_gflop(config, (WINDOW_PX, WINDOW_PX))
    rows: list[dict[str, Any]] = [
        {
            "tower": name,
            "s": round(middle[name], 3),
            "windows/s": round(WINDOWS / middle[name], 2),
            "GFLOP/s": round(needed / middle[name], 1),
            "share of the roof": round(needed / middle[name] / roof, 3),
            "time over densezero's": round(middle[name] / middle[OURS], 2),
            "seconds": seconds[name],
        }
        for name in towers
    ]
    rates = {name: round(gflop[name] / middle[name], 1) for name in gflop}
    rows.append({"tower": f"roof: {best}", "GFLOP/s": round(roof, 1), "share of the roof": 1.0, "products": [rates]})
    title = f"encoder: {WINDOWS} windows of {WINDOW_PX} px, {size}/14, {dtype}, {needed / WINDOWS:.1f} GFLOP a window"
    return Table(title, rows)
