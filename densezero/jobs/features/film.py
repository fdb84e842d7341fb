"""A film of feature pictures, all frames with one basis so that colours do not flicker."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from densezero.errors import FeatureError
from densezero.features import DiskCache
from densezero.features.encoder_cache import EncoderCache
from densezero.features.fitted import Fit, fit, name_source, paint, shrink, spread_evenly
from densezero.features.sources import Source, list_sources
from densezero.images.film import Frames, open_frames
from densezero.jobs.features.fit import stored_fits, write_bases
from densezero.jobs.features.settings import PcaSettings
from densezero.jobs.places import refuse_foreign_files
from densezero.jobs.run import RunSummary
from densezero.output.film import write_film
from densezero.output.paths import refuse_unusable_outputs
from densezero.progress import Listener, Progress


def draw_pca_film(settings: PcaSettings, listener: Listener) -> RunSummary:
    """Draw every frame with one basis, and write them as a film; frames that fail are named and left out.

    Raises:
        DenseZeroError: if the request cannot be met, or no frame can be drawn.
    """
    frames = open_frames(settings.inputs[0], settings.rate)
    refuse_unusable_outputs(settings.out, [settings.out], settings.inputs, is_folder=False)
    refuse_foreign_files([settings.out], listener, overwrite=settings.overwrite)
    encoders = EncoderCache(settings.device, settings.dtype, settings.grid)
    (source,) = list_sources(settings.models, settings.readouts, settings.layers)
    given = stored_fits(settings, encoders.check([source], listener.note))
    if settings.dry_run:
        return RunSummary(settings.out, frames.count, 0, 0, dry_run=True)
    with DiskCache() as cache:
        run = _FilmRun(settings, encoders, source, frames, cache, listener)
        fitted = given.get(source) or run.fit()
        written = write_film(settings.out, run.pictures(fitted), frames.rate)
    return RunSummary(settings.out, written, run.failed, 0)


@dataclass
class _FilmRun:
    settings: PcaSettings
    encoders: EncoderCache
    source: Source
    frames: Frames
    cache: DiskCache
    listener: Listener
    failed: int = 0

    def fit(self) -> Fit:
        """Encode frames that are spread evenly, keep their grids, and fit to them."""
        count = self.frames.count or self.settings.fit_images
        places = set(spread_evenly(count, self.settings.fit_images))
        for place, frame in enumerate(self.frames):
            if place in places and frame.rgb is not None:
                self.cache.put(frame.name, self.encoders.encode(self.source, frame.rgb))
                self.listener.fitting(len(self.cache.names), len(places))
            if place >= max(places):
                break
        if not self.cache.names:
            raise FeatureError(f"No frame of {self.frames.path} can be drawn.")
        stores = self.settings.save_basis is not None
        fitted = fit(self.cache.view(self.cache.names), self.settings.look, with_rule=stores)
        fitted = name_source(fitted, self.encoders.take(self.source.model), self.source.output)
        write_bases([fitted], self.settings.save_basis)
        return fitted

    def pictures(self, fitted: Fit) -> Iterator[NDArray[np.uint8]]:
        """The picture of every frame that can be read."""
        began, done = time.perf_counter(), 0
        for frame in self.frames:
            if frame.rgb is None:
                self.failed += 1
            else:
                grid = self.cache.get(frame.name)
                grid = self.encoders.encode(self.source, frame.rgb) if grid is None else grid  # (gh, gw, D)
                yield paint(self.settings.shows[0], fitted, grid, shrink(frame.rgb), self.settings.look)
                done += 1
            total, seconds = max(self.frames.count, done + self.failed), time.perf_counter() - began
            self.listener.image(Progress(frame.name, frame.error, done, self.failed, 0, total, seconds))
