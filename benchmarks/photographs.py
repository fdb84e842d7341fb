"""Photographs that come with scikit-image and scikit-learn, at any size; drawn scenes where neither is installed."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from densezero.pretrain.scenes import draw_scene

FILES = {
    "skimage": ("data/astronaut.png", "data/coffee.png", "data/chelsea.png", "data/rocket.jpg"),
    "sklearn": ("datasets/images/china.jpg", "datasets/images/flower.jpg"),
}
SCENE_STREAM = 4  # neither trained on, measured elsewhere, nor shown


def photograph_files() -> list[Path]:
    """The files that are installed; nothing is imported."""
    found = []
    for package, names in FILES.items():
        spec = find_spec(package)
        if spec is not None and spec.origin is not None:
            found += [Path(spec.origin).parent / name for name in names]
    return [path for path in found if path.exists()]


def photograph(index: int, hw: tuple[int, int]) -> NDArray[np.uint8]:
    """Photograph ``index`` cut and scaled to (H, W, 3); the files in turn, mirrored every second time around."""
    files = photograph_files()
    if not files:
        return draw_scene((SCENE_STREAM, index), hw).rgb
    with Image.open(files[index % len(files)]) as image:
        fitted = ImageOps.fit(image.convert("RGB"), (hw[1], hw[0]), Image.Resampling.BICUBIC)
    turned = ImageOps.mirror(fitted) if index // len(files) % 2 else fitted
    return np.array(turned)
