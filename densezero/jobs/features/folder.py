"""A PCA picture for every image of a folder, with one basis or each with its own; goes on after a stop."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path, PurePath, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from densezero.encoders.file_hash import file_sha256
from densezero.errors import FeatureError, InputError
from densezero.features import DiskCache
from densezero.images import FoundImage, find_images, read_rgb
from densezero.jobs.features.encoder_cache import EncoderCache, Source, label_sources, list_sources, spread_evenly
from densezero.jobs.features.fit import (
    Fit,
    coordinates_of,
    fit,
    name_source,
    paint,
    read_fit,
    refuse_one_colour,
    shrink,
    stored_fit,
    write_basis,
    write_fit,
)
from densezero.jobs.features.settings import EACH, PcaSettings
from densezero.jobs.manifest import MANIFEST, Manifest
from densezero.jobs.output_checks import check_output_folder, model_files, refuse_inputs_as_outputs
from densezero.jobs.progress import Listener
from densezero.jobs.run import ImageRun, Outcome, RunSummary, Steps
from densezero.output.atomic import write_bytes
from densezero.output.paths import refuse_shared_outputs, stem_of
from densezero.output.picture import encode_png

FITS = "fitted"


@dataclass
class _Column:
    """One source: the folder of its pictures, what is fitted, and the grids that the fit has kept."""

    source: Source
    label: str
    kept: DiskCache
    fitted: Fit | None = None


@dataclass(frozen=True)
class _Pictures:
    """(H', W', 3) pictures in the order of what is shown, and the size of their image."""

    drawn: list[NDArray[np.uint8]]
    image_hw: tuple[int, int]


def draw_pca_folder(settings: PcaSettings, listener: Listener) -> RunSummary:
    """Draw a picture of every image into a folder, one picture for each source and each thing to show.

    Raises:
        DenseZeroError: if the request cannot be met; nothing has been drawn then.
    """
    images = find_images(settings.inputs)
    check_output_folder(settings.out, settings.inputs, images)
    refuse_shared_outputs([image.relative for image in images], [".png"])
    encoders = EncoderCache(settings.device, settings.dtype, settings.grid)
    sources = list_sources(settings.models, settings.readouts)
    hashes = encoders.check(sources, listener)
    labels = label_sources(sources)
    shown: list[str | None] = [*labels.values()] if len(labels) > 1 else [None]
    pictures = {
        file: image.path
        for label in shown
        for image in images
        for file in _pictures_of(settings, label, image.relative)
    }
    _refuse_lost_inputs(settings, pictures)
    given = stored_fit(settings, encoders, sources[0])
    with ExitStack() as stack:
        columns = [_Column(source, labels[source], stack.enter_context(DiskCache()), given) for source in sources]
        manifest = Manifest(settings.out, _request(settings, hashes), settings.overwrite, pictures)
        run = _FolderRun(settings, encoders, columns, ImageRun(settings.out, manifest, listener))
        return run.over(images, listener)


def _pictures_of(settings: PcaSettings, label: str | None, relative: PurePath | str) -> list[Path]:
    """The pictures of an image, in the order of what is shown; ``label`` names the source where there are several."""
    folder, several = settings.out / (label or ""), len(settings.shows) > 1
    return [folder / (show if several else "") / f"{stem_of(relative)}.png" for show in settings.shows]


def _refuse_lost_inputs(settings: PcaSettings, pictures: Mapping[Path, Path]) -> None:
    """Refuse outputs that are pictures, a basis or weights which the run reads."""
    basis = () if settings.stored_basis is None else (settings.stored_basis,)
    weights = [file for model in settings.models for file in model_files(model)]
    inputs = (*pictures.values(), *basis, *weights)
    refuse_inputs_as_outputs((*pictures, settings.out / MANIFEST), inputs)


class _FolderRun:
    def __init__(self, settings: PcaSettings, encoders: EncoderCache, columns: list[_Column], run: ImageRun) -> None:
        self.settings, self.encoders, self.columns, self.run = settings, encoders, columns, run
        self.images: dict[str, tuple[_Column, FoundImage]] = {}

    def over(self, images: tuple[FoundImage, ...], listener: Listener) -> RunSummary:
        for column in self.columns:  # source by source, so that one encoder is in memory at a time
            for image in images:
                prefix = PurePosixPath(column.label if len(self.columns) > 1 else "")
                self.images[str(prefix / image.relative)] = (column, image)
        items = [FoundImage(image.path, PurePosixPath(name)) for name, (_, image) in self.images.items()]
        if self.settings.save_basis is not None or self.run.waiting(items, self.files):
            self._fit(images, listener)
        summary = self.run.over(
            items, self.files, Steps(self._read, self._draw, self._write, lambda hw: 3 * hw[0] * hw[1])
        )
        self.run.finish(summary, self.settings, self.encoders.device)
        return summary

    def files(self, relative: str) -> list[Path]:
        """The pictures of an item, in the order of what is shown."""
        column, image = self.images[relative]
        return _pictures_of(self.settings, column.label if len(self.columns) > 1 else None, image.relative)

    def _fit(self, images: tuple[FoundImage, ...], listener: Listener) -> None:
        """Fit every source to the same images; a fit that an earlier run has drawn with is taken as it is."""
        if self.settings.basis == EACH:
            return
        if len(self.run.manifest):  # without any, a fit that lies there belongs to a run that is forgotten
            for column in self.columns:
                column.fitted = column.fitted or read_fit(self.settings.out / FITS, column.label, self.settings)
        if not all(column.fitted for column in self.columns):
            self._fit_anew(images, listener)
        fitted = self.columns[0].fitted
        if self.settings.save_basis is not None and fitted is not None:
            write_basis(fitted, self.settings.save_basis)

    def _fit_anew(self, images: tuple[FoundImage, ...], listener: Listener) -> None:
        target = None
        chosen = [images[place] for place in spread_evenly(len(images), self.settings.fit_images)]
        for column in self.columns:
            for done, image in enumerate(chosen, 1):
                self._keep(column, image)
                listener.fitting(done, len(chosen))
            grids = column.kept.view(column.kept.names)
            if not len(grids):
                raise FeatureError(f"None of the {len(chosen)} images that a basis would be fitted to can be used.")
            column.fitted = fit(grids, self.settings, target)
            if self.settings.align and target is None:
                target = coordinates_of(column.fitted, grids)
            column.fitted = name_source(column.fitted, self.encoders.take(column.source.model), column.source.readout)
            write_fit(column.fitted, self.settings.out / FITS, column.label)

    def _keep(self, column: _Column, image: FoundImage) -> None:
        try:
            column.kept.put(str(image.relative), self.encoders.encode(column.source, read_rgb(image.path)))
        except (InputError, FeatureError):  # the drawing meets it again, and names it
            return

    def _read(self, item: FoundImage) -> NDArray[np.uint8]:
        rgb = read_rgb(item.path)  # (H, W, 3)
        if self.settings.basis == EACH:
            refuse_one_colour(rgb)
        return rgb

    def _draw(self, item: FoundImage, rgb: NDArray[np.uint8]) -> _Pictures:
        column, image = self.images[str(item.relative)]
        grid = column.kept.get(str(image.relative))
        grid = self.encoders.encode(column.source, rgb) if grid is None else grid  # (gh, gw, D)
        fitted = column.fitted or fit([grid], self.settings)
        small = shrink(rgb)
        drawn = [paint(show, fitted, grid, small, self.settings) for show in self.settings.shows]
        return _Pictures(drawn, (int(rgb.shape[0]), int(rgb.shape[1])))

    def _write(self, item: FoundImage, pictures: _Pictures) -> Outcome:
        files = self.files(str(item.relative))
        for picture, path in zip(pictures.drawn, files, strict=True):
            write_bytes(path, encode_png(picture))
        return Outcome(tuple(files), pictures.image_hw)


def _request(settings: PcaSettings, hashes: dict[Source, str]) -> dict[str, Any]:
    """What decides the pictures."""
    stored = settings.stored_basis
    return {
        "sources": [[source.model, source.readout, sha256] for source, sha256 in hashes.items()],
        "shows": settings.shows,
        "basis": settings.basis if stored is None else file_sha256(stored),
        "look": settings.color_mapping,
        "foreground": settings.foreground,
        "align": settings.align,
        "clusters": settings.clusters,
        "upsampler": settings.upsampler,
        "grid": vars(settings.grid),
        "fit_images": settings.fit_images,
        "dtype": settings.dtype,
    }
