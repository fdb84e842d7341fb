"""Memory and time of ``densezero segment --native`` on a large drawn scene: ``python benchmarks/native.py``.

The scene is drawn and written tile by tile. The run is a process of its own, whose memory is read every half second.
The needed library comes with ``pip install densezero[geo]``.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import psutil
import rasterio
from machine import describe_machine
from rasterio.transform import from_origin

from densezero.pretrain.scenes import draw_scene

TILE_PX = 512
DRAWN = 24  # different tiles; drawing takes longer than writing
CLASSES = (
    "sky, mountain, grass, sand, sea=water, road, wall, snow, cloud, sun, moon, star, balloon, kite, bird, tree, pine, "
    "house, tower, fence, car, ball, mushroom, cactus, flower, rock, umbrella, flag, boat=sailing ship, fish"
)


def write_scene(path: Path, hw: tuple[int, int]) -> None:
    """Write a GeoTIFF of drawn tiles, 0.5 m a pixel, with one tile in memory at a time."""
    tiles = [draw_scene((7, seed), (TILE_PX, TILE_PX)).rgb.transpose(2, 0, 1) for seed in range(DRAWN)]
    chosen = np.random.default_rng(0)
    with rasterio.open(
        path, "w", driver="GTiff", height=hw[0], width=hw[1], count=3, dtype="uint8", crs="EPSG:32632",
        transform=from_origin(500000, 5200000, 0.5, 0.5), tiled=True, blockxsize=TILE_PX, blockysize=TILE_PX,
        compress="deflate", photometric="rgb",
    ) as file:  # fmt: skip
        for top in range(0, hw[0], TILE_PX):
            for left in range(0, hw[1], TILE_PX):
                rows, columns = min(TILE_PX, hw[0] - top), min(TILE_PX, hw[1] - left)
                tile = tiles[chosen.integers(DRAWN)][:, :rows, :columns]
                file.write(tile, window=((top, top + rows), (left, left + columns)))


def watch(command: list[str], every_s: float = 0.5) -> tuple[float, list[float]]:
    """Run a command. Return its seconds, and its resident memory over time in GB."""
    began, curve = time.perf_counter(), []
    with subprocess.Popen(command, stdout=sys.stderr) as process:
        seen = psutil.Process(process.pid)
        while process.poll() is None:
            try:
                curve.append(seen.memory_info().rss / 1e9)
            except psutil.NoSuchProcess:
                break
            time.sleep(every_s)
    if process.returncode:
        raise SystemExit(f"the run ended with status {process.returncode}")
    return time.perf_counter() - began, curve


def main() -> None:
    """Write a scene, segment it, check the result, and print what it took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hw", type=int, nargs=2, default=(20000, 20000), help="height and width, pixels")
    parser.add_argument("--model", default="nano")
    parser.add_argument("--limit-gb", type=float, default=3.0, help="fail above this peak")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        scene, out = Path(name) / "scene.tif", Path(name) / "out"
        write_scene(scene, tuple(options.hw))
        program = [sys.executable, "-m", "densezero", "segment", str(scene), "--native", "--classes", CLASSES]
        seconds, curve = watch([*program, "--model", options.model, "--out", str(out)])
        with rasterio.open(out / "geotiff" / "scene.tif") as made, rasterio.open(scene) as given:
            assert (made.shape, made.crs, made.transform) == (given.shape, given.crs, given.transform)
            size_mb = (out / "geotiff" / "scene.tif").stat().st_size / 1e6
        tenths = [round(max(part), 2) for part in np.array_split(curve, min(10, len(curve)))]
        about = {"hw": options.hw, "model": options.model, "classes": CLASSES.count(",") + 1}
        numbers = {
            "peak_gb": round(max(curve), 2),
            "peak_gb_by_tenths": tenths,
            "seconds": round(seconds),
            "tiff_mb": size_mb,
        }
        print(json.dumps({**about, **numbers, "machine": describe_machine()}, indent=1))
    if max(curve) > options.limit_gb:
        raise SystemExit(f"the peak is above {options.limit_gb:g} GB")


if __name__ == "__main__":
    main()
