"""The two sheets that feature pictures go onto: a printed figure, and a page for the browser.

A run asks the sheet for the size of each picture, hands it the features of each encoder, and gets the files' contents.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from densezero.errors import FeatureError
from densezero.features import DiskCache
from densezero.features.choices import DEPTH_COLORMAP, FigureStyle
from densezero.features.figure.colours import heat_rgb, to_bytes
from densezero.features.figure.heat import Scale, scale_foot, scale_height_mm
from densezero.features.figure.layout import FigurePlan, Section, plan_figure, possible_files
from densezero.features.figure.panels import Panel, draw_figure
from densezero.features.low_rank import CHANNELS, choose_low_rank
from densezero.output.feature_page.page import PageImage, PageSource, make_feature_page

_PAGE_PX: Final = 768  # long side of a picture on the page
_PICTURE_BYTES: Final = 150_000  # of one such picture, about
_MOST_BYTES: Final = 300_000_000


class Row(NamedTuple):
    """An image and what was drawn of it.

    Args:
        name: its path below the folder that was given.
        ratio: its height over its width.
        pictures: (H, W, 3) uint8 each, the image itself, then one for each column.
    """

    name: str
    ratio: float
    pictures: list[NDArray[np.uint8]]


class PrintedSheet:
    """A figure: a row for each image, a column for the image itself and for each encoder.

    Args:
        out: a ``.png``, ``.pdf`` or ``.svg``.
        captions: of the image, and of each column after it.
        style: of the figure.
        images: number of rows, if none fails.
        depth: whether a scale of depth is drawn below the rows.
    """

    def __init__(
        self, out: Path, captions: Sequence[str], style: FigureStyle, images: int, *, depth: bool = False
    ) -> None:
        self._form, self._captions, self._style = out.suffix.lower()[1:], tuple(captions), style
        self._foot_mm = scale_height_mm(style) if depth else 0.0
        self._depth: Scale | None = None
        self._plan = self._plan_rows((1.0,) * images)  # no row is taller than 1
        self.files = possible_files(out, len(self._plan.pages))

    def check_size(self, sources: int, most_patches: int) -> None:
        """A figure keeps no features, so it takes any number of patches."""

    def picture_px(self, image_hw: tuple[int, int]) -> tuple[int, int]:
        """(H, W) of an image's pictures, pixels."""
        return self._plan.picture_px(image_hw)

    def add_features(self, name: str, grids: DiskCache) -> None:
        """A figure keeps no features."""

    def set_depth_scale(self, scale: Scale) -> None:
        """Take the nearest and the farthest depth of all rows, metres."""
        self._depth = scale

    def contents(self, rows: Mapping[str, Row]) -> list[bytes]:
        """Draw the figure; give the content of each file."""
        plan = self._plan_rows(tuple(row.ratio for row in rows.values()))
        panels = [[Panel(picture) for picture in row.pictures] for row in rows.values()]
        foot = None if self._depth is None else scale_foot(plan, self._depth, "depth, metres", DEPTH_COLORMAP)
        return draw_figure(plan, [panels], self._form, foot)

    def _plan_rows(self, ratios: tuple[float, ...]) -> FigurePlan:
        return plan_figure([Section(self._captions, ratios)], self._style, foot_mm=self._foot_mm)


class BrowserSheet:
    """A page for the browser: two pictures with a slider, and a map of cosines with a chosen patch for each encoder.

    Args:
        out: a ``.html``.
        captions: of the image, and of each column after it.
        style: its title and its color map are used.
        images: number of images, if none fails.
        about: settings, shown at the end of the page.
    """

    def __init__(
        self, out: Path, captions: Sequence[str], style: FigureStyle, images: int, about: Mapping[str, str]
    ) -> None:
        self.files = [out]
        self._captions, self._style, self._images, self._about = list(captions), style, images, dict(about)
        self._sources: list[PageSource] = []
        self._codes: dict[str, list[NDArray[np.uint8]]] = {}

    def check_size(self, sources: int, most_patches: int) -> None:
        """Refuse a page that a browser would open slowly, or not at all.

        Args:
            sources: number of encoders and read-outs.
            most_patches: along the long side of an image.

        Raises:
            FeatureError: if the page may have more than 300 MB.
        """
        features = sources * most_patches**2 * CHANNELS[-1] * 4 // 3
        most_bytes = self._images * (features + len(self._captions) * _PICTURE_BYTES)
        if most_bytes > _MOST_BYTES:
            raise FeatureError(
                f"Expected a page of at most {_MOST_BYTES // 10**6} MB; {self._images} images may need up to "
                f"{most_bytes // 10**6} MB. Take fewer images, fewer columns, or a --grid below {most_patches}."
            )

    def picture_px(self, image_hw: tuple[int, int]) -> tuple[int, int]:
        """(H, W) of an image's pictures, pixels."""
        height, width = (max(1, round(side * _PAGE_PX / max(image_hw))) for side in image_hw)
        return height, width

    def add_features(self, name: str, grids: DiskCache) -> None:
        """Keep the features of one encoder and read-out, called ``name``, for all images in the cache."""
        if not grids.names:
            return
        view = grids.view(grids.names)
        features, error = choose_low_rank(view)
        self._sources.append(PageSource(name, features, error))
        for image, grid in zip(grids.names, view, strict=True):
            self._codes.setdefault(image, []).append(features.encode(grid))

    def set_depth_scale(self, scale: Scale) -> None:
        """Write the nearest and the farthest depth of all images, metres, among the settings."""
        self._about["depth"] = f"{scale.low:.2f} m (blue) to {scale.high:.2f} m (red)"

    def contents(self, rows: Mapping[str, Row]) -> list[bytes]:
        """Write the page; give its content."""
        images = [PageImage(row.name, row.pictures, self._codes[path]) for path, row in rows.items()]
        heat = to_bytes(heat_rgb(np.linspace(0, 1, 256), self._style.colormap))
        title = self._style.title or "Patch features"
        page = make_feature_page(title, self._captions, self._sources, images, heat, self._about)
        return [page.encode("utf-8", "surrogateescape").decode("utf-8", "replace").encode()]  # names may be no UTF-8
