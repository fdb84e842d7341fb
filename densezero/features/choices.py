"""The choices for feature pictures: tables and defaults. Importing this module does not load torch."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final

from densezero.errors import FeatureError, did_you_mean

MARK: Final = "densezero"
"""In the metadata of every figure, so that a later run knows its own."""

DEFAULT_GRID_SIDE: Final = 98
"""Patches along the long side: 1372 px for patches of 14, 1568 px for 16 (figures of arXiv 2604.12012)."""

SHOWS: Final = {
    "pca": "three components as red, green and blue",
    "first": "the first component alone, in one color map",
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
PAGE_SUFFIXES: Final = (".html", ".htm")
OTHER_PICTURE_SUFFIXES: Final = (".jpg", ".jpeg", ".webp", ".tif", ".tiff", ".bmp", ".gif", ".eps", ".ps")
"""Endings of other picture files. A figure cannot be written in these formats."""
FILM_SUFFIXES: Final = (".mp4", ".avi", ".mkv", ".mov")
GRID_FORMATS: Final = {"npz": ".npz", "safetensors": ".safetensors"}
DEFAULT_WIDTH_MM: Final = 180.0
"""Width of a figure: the text width of many journals."""
DEPTH_COLORMAP: Final = "turbo"
"""Of depth by a head: blue is near, red is far."""
HEAD_COLUMNS: Final = {
    "depth": "depth in metres, in the colours of turbo, on one scale for all images",
    "normals": "surface normals; red, green and blue are x, y and z from -1 to 1",
}
"""Columns of a figure that trained heads predict."""
LAYER_READOUT: Final = "patch"
"""The read-out that other layers than the last one have."""
LONGEST_GRID: Final = 512
"""The most patches along the long side: a square of them with 1024 channels takes 1 GB."""
CELLS: Final = {
    "fit": "each row as tall as its picture, at most as tall as wide",
    "square": "the middle of each picture, cropped to a square",
    "height": "all rows equally tall",
}
LEAST_PT: Final = 6.0
"""Smallest text that journals accept, points."""
LEAST_MM: Final = 10.0
WIDEST_MM: Final = 2000.0
"""Widest figure: 23,622 pixels at 300 pixels per inch."""


@dataclass(frozen=True)
class GridChoice:
    """How finely images are encoded.

    Args:
        side: patches along the long side.
        side_px: long side of the model input in pixels instead, rounded to whole patches; None takes ``side``.
        window_side: patches along the side of blended windows; None encodes whole what memory takes.

    Raises:
        FeatureError: for a number below 1.
    """

    side: int = DEFAULT_GRID_SIDE
    side_px: int | None = None
    window_side: int | None = None

    def __post_init__(self) -> None:
        for name, given in (("grid", self.side), ("side", self.side_px), ("window", self.window_side)):
            if given is not None and given < 1:
                raise FeatureError(f"Expected --{name} of at least 1; got {given}.")

    @property
    def in_words(self) -> dict[str, str]:
        """The choice, name to value."""
        side = f"{self.side} patches" if self.side_px is None else f"{self.side_px} pixels"
        return {
            "long side": side,
            "windows": "as memory takes" if self.window_side is None else f"{self.window_side} patches",
        }

    def patches(self, patch_px: int) -> int:
        """Compute the number of patches along the long side, for patches of ``patch_px`` pixels.

        Raises:
            FeatureError: if they are more than a machine can hold.
        """
        side = self.side if self.side_px is None else max(1, round(self.side_px / patch_px))
        if side > LONGEST_GRID:
            raise FeatureError(
                f"Expected at most {LONGEST_GRID} patches along the long side ({LONGEST_GRID * patch_px} pixels for "
                f"this encoder); got {side}. Take a smaller --grid or --side."
            )
        return side


def is_figure(out: Path) -> bool:
    """Whether a name asks for one figure: it ends like one, and no folder has it."""
    return out.suffix.lower() in FIGURE_SUFFIXES and not is_folder(out)


def is_page(out: Path) -> bool:
    """Whether a name asks for one page for the browser."""
    return out.suffix.lower() in PAGE_SUFFIXES and not is_folder(out)


def is_folder(place: Path) -> bool:
    """Whether a folder has this name; no folder has a name that the file system refuses."""
    try:
        return place.is_dir()
    except OSError:
        return False


def check_name(kind: str, given: str, known: dict[str, str]) -> None:
    """Refuse a name that is not in a table.

    Raises:
        FeatureError: with the nearest.
    """
    if given not in known:
        raise FeatureError(f"Expected {kind} out of the known ones; got {given!r}. {did_you_mean(given, list(known))}")


def check_layer(readout: str, layer: int | None) -> None:
    """Refuse a layer with another read-out than ``patch``.

    Raises:
        FeatureError: in this case.
    """
    if layer is not None and readout != LAYER_READOUT:
        raise FeatureError(
            f"Expected --readout {LAYER_READOUT} with --layer; got {readout!r}. The other read-outs change what the "
            "last block computes, so they have no other layers. Take one of the two options."
        )


@dataclass(frozen=True)
class FigureStyle:
    """How a figure is set.

    Args:
        width_mm: its width, mm.
        title: a line above everything; empty for none.
        font_pt: size of captions, points. No text is smaller than 6 pt.
        cell: a name of ``CELLS``.
        colormap: matplotlib's name of the color map for one number a patch.
        dpi: pixels per inch of a PNG, and of the pictures in a PDF or SVG.

    Raises:
        FeatureError: for a number out of range, or an unknown cell.
    """

    width_mm: float = DEFAULT_WIDTH_MM
    title: str = ""
    font_pt: float = 7.0
    cell: str = "fit"
    colormap: str = "inferno"
    dpi: int = 300

    def __post_init__(self) -> None:
        check_name("--cell", self.cell, CELLS)
        for name, given, (low, high), unit in (
            ("width", self.width_mm, (LEAST_MM, WIDEST_MM), "mm"),
            ("font-size", self.font_pt, (LEAST_PT, 24.0), "points"),
            ("dpi", self.dpi, (50, 1200), "pixels per inch"),
        ):
            if not low <= given <= high:
                raise FeatureError(f"Expected --{name} in {unit}, from {low:g} to {high:g}; got {given:g}.")

    @property
    def sizes(self) -> list[str]:
        """Settings of size and cells that are not the usual ones, as the command line calls them."""
        names = {"width_mm": "width", "font_pt": "font-size", "cell": "cell", "dpi": "dpi"}
        return [
            names[each.name] for each in fields(self) if each.name in names and getattr(self, each.name) != each.default
        ]

    @property
    def small_pt(self) -> float:
        """Size of ticks and scales, points."""
        return max(LEAST_PT, self.font_pt - 1)

    @property
    def title_pt(self) -> float:
        """Size of the title, points."""
        return self.font_pt + 1.5


@dataclass(frozen=True)
class Look:
    """How feature pictures are made.

    Args:
        shows: names of ``SHOWS``, a picture each.
        foreground: fit and colour the foreground alone.
        clusters: of k-means.
        color_mapping: a name of ``COLOR_MAPPINGS``.
        upsampler: a name of ``UPSAMPLERS``.
        colormap: matplotlib's name of the color map for the first component.
        hue_deg: turns the colours of three components about grey, degrees; 120 makes red green.
        flip: components, 1 to 3, whose direction is mirrored.

    Raises:
        FeatureError: for an unknown name, fewer than 2 clusters, or a component that is not 1, 2 or 3.
    """

    shows: tuple[str, ...] = ("pca",)
    foreground: bool = False
    clusters: int = 6
    color_mapping: str = "sigmoid"
    upsampler: str = "bilinear"
    colormap: str = "inferno"
    hue_deg: float = 0.0
    flip: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if not set(self.flip) <= {1, 2, 3}:
            raise FeatureError(f"Expected --flip out of 1, 2 and 3; got {', '.join(map(str, self.flip))}.")
        if not abs(self.hue_deg) <= 360:
            raise FeatureError(f"Expected --hue in degrees, from -360 to 360; got {self.hue_deg:g}.")
        for show in self.shows:
            check_name("what to --show", show, SHOWS)
        check_name("--look", self.color_mapping, COLOR_MAPPINGS)
        check_name("a way to upsample", self.upsampler, UPSAMPLERS)
        if self.clusters < 2:
            raise FeatureError(f"Expected at least 2 clusters; got {self.clusters}.")

    @property
    def changed(self) -> dict[str, Any]:
        """Settings of colour that are not the usual ones. Requests of older runs do not have these fields."""
        return {
            each.name: getattr(self, each.name)
            for each in fields(self)
            if each.name in ("colormap", "hue_deg", "flip") and getattr(self, each.name) != each.default
        }

    @property
    def in_words(self) -> dict[str, str]:
        """What decides the colours, name to value."""
        said = {"colours": self.color_mapping, "upsampling": self.upsampler}
        said |= {"clusters": str(self.clusters)} if self.needs_clusters else {}
        said |= {"foreground": "alone"} if self.foreground else {}
        said |= {"hue": f"turned by {self.hue_deg:g}°"} if self.hue_deg else {}
        return said | ({"mirrored components": ", ".join(map(str, self.flip))} if self.flip else {})

    @property
    def needs_basis(self) -> bool:
        """Whether a PCA basis is shown."""
        return bool({"pca", "first"} & set(self.shows))

    @property
    def needs_clusters(self) -> bool:
        """Whether clusters are shown."""
        return "kmeans" in self.shows
