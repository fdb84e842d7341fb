"""The choices for feature pictures: tables and defaults. Importing this module does not load torch."""

from __future__ import annotations

from typing import Final

MARK: Final = "densezero"
"""In the metadata of every figure, so that a later run knows its own."""

DEFAULT_GRID_SIDE: Final = 98
"""Patches along the long side: 1372 px for patches of 14, 1568 px for 16 (figures of arXiv 2604.12012)."""

SHOWS: Final = {
    "pca": "three components as red, green and blue",
    "first": "the first component alone, in matplotlib's inferno",
    "kmeans": "clusters of patches, a colour for each cluster",
}
COLOR_MAPPINGS: Final = {
    "sigmoid": "the logistic function of twice the whitened coordinate, as in the public demo",
    "percentile": "a linear stretch between the 1st and the 99th percentile of the fitted coordinates",
}
"""How coordinates become colours; the command line calls it ``--look``."""
UPSAMPLERS: Final = {
    "nearest": "each pixel has the value of its patch",
    "bilinear": "linear interpolation between the centres of patches",
    "guided": "joint bilateral: patches of similar colour weigh more, so that edges follow the image",
}
FIGURE_SUFFIXES: Final = (".png", ".pdf", ".svg")
OTHER_PICTURE_SUFFIXES: Final = (".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp", ".gif", ".eps", ".ps")
"""Endings of other picture files. A figure cannot be written in these formats."""
FILM_SUFFIXES: Final = (".mp4", ".avi", ".mkv", ".mov")
GRID_FORMATS: Final = {"npz": ".npz", "safetensors": ".safetensors"}
DEFAULT_WIDTH_MM: Final = 180.0
"""Width of a figure: the text width of many journals."""
WIDEST_MM: Final = 2000.0
"""Widest figure: 23,622 pixels at 300 pixels per inch."""
