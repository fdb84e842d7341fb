"""What feature pictures cost beside the encoder: ``python benchmarks/features.py``.

Random weights and features cost what real ones cost. Ratios and times are taken in one run on the same inputs.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import time
from collections.abc import Callable

import numpy as np
import torch
from machine import describe_machine

from densezero.encoders.tips import PUBLISHED_SIZES, VisionTower
from densezero.features import DiskCache, encode_grid, fit_clusters, fit_pca, to_rgb, upsample
from densezero.images import ResizePlan, to_pixels


class TowerEncoder:
    """A bare vision tower with what ``encode_grid`` asks of an encoder."""

    def __init__(self, tower: VisionTower) -> None:
        self.tower, self.patch_px, self.device = tower, tower.config.patch_px, torch.device("cpu")

    def encode_dense(self, pixels: torch.Tensor, readout: str = "value") -> torch.Tensor:
        """(B, 3, h, w) to (B, gh, gw, D)."""
        return self.tower(pixels, readout).grid


def seconds(work: Callable[[], object]) -> float:
    """Time one call."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


@torch.inference_mode()
def dense_ratio(size: str, side_px: int, repeats: int) -> float:
    """Time of a dense map of a square photograph, resizing included, over the bare forward pass."""
    torch.manual_seed(0)
    tower = VisionTower(PUBLISHED_SIZES[size].vision).eval()
    encoder = TowerEncoder(tower)
    rgb = np.random.default_rng(0).integers(0, 256, (1024, 1024, 3), np.uint8)
    pixels = torch.from_numpy(to_pixels(rgb, ResizePlan((1024, 1024), (side_px, side_px))))
    side = side_px // encoder.patch_px
    tower(pixels, "patch")  # warm-up
    pairs = [
        (seconds(lambda: encode_grid(encoder, rgb, "patch", side)), seconds(lambda: tower(pixels, "patch")))
        for _ in range(repeats)
    ]
    dense, bare = (statistics.median(times) for times in zip(*pairs, strict=True))
    print(f"{size}/14 at {side_px} px: dense map {dense:.2f} s, bare forward {bare:.2f} s, ratio {dense / bare:.3f}")
    return dense / bare


def pictures(images: int, side: int, width: int, picture_px: int) -> None:
    """Time what follows the encoder for each of so many images, and the peak memory of the process."""
    rng = torch.Generator().manual_seed(0)
    rgb = np.random.default_rng(0).integers(0, 256, (picture_px, picture_px, 3), np.uint8)
    with DiskCache() as cache:
        began = time.perf_counter()
        for number in range(images):
            cache.put(str(number), torch.randn(side, side, width, generator=rng))
        keep = time.perf_counter() - began
        grids = cache.view(cache.names)
        began = time.perf_counter()
        basis = fit_pca(grids)
        fit = time.perf_counter() - began
        grid = grids[0]
        colour = seconds(lambda: to_rgb(basis, grid))
        ways = {
            how: seconds(lambda how=how: upsample(to_rgb(basis, grid), how, rgb=rgb)) for how in ("bilinear", "guided")
        }
        began = time.perf_counter()
        clusters = fit_clusters(grids)
        kmeans = time.perf_counter() - began
        label = seconds(lambda: clusters.labels(grid))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(f"{images} images of {side} x {side} patches, width {width}; seconds an image:")
    print(f"  keep {keep / images:.3f}, PCA fit {fit / images:.3f}, colour {colour:.3f}", end="")
    print(f", upsample to {picture_px} px " + ", ".join(f"{how} {value:.3f}" for how, value in ways.items()))
    print(f"  k-means fit {kmeans / images:.3f} ({kmeans:.2f} in all), labels {label:.3f}")
    print(f"  peak memory of the process {peak:.2f} GB")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", default="B", choices=sorted(PUBLISHED_SIZES))
    parser.add_argument("--side", type=int, default=1372)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--images", type=int, default=50)
    options = parser.parse_args()
    print(describe_machine())
    pictures(options.images, options.side // 14, PUBLISHED_SIZES[options.size].vision.width, options.side)
    dense_ratio(options.size, options.side, options.repeats)


if __name__ == "__main__":
    main()
