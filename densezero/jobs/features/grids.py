"""Writes the raw feature grids of images, one file each; goes on after a stop."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from densezero.errors import FeatureError
from densezero.features import plan_grid
from densezero.features.choices import GRID_FORMATS
from densezero.images import FoundImage, find_images, read_rgb
from densezero.jobs.features.encoder_cache import EncoderCache, Source
from densezero.jobs.features.settings import FeaturesSettings
from densezero.jobs.manifest import MANIFEST, Manifest
from densezero.jobs.output_checks import check_output_folder, model_files, refuse_inputs_as_outputs
from densezero.jobs.progress import Listener
from densezero.jobs.run import ImageRun, Outcome, RunSummary, Steps
from densezero.output.atomic import write_bytes
from densezero.output.paths import refuse_shared_outputs, stem_of
from densezero.output.picture import encode_grid_npz, encode_grid_safetensors


@dataclass(frozen=True)
class _Grid:
    """(gh, gw, D) features, what they were made of, and the size of their image."""

    features: NDArray[np.floating]
    about: dict[str, Any]
    image_hw: tuple[int, int]


def write_features(settings: FeaturesSettings, listener: Listener | None = None) -> RunSummary:
    """Encode every image and write its grid.

    Args:
        settings: the request.
        listener: hears of notes and progress.

    Raises:
        DenseZeroError: if the request cannot be met; nothing has been written then.
    """
    listener = listener or Listener()
    images = find_images(settings.inputs)
    check_output_folder(settings.out, settings.inputs, images)
    suffix = GRID_FORMATS[settings.form]
    refuse_shared_outputs([image.relative for image in images], [suffix])

    def files(relative: str) -> list[Path]:
        return [settings.out / f"{stem_of(relative)}{suffix}"]

    sources = {file: image.path for image in images for file in files(str(image.relative))}
    refuse_inputs_as_outputs(
        (*sources, settings.out / MANIFEST), (*(image.path for image in images), *model_files(settings.model))
    )
    encoders = EncoderCache(settings.device, settings.dtype, settings.grid)
    source = Source(settings.model, settings.readout)
    sha256 = encoders.check([source], listener)[source]
    request = {
        "model": settings.model,
        "weights_sha256": sha256,
        "readout": settings.readout,
        "format": settings.form,
        "half": settings.half,
        "grid": vars(settings.grid),
        "dtype": settings.dtype,
    }
    run = ImageRun(settings.out, Manifest(settings.out, request, settings.overwrite, sources), listener)

    def read(image: FoundImage) -> NDArray[np.uint8]:
        return read_rgb(image.path)  # (H, W, 3)

    def work(_: FoundImage, rgb: NDArray[np.uint8]) -> _Grid:
        return _encode(settings, encoders, source, rgb, sha256)

    def write(image: FoundImage, grid: _Grid) -> Outcome:
        path = files(str(image.relative))[0]
        encode = encode_grid_npz if settings.form == "npz" else encode_grid_safetensors
        write_bytes(path, encode(grid.features, grid.about))
        return Outcome((path,), grid.image_hw)

    encoder = encoders.take(settings.model)
    grid_bytes = 4 * encoder.width * settings.grid.patches(encoder.patch_px) ** 2
    summary = run.over(images, files, Steps(read, work, write, lambda hw: 3 * hw[0] * hw[1] + grid_bytes))
    run.finish(summary, settings, encoders.device)
    return summary


def _encode(
    settings: FeaturesSettings, encoders: EncoderCache, source: Source, rgb: NDArray[np.uint8], sha256: str
) -> _Grid:
    grid = encoders.encode(source, rgb).numpy()  # (gh, gw, D)
    hw, patch_px = (int(rgb.shape[0]), int(rgb.shape[1])), encoders.take(source.model).patch_px
    about: dict[str, Any] = {
        "model": source.model,
        "weights_sha256": sha256,
        "readout": source.readout,
        "image_hw": hw,
        "input_hw": plan_grid(hw, patch_px, settings.grid.patches(patch_px)).input_hw,
        "patch_px": patch_px,
    }
    return _Grid(_halve(grid) if settings.half else grid, about, hw)


def _halve(grid: NDArray[np.float32]) -> NDArray[np.float16]:
    largest, most = float(np.abs(grid).max()), float(np.finfo(np.float16).max)
    if largest > most:
        raise FeatureError(f"Expected features up to {most:g}, as float16 holds; got {largest:g}. Run without --half.")
    return grid.astype(np.float16)
