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
from densezero.heads.head import Head
from densezero.heads.names import DEPTH
from densezero.heads.predictor import DensePredictor
from densezero.images import FoundImage, read_rgb, resize_rgb
from densezero.images.sizes import read_hw
from densezero.jobs.features.fit import stored_fits, write_bases
from densezero.jobs.features.head_columns import Maps, depth_scale, load_heads, paint_map, predict_maps
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
    sources = list_sources(settings.models, settings.readouts, settings.layers)
    captions = caption_columns(sources, settings.shows, settings.labels, settings.heads)
    sheet = _choose_sheet(settings, captions, len(images))
    refuse_unusable_outputs(settings.out, sheet.files, [image.path for image in images], is_folder=False)
    refuse_foreign_files(sheet.files, listener, overwrite=settings.overwrite)
    encoders = EncoderCache(settings.device, settings.dtype, settings.grid)
    given = stored_fits(settings, encoders.check(sources, listener.note))
    heads = load_heads(encoders, settings.models[0], settings.heads)
    sheet.check_size(len(sources), encoders.most_patches)
    if settings.dry_run:
        return RunSummary(settings.out, len(images), 0, 0, dry_run=True)
    run = _FigureRun(settings, encoders, listener, sheet, len(images), len(images) * (len(sources) + bool(heads)))
    run.open_rows(images)
    own = settings.labels[: len(sources)] if len(settings.shows) == 1 else ()
    names = caption_columns(sources, settings.shows[:1], own)[1:]
    for source, name in zip(sources, names, strict=True):
        run.add_source(source, name, given.get(source))
    write_bases(run.fits, settings.save_basis)
    if heads:
        run.add_heads(heads)
    rows = {name: row for name, row in run.rows.items() if name not in run.failed}
    if not rows:
        raise FeatureError("No image can be drawn. " + " ".join(list(run.failed.values())[:3]))
    for note in write_pages(settings.out, sheet.contents(rows)):
        listener.note(note)
    return RunSummary(settings.out, len(rows), len(run.failed), 0)


def _choose_sheet(settings: PcaSettings, captions: Sequence[str], images: int) -> PrintedSheet | BrowserSheet:
    if not is_page(settings.out):
        return PrintedSheet(settings.out, captions, settings.style, images, depth=DEPTH in settings.heads)
    about = {"models": ", ".join(settings.models), "read-outs": ", ".join(settings.readouts), **settings.grid.in_words}
    about |= {"layers": ", ".join(map(str, settings.layers))} if settings.layers else {}
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

    def add_heads(self, heads: Sequence[Head]) -> None:
        """Predict the maps of every image that is left, and add their pictures to the rows, all depths on one scale."""
        predictor = DensePredictor(self.encoders.take(self.settings.models[0]), heads)
        predicted: dict[str, Maps] = {}
        for path, image in self.images.items():
            if path in self.failed:
                continue
            try:
                height, width = self.rows[path].pictures[0].shape[:2]
                predicted[path] = predict_maps(predictor, read_rgb(image.path), (height, width))
            except Exception as error:
                self._fail(image, error)
                continue
            self.done += 1
            self._tell(image, None)
        scale = depth_scale(list(predicted.values()))
        for path, maps in predicted.items():
            self.rows[path].pictures.extend(paint_map(task, maps[task], scale) for task in self.settings.heads)
        if scale is not None:
            self.sheet.set_depth_scale(scale)

    def _fit(self, source: Source, cache: DiskCache) -> Fit:
        names = [cache.names[place] for place in spread_evenly(len(cache.names), self.settings.fit_images)]
        stores = self.settings.save_basis is not None
        fitted = fit(cache.view(names), self.settings.look, self._target(names), with_rule=stores)
        self.fits.append(name_source(fitted, self.encoders.take(source.model), source.output))
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
