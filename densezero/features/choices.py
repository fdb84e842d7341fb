"""What a feature picture can be asked for: literal tables and defaults. Importing this loads no torch."""

from __future__ import annotations

from typing import Final

DEFAULT_GRID_SIDE: Final = 98
"""Patches along the long side: 1372 px for patches of 14, 1568 px for 16 (figures of arXiv 2604.12012)."""

SHOWS: Final = {
    "pca": "three components as red, green and blue",
    "first": "the first component alone, in matplotlib's inferno",
    "kmeans": "clusters of patches, a colour each",
}
LOOKS: Final = {
    "sigmoid": "whitened, then the logistic function of twice the coordinate (the public demo's look)",
    "percentile": "stretched between the 1st and the 99th percentile of what was fitted",
}
UPSAMPLERS: Final = {
    "nearest": "every pixel takes its patch",
    "bilinear": "smooth between the patches' centres",
    "guided": "joint bilateral: patches weigh more where they look like the pixel, so that edges are the image's",
}
FIGURE_SUFFIXES: Final = (".png", ".pdf", ".svg")
OTHER_PICTURE_SUFFIXES: Final = (".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp", ".gif", ".eps", ".ps")
"""Names that a figure might be asked for by, in vain."""
FILM_SUFFIXES: Final = (".mp4", ".avi", ".mkv", ".mov")
GRID_FORMATS: Final = {"npz": ".npz", "safetensors": ".safetensors"}
DEFAULT_WIDTH_MM: Final = 180.0
"""Width of a figure: a page's text in many journals."""
WIDEST_MM: Final = 2000.0
"""Widest figure: 23,622 pixels at 300 an inch."""
