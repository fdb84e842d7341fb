"""Draws the example scenes: ``python benchmarks/draw_scenes.py assets/scenes``; the same files every time."""

from __future__ import annotations

import argparse
from pathlib import Path

from PIL import Image

from densezero.pretrain.scenes import draw_scene

EXAMPLE_STREAM = 3  # neither trained on nor measured
EXAMPLES = {"village": 8, "valley": 13, "lake": 14, "night": 26, "harbour": 29, "coast": 35}


def main() -> None:
    """Draw every example into a folder, as JPEG."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    folder: Path = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    for name, seed in EXAMPLES.items():
        scene = draw_scene((EXAMPLE_STREAM, seed), (448, 640))
        Image.fromarray(scene.rgb).save(folder / f"{name}.jpg", quality=90, subsampling=0)


if __name__ == "__main__":
    main()
