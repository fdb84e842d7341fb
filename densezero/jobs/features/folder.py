"""Draws a PCA picture of every image, with one common basis or one basis each; a stopped run can be continued."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from densezero.encoders.catalog import model_files
from densezero.encoders.file_hash import file_sha256
from densezero.errors import FeatureError, InputError
from densezero.features import DiskCache
from densezero.features.encoder_cache import EncoderCache
from densezero.features.fitted import (
    Fit,
    coordinates_of,
    fit,
    fit_files,
    name_source,
    paint,
    read_fit,
    refuse_one_colour,
    shrink,
    spread_evenly,
)
from densezero.features.sources import Source, label_sources, list_sources
from densezero.images import FoundImage, read_rgb
from densezero.interrupts import Interrupts
from densezero.jobs.features.fit import stored_fits, write_bases, write_fit
from densezero.jobs.features.settings import EACH, PcaSettings
from densezero.jobs.manifest import MANIFEST
from densezero.jobs.places import OutputFolder, check_all, find_inputs
from densezero.jobs.run import ImageJob, ImageRun, Outcome, RunSummary
from densezero.output.paths import refuse_shared_outputs, refuse_unusable_outputs, stem_of
from densezero.output.picture import encode_png
from densezero.progress import Listener

FITS = "fitted"


@dataclass(eq=False)
class _Column:
    """One source: the folder of its pictures, what is fitted, and the grids that the fit has kept."""

    source: Source
    label: str
    kept: DiskCache
    fitted: Fit | None = None


@dataclass(frozen=True)
class ColumnImage(FoundImage):
    """An image, to be drawn for one column."""

    column: _Column
    below: PurePosixPath
    """Its path below the input."""


class _Opened(NamedTuple):
    """An image that was read: what it belongs to, and its pixels (H, W, 3)."""

    image: ColumnImage
    rgb: NDArray[np.uint8]


class _Pictures(NamedTuple):
    """(H', W', 3) pictures in the order of what is shown, and the size of their image."""

    drawn: list[NDArray[np.uint8]]
    image_hw: tuple[int, int]


def draw_pca_folder(settings: PcaSettings, listener: Listener) -> RunSummary:
    """Draw a picture of every image into a folder, one picture for each source and each thing to show.

    Raises:
        DenseZeroError: if the request cannot be met; nothing has been drawn then.
    """
    passed_over: Counter[str] = Counter()
    found = find_inputs(settings.inputs, settings.images, listener, passed_over)
    folder = OutputFolder(settings.out)
    sources = list_sources(settings.models, settings.readouts, settings.layers)
    labels = label_sources(sources)
    with ExitStack() as stack:
        columns = [_Column(source, labels[source], stack.enter_context(DiskCache())) for source in sources]
        images = _images_of(columns, found)
        check_all(
            lambda: refuse_shared_outputs([image.relative for image in found], [".png"], settings.keep_suffix),
            lambda: _refuse_unusable_outputs(settings, folder, images),
        )
        stack.enter_context(folder.locked(settings.dry_run))
        job = PcaJob(settings, folder, columns, found, listener)
        run = ImageRun(folder, job.request, job, listener)
        return run.over(images, settings, {"device": job.encoders.device, "passed_over": passed_over})


def _images_of(columns: Sequence[_Column], found: Sequence[FoundImage]) -> list[ColumnImage]:
    """Every image for every column, column by column, so that one encoder is in memory at a time."""
    images = []
    for column in columns:
        place = PurePosixPath(column.label if len(columns) > 1 else "")
        images += [ColumnImage(image.path, place / image.relative, column, image.relative) for image in found]
    return images


def _refuse_unusable_outputs(settings: PcaSettings, folder: OutputFolder, images: Sequence[ColumnImage]) -> None:
    """Refuse outputs that are pictures, a basis or weights which the run reads, or cannot be written."""
    names = [name for image in images for name in _pictures_of(settings, image)]
    basis = () if settings.stored_basis is None else (settings.stored_basis,)
    weights = [file for model in settings.models for file in model_files(model)]
    read = (*settings.inputs, *(image.path for image in images), *basis, *weights)
    refuse_unusable_outputs(settings.out, map(folder.path, (*names, MANIFEST)), read)


def _pictures_of(settings: PcaSettings, image: ColumnImage) -> list[str]:
    """The pictures of an image, in the order of what is shown."""
    stem, several = stem_of(image.below, settings.keep_suffix), len(settings.shows) > 1
    column = image.relative.parents[len(image.below.parts) - 1]
    return [(column / (show if several else "") / f"{stem}.png").as_posix() for show in settings.shows]


class PcaJob(ImageJob[ColumnImage, _Opened, _Opened, _Pictures]):
    """Each image becomes pictures of its features."""

    def __init__(
        self, settings: PcaSettings, folder: OutputFolder, columns: Sequence[_Column], found: Sequence[FoundImage],
        listener: Listener,
    ) -> None:  # fmt: skip
        self.settings, self.folder, self.columns, self.found, self.listener = settings, folder, columns, found, listener
        self.encoders = EncoderCache(settings.device, settings.dtype, settings.grid)
        self.hashes = self.encoders.check([column.source for column in columns], listener.note)
        given = stored_fits(settings, self.hashes)
        for column in columns:
            column.fitted = given.get(column.source)
        self.unit = "images" if len(columns) == 1 else f"pictures of {len(found)} images"
        self.keeps_fits = settings.basis != EACH and not given
        names = [f"{FITS}/{file}" for column in columns for file in fit_files(column.label, settings.look)]
        self.run_files = tuple(names) if self.keeps_fits else ()

    @property
    def request(self) -> dict[str, Any]:
        """What decides the pictures."""
        settings, stored = self.settings, self.settings.stored_basis
        chosen = ("shows", "foreground", "align", "clusters", "upsampler", "fit_images", "dtype")
        return {
            "sources": [[source.model, source.output, sha256] for source, sha256 in self.hashes.items()],
            "basis": settings.basis if stored is None else file_sha256(stored),
            "look": settings.color_mapping,
            "grid": vars(settings.grid),
            **{name: getattr(settings, name) for name in chosen},
            **settings.look.changed,
        }

    def files(self, image: ColumnImage) -> list[str]:
        """One for each thing to show."""
        return _pictures_of(self.settings, image)

    def prepare(self, waiting: Sequence[FoundImage]) -> None:
        """Fit every source to the same images; a fit that an earlier run has drawn with is taken as it is."""
        if not self.keeps_fits:
            return
        for column in self.columns:
            column.fitted = read_fit(self.folder.path(FITS), column.label, self.settings.look)
        if not all(column.fitted for column in self.columns) and (waiting or self.settings.save_basis):
            self._fit()
        write_bases([column.fitted for column in self.columns if column.fitted], self.settings.save_basis)

    def _fit(self) -> None:
        target = None
        chosen = [self.found[place] for place in spread_evenly(len(self.found), self.settings.fit_images)]
        for column in self.columns:
            for done, image in enumerate(chosen, 1):
                self._keep(column, image)
                self.listener.fitting(done, len(chosen))
            grids = column.kept.view(column.kept.names)
            if not len(grids):
                raise FeatureError(f"None of the {len(chosen)} images that a basis would be fitted to can be used.")
            column.fitted = fit(grids, self.settings.look, target, with_rule=self.settings.save_basis is not None)
            if self.settings.align and target is None:
                target = coordinates_of(column.fitted, grids)
            column.fitted = name_source(column.fitted, self.encoders.take(column.source.model), column.source.output)
            write_fit(column.fitted, self.folder.path(FITS), column.label)

    def _keep(self, column: _Column, image: FoundImage) -> None:
        try:
            column.kept.put(str(image.relative), self.encoders.encode(column.source, read_rgb(image.path)))
        except (InputError, FeatureError):  # drawing the image fails too, and names it
            Interrupts.check()

    def read(self, image: ColumnImage) -> _Opened:
        """(H, W, 3)."""
        rgb = read_rgb(image.path)
        if self.settings.basis == EACH:
            refuse_one_colour(rgb)
        return _Opened(image, rgb)

    def work(self, content: _Opened) -> _Pictures:
        """Encode the image, unless the fit has kept its grid, and draw it."""
        column, rgb = content.image.column, content.rgb
        grid = column.kept.get(str(content.image.below))
        grid = self.encoders.encode(column.source, rgb) if grid is None else grid  # (gh, gw, D)
        fitted = column.fitted or fit([grid], self.settings.look)
        small = shrink(rgb)
        drawn = [paint(show, fitted, grid, small, self.settings.look) for show in self.settings.shows]
        return _Pictures(drawn, (int(rgb.shape[0]), int(rgb.shape[1])))

    def write(self, image: ColumnImage, result: _Pictures) -> Outcome:
        """Write the pictures."""
        for picture, name in zip(result.drawn, self.files(image), strict=True):
            self.folder.write(name, encode_png(picture))
        return Outcome(result.image_hw)

    def held_bytes(self, hw: tuple[int, int]) -> int:
        """The image."""
        return 3 * hw[0] * hw[1]
