"""Writes drawn scenes as the data set ``scenes``: ``python benchmarks/write_scenes.py FOLDER``; the same every time."""

from __future__ import annotations

import argparse
from pathlib import Path

from PIL import Image

from densezero.datasets.scenes import scene_classes
from densezero.output.labels import encode_labels
from densezero.pretrain.scenes import draw_scene

UNSEEN_STREAM = 2  # as in nano_miou.py: the training pool is drawn from stream 1


def write_scenes(folder: Path, count: int, side_px: int) -> None:
    """Write images, labels and the class list of as many scenes."""
    classes = scene_classes()
    for name in ("images", "labels"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / "classes.json").write_text(classes.to_json(), encoding="utf-8")
    for index in range(count):
        scene = draw_scene((UNSEEN_STREAM, index), (side_px, side_px))
        Image.fromarray(scene.rgb).save(folder / "images" / f"scene_{index:04}.png")
        (folder / "labels" / f"scene_{index:04}.png").write_bytes(encode_labels(scene.labels, classes))


def main() -> None:
    """Read the options, write the scenes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--scenes", type=int, default=200)
    parser.add_argument("--side", type=int, default=224, help="side of the scenes, pixels")
    options = parser.parse_args()
    write_scenes(options.folder, options.scenes, options.side)


if __name__ == "__main__":
    main()
