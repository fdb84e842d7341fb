"""One sheet for all images, a figure or a page: for each the image itself, and a picture of each encoder."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence

from torch import Tensor

from densezero.errors import DenseZeroError, FeatureError
from densezero.features import DiskCache
from densezero.features.choices import is_page
from densezero.features.encoder_cache import EncoderCache
from densezero.features.fitted import Fit, coordinates_of, fit, name_source, paint, refuse_one_colour, spread_evenly
from densezero.features.sources import Source, caption_columns, list_sources
from densezero.images import FoundImage, read_rgb, resize_rgb
from densezero.images.sizes import read_hw
from densezero.jobs.features.fit import stored_fits, write_bases
from densezero.jobs.features.settings import EACH, PcaSettings
from densezero.jobs.places import find_inputs, refuse_foreign_files
from densezero.jobs.run import RunSummary, failure_sentence
from densezero.output.feature_sheets import BrowserSheet, PrintedSheet, Row
from densezero.output.pages import write_pages
from densezero.output.paths import refuse_unusable_outputs
from densezero.progress import Listener, Progress


def draw_pca_figure(settings: PcaSettings, listener: Listener) -> RunSummary:
    """Draw all images and all sources onto one sheet; images that fail are named and left out.

    Raises:
        DenseZeroError: if the request cannot be met, or no image can be drawn.
    """
    images = find_inputs(settings.inputs, settings.images, listener, Counter())
    sources = list_sources(settings.models, settings.readouts)
    sheet = _choose_sheet(settings, caption_columns(sources, settings.shows, settings.labels), len(images))
    refuse_unusable_outputs(settings.out, sheet.files, [image.path for image in images], is_folder=False)
    refuse_foreign_files(sheet.files, listener, overwrite=settings.overwrite)
    encoders = EncoderCache(settings.device, settings.dtype, settings.grid)
    given = stored_fits(settings, encoders.check(sources, listener.note))
    sheet.check_size(len(sources), encoders.most_patches)
    if settings.dry_run:
        return RunSummary(settings.out, len(images), 0, 0, dry_run=True)
    run = _FigureRun(settings, encoders, listener, sheet, len(images), len(images) * len(sources))
    run.open_rows(images)
    names = caption_columns(sources, settings.shows[:1], settings.labels if len(settings.shows) == 1 else ())[1:]
    for source, name in zip(sources, names, strict=True):
        run.add_source(source, name, given.get(source))
    write_bases(run.fits, settings.save_basis)
    rows = {name: row for name, row in run.rows.items() if name not in run.failed}
    if not rows:
        raise FeatureError("No image can be drawn. " + " ".join(list(run.failed.values())[:3]))
    for note in write_pages(settings.out, sheet.contents(rows)):
        listener.note(note)
    return RunSummary(settings.out, len(rows), len(run.failed), 0)


def _choose_sheet(settings: PcaSettings, captions: Sequence[str], images: int) -> PrintedSheet | BrowserSheet:
    if not is_page(settings.out):
        return PrintedSheet(settings.out, captions, settings.style, images)
    about = {"models": ", ".join(settings.models), "read-outs": ", ".join(settings.readouts), **settings.grid.in_words}
    about |= {"numeric type": settings.dtype, "basis": settings.basis, "aligned": "yes" if settings.align else "no"}
    return BrowserSheet(settings.out, captions, settings.style, images, {**about, **settings.look.in_words})


class _FigureRun:
    def __init__(
        self, settings: PcaSettings, encoders: EncoderCache, listener: Listener, sheet: PrintedSheet | BrowserSheet,
        images: int, total: int,
    ) -> None:  # fmt: skip
        self.settings, self.encoders, self.listener, self.sheet, self.total = settings, encoders, listener, sheet, total
        self.images: dict[str, FoundImage] = {}
        self.rows: dict[str, Row] = {}
        self.failed: dict[str, str] = {}
        self.reference: dict[str, Tensor] = {}
        self.fits: list[Fit] = []
        self.unit = "images" if total == images else f"pictures of {images} image{'s' * (images > 1)}"
        self.done, self.began = 0, time.perf_counter()

    def open_rows(self, images: Sequence[FoundImage]) -> None:
        """Begin every row with the image itself, at the size of its cell."""
        for image in images:
            try:
                hw = read_hw(image.path)
                picture = resize_rgb(read_rgb(image.path), self.sheet.picture_px(hw))
            except Exception as error:
                self._fail(image, error)
                continue
            self.images[str(image.path)] = image
            self.rows[str(image.path)] = Row(image.relative.as_posix(), hw[0] / hw[1], [picture])

    def add_source(self, source: Source, name: str, given: Fit | None) -> None:
        """Encode every image that is left, fit, and add the pictures to the rows."""
        with DiskCache() as cache:
            for path, image in self.images.items():
                if path not in self.failed:
                    self._encode(source, image, cache)
            fitted = given or (self._fit(source, cache) if cache.names and self.settings.basis != EACH else None)
            for path, grid in zip(cache.names, cache.view(cache.names), strict=True):
                try:
                    self._paint(path, grid, fitted)
                except DenseZeroError as error:
                    self._fail(self.images[path], error)
            self.sheet.add_features(name, cache)

    def _encode(self, source: Source, image: FoundImage, cache: DiskCache) -> None:
        try:
            rgb = read_rgb(image.path)  # (H, W, 3)
            if self.settings.basis == EACH:
                refuse_one_colour(rgb)
            cache.put(str(image.path), self.encoders.encode(source, rgb))
        except Exception as error:
            self._fail(image, error)
            return
        self.done += 1
        self._tell(image, None)

    def _fit(self, source: Source, cache: DiskCache) -> Fit:
        names = [cache.names[place] for place in spread_evenly(len(cache.names), self.settings.fit_images)]
        stores = self.settings.save_basis is not None
        fitted = fit(cache.view(names), self.settings.look, self._target(names), with_rule=stores)
        self.fits.append(name_source(fitted, self.encoders.take(source.model), source.readout))
        return self.fits[-1]

    def _paint(self, name: str, grid: Tensor, fitted: Fit | None) -> None:
        fitted = fitted or fit([grid], self.settings.look, self._target([name]))
        if self.settings.align and name not in self.reference:
            self.reference[name] = coordinates_of(fitted, [grid])[0]
        pictures = self.rows[name].pictures
        pictures += [paint(show, fitted, grid, pictures[0], self.settings.look) for show in self.settings.shows]

    def _target(self, names: Sequence[str]) -> list[Tensor] | None:
        """Coordinates of the first source, once it is drawn."""
        return [self.reference[name] for name in names] if names[0] in self.reference else None

    def _fail(self, image: FoundImage, error: Exception) -> None:
        self.failed[str(image.path)] = failure_sentence(error, image.path)
        self._tell(image, self.failed[str(image.path)])

    def _tell(self, image: FoundImage, error: str | None) -> None:
        seconds = time.perf_counter() - self.began
        counts = (self.done, len(self.failed), 0, self.total)
        self.listener.image(Progress(str(image.relative), error, *counts, seconds, self.unit))
