"""Predicts depth, normals and labels of many images; a stopped run can be continued."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from densezero.encoders.catalog import model_files
from densezero.encoders.device import images_at_once
from densezero.heads.classes import require_classes
from densezero.heads.names import OFFICIAL, SEGMENTATION
from densezero.heads.open import open_encoder, open_heads
from densezero.heads.predictor import DensePredictor, Features
from densezero.images import FoundImage, read_rgb, resize_rgb
from densezero.jobs.heads.settings import MapSettings
from densezero.jobs.manifest import MANIFEST
from densezero.jobs.places import OutputFolder, check_all, find_inputs
from densezero.jobs.run import ImageJob, ImageRun, Outcome, RunSummary
from densezero.output.areas import class_pixels
from densezero.output.classes_json import CLASSES, encode_classes_json
from densezero.output.map_files import MapPlan, MapResult, plan_maps
from densezero.output.paths import refuse_unusable_outputs
from densezero.progress import Listener
from densezero.vocabulary import ClassList

BYTES_OF_PIXEL = 3 + 4 + 12 + 1  # of the picture, of depth, normals and labels


def predict_maps(settings: MapSettings, listener: Listener | None = None) -> RunSummary:
    """Predict the maps of every image of the request and write them. The same request goes on after a stop.

    Raises:
        DenseZeroError: if the request cannot be met; nothing has been written then.
    """
    listener = listener or Listener()
    passed_over: Counter[str] = Counter()
    images = find_inputs(settings.inputs, settings.images, listener, passed_over)
    folder = OutputFolder(settings.out)
    plan, heads = check_all(
        lambda: _plan_outputs(settings, images, folder),
        lambda: open_heads(settings.model, settings.tasks, settings.heads),
    )
    with folder.locked(settings.dry_run):
        encoder = open_encoder(settings.model, not settings.heads, settings.device, settings.dtype)
        predictor = DensePredictor(encoder, heads, settings.side_px, settings.preset == OFFICIAL)
        if encoder.note:
            listener.note(encoder.note)
        job = MapJob(settings, predictor, plan, folder)
        run = ImageRun(folder, job.request, job, listener)
        return run.over(images, settings, {"device": str(encoder.device), "passed_over": passed_over})


def _plan_outputs(settings: MapSettings, images: Sequence[FoundImage], folder: OutputFolder) -> MapPlan:
    """Plan the outputs. Refuse those that the run reads, or that cannot be written."""
    relatives = [image.relative for image in images]
    plan = plan_maps(relatives, settings.tasks, settings.save, settings.keep_suffix, settings.focal_px)
    names = [name for relative in relatives for name in plan.files(relative)]
    of_run = (MANIFEST, *((CLASSES,) if SEGMENTATION in settings.tasks else ()))
    weights = [file for model in (settings.model, *settings.heads) for file in model_files(str(model))]
    read = (*settings.inputs, *(image.path for image in images), *weights)
    refuse_unusable_outputs(settings.out, map(folder.path, (*names, *of_run)), read)
    return plan


@dataclass(frozen=True)
class _Opened:
    """An image (H, W, 3), and the same as the model takes it (h, w, 3)."""

    rgb: NDArray[np.uint8]
    resized: NDArray[np.uint8]


@dataclass(frozen=True)
class _Encoded:
    """An image (H, W, 3), and its features."""

    rgb: NDArray[np.uint8]
    features: Features


class MapJob(ImageJob[FoundImage, _Opened, _Encoded, dict[str, MapResult]]):
    """Each image becomes the maps of all heads, from one pass of the encoder."""

    def __init__(self, settings: MapSettings, predictor: DensePredictor, plan: MapPlan, folder: OutputFolder) -> None:
        self.settings, self.predictor, self.plan, self.folder = settings, predictor, plan, folder
        self.classes: ClassList | None = None
        for head in predictor.heads:
            if head.task == SEGMENTATION:
                self.classes = require_classes(head)
        self.at_once = images_at_once(predictor.encoder.device, predictor.encoder.batch_pixels)
        self.run_files = () if self.classes is None else (CLASSES,)

    @property
    def request(self) -> dict[str, Any]:
        """What decides the maps."""
        predictor, focal_px = self.predictor, self.settings.focal_px
        return {
            "encoder": predictor.encoder.name,
            "weights_sha256": predictor.encoder.weights_hash,
            "heads": {head.task: head.weights_hash for head in predictor.heads},
            "preset": self.settings.preset,
            "side_px": predictor.side_px,
            "dtype": str(predictor.encoder.dtype).removeprefix("torch."),
            **({} if focal_px is None else {"focal_px": focal_px}),
        }

    def files(self, image: FoundImage) -> list[str]:
        """One for each format of each task."""
        return list(self.plan.files(image.relative))

    def prepare(self, waiting: Sequence[FoundImage]) -> None:
        """Write the meaning of the labels, if there are some."""
        if self.classes is not None and (waiting or not self.folder.is_filled(CLASSES)):
            self.folder.write(CLASSES, encode_classes_json(self.classes))

    def read(self, image: FoundImage) -> _Opened:
        """Read the image, and resize it for the model."""
        rgb = read_rgb(image.path)  # (H, W, 3)
        plan = self.predictor.plan((int(rgb.shape[0]), int(rgb.shape[1])))
        return _Opened(rgb, resize_rgb(rgb, plan.input_hw))

    def together(self, images: Sequence[_Opened]) -> list[_Encoded]:
        """Encode several images."""
        encoded = self.predictor.encode([image.resized for image in images])
        return [_Encoded(image.rgb, features) for image, features in zip(images, encoded, strict=True)]

    def work(self, content: _Encoded) -> dict[str, MapResult]:
        """Decode the maps at the size of the image."""
        rgb, focal_px = content.rgb, self.settings.focal_px
        maps = self.predictor.decode(content.features, (int(rgb.shape[0]), int(rgb.shape[1])))
        return {task: MapResult(values, rgb, self.classes, focal_px) for task, values in maps.items()}

    def write(self, image: FoundImage, result: dict[str, MapResult]) -> Outcome:
        """Write a file for each format of each task."""
        self.plan.write(image.relative, result, self.folder.path)
        rgb = next(iter(result.values())).rgb
        pixels = class_pixels(result[SEGMENTATION].values, len(self.classes)) if self.classes is not None else None
        return Outcome((int(rgb.shape[0]), int(rgb.shape[1])), pixels)

    def held_bytes(self, hw: tuple[int, int]) -> int:
        """The image, its maps, and what the model takes."""
        height, width = self.predictor.plan(hw).input_hw
        return BYTES_OF_PIXEL * hw[0] * hw[1] + 3 * height * width
