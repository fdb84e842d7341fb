"""Writes the raw feature grid of every image to a file; a stopped run can be continued."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from densezero.encoders.catalog import model_files
from densezero.errors import FeatureError
from densezero.features import plan_grid
from densezero.features.choices import GRID_FORMATS
from densezero.features.encoder_cache import EncoderCache
from densezero.features.sources import Source
from densezero.images import FoundImage, read_rgb
from densezero.jobs.features.settings import FeaturesSettings
from densezero.jobs.manifest import MANIFEST
from densezero.jobs.places import OutputFolder, check_all, find_inputs
from densezero.jobs.run import ImageJob, ImageRun, Outcome, RunSummary
from densezero.output.paths import refuse_shared_outputs, refuse_unusable_outputs, stem_of
from densezero.output.picture import encode_grid_npz, encode_grid_safetensors
from densezero.progress import Listener


@dataclass(frozen=True)
class _Grid:
    """(gh, gw, D) features, what they were made of, and the size of their image."""

    features: NDArray[np.floating]
    about: dict[str, Any]
    image_hw: tuple[int, int]


def write_features(settings: FeaturesSettings, listener: Listener | None = None) -> RunSummary:
    """Encode every image and write its grid.

    Raises:
        DenseZeroError: if the request cannot be met; nothing has been written then.
    """
    listener = listener or Listener()
    passed_over: Counter[str] = Counter()
    images = find_inputs(settings.inputs, settings.images, listener, passed_over)
    folder = OutputFolder(settings.out)
    names = [name for image in images for name in _files(settings, image)]
    read = (*settings.inputs, *(image.path for image in images), *model_files(settings.model))
    relatives, suffixes = [image.relative for image in images], [GRID_FORMATS[settings.form]]
    check_all(
        lambda: refuse_shared_outputs(relatives, suffixes, settings.keep_suffix),
        lambda: refuse_unusable_outputs(settings.out, map(folder.path, (*names, MANIFEST)), read),
    )
    with folder.locked(settings.dry_run):
        job = GridJob(settings, folder, listener)
        run = ImageRun(folder, job.request, job, listener)
        return run.over(images, settings, {"device": job.encoders.device, "passed_over": passed_over})


def _files(settings: FeaturesSettings, image: FoundImage) -> list[str]:
    return [f"{stem_of(image.relative, settings.keep_suffix)}{GRID_FORMATS[settings.form]}"]


class GridJob(ImageJob[FoundImage, NDArray[np.uint8], NDArray[np.uint8], _Grid]):
    """Each image becomes a file of its grid."""

    def __init__(self, settings: FeaturesSettings, folder: OutputFolder, listener: Listener) -> None:
        self.settings, self.folder = settings, folder
        self.encoders = EncoderCache(settings.device, settings.dtype, settings.grid)
        self.source = Source(settings.model, settings.readout, settings.layer)
        self.sha256 = self.encoders.check([self.source], listener.note)[self.source]

    @property
    def request(self) -> dict[str, Any]:
        """What decides the grids."""
        return {
            "model": self.settings.model,
            "weights_sha256": self.sha256,
            **self._output,
            "format": self.settings.form,
            "half": self.settings.half,
            "grid": vars(self.settings.grid),
            "dtype": self.settings.dtype,
        }

    @property
    def _output(self) -> dict[str, Any]:
        """What the model gives. Older runs and files have no layer."""
        layer = self.settings.layer
        return {"readout": self.settings.readout} | ({} if layer is None else {"layer": layer})

    def files(self, image: FoundImage) -> list[str]:
        """The one file of an image."""
        return _files(self.settings, image)

    def read(self, image: FoundImage) -> NDArray[np.uint8]:
        """(H, W, 3)."""
        return read_rgb(image.path)

    def work(self, content: NDArray[np.uint8]) -> _Grid:
        """Encode the image."""
        settings, hw = self.settings, (int(content.shape[0]), int(content.shape[1]))
        grid = self.encoders.encode(self.source, content).numpy()  # (gh, gw, D)
        patch_px = self.encoders.take(settings.model).patch_px
        about: dict[str, Any] = {
            "model": settings.model,
            "weights_sha256": self.sha256,
            **self._output,
            "image_hw": hw,
            "input_hw": plan_grid(hw, patch_px, settings.grid.patches(patch_px)).input_hw,
            "patch_px": patch_px,
        }
        return _Grid(_halve(grid) if settings.half else grid, about, hw)

    def write(self, image: FoundImage, result: _Grid) -> Outcome:
        """Write the file."""
        encode = encode_grid_npz if self.settings.form == "npz" else encode_grid_safetensors
        self.folder.write(self.files(image)[0], encode(result.features, result.about))
        return Outcome(result.image_hw)

    def held_bytes(self, hw: tuple[int, int]) -> int:
        """The image and its grid."""
        encoder = self.encoders.take(self.settings.model)
        return 3 * hw[0] * hw[1] + 4 * encoder.width * self.settings.grid.patches(encoder.patch_px) ** 2


def _halve(grid: NDArray[np.float32]) -> NDArray[np.float16]:
    largest, most = float(np.abs(grid).max()), float(np.finfo(np.float16).max)
    if largest > most:
        raise FeatureError(f"Expected features up to {most:g}, as float16 holds; got {largest:g}. Run without --half.")
    return grid.astype(np.float16)
