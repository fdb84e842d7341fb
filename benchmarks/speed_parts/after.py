"""Every stage of an image by itself, and what follows the encoder in percent of the encoder's time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from photographs import photograph
from PIL import Image
from speed_parts.request import Request, Table, segmenter_with
from timing import Ways, interleave, medians

from densezero.atomic import write_bytes
from densezero.encoders.base import DenseEncoder
from densezero.encoders.device import plain_torch, to_numpy
from densezero.engine import Background, Protocol, find_protocol
from densezero.engine.labelling import BYTE_CLASSES, LabelRule, label_map
from densezero.engine.scoring import score_images
from densezero.images import plan_resize, read_rgb, to_pixels
from densezero.output.writer import FORMATS as FORMATS_KNOWN
from densezero.output.writer import ImageResult, plan_outputs
from densezero.vocabulary import ClassList

PICTURES = {"ADE20K-like": (512, 683), "VOC-like": (375, 500), "Cityscapes-like": (1024, 2048)}
CLASSES = (21, 150, 847)
THRESHOLD = 0.1
FORMATS, NAME = ("labels", "overlay"), "picture.jpg"


def protocols() -> Iterator[Protocol]:
    """Give every preset that is measured, without and with a background threshold."""
    for name in ("tips-slide", "tips-simple", "ovss"):
        preset = find_protocol(name)
        yield preset
        yield replace(preset, name=f"{name} with threshold", background=Background(threshold=THRESHOLD))


class RecordedEncoder(DenseEncoder):
    """Encodes the windows of one image once, then gives the same features again and again at no cost."""

    def __init__(self, encoder: DenseEncoder) -> None:
        self.name, self.patch_px, self.native_px = "recorded", encoder.patch_px, encoder.native_px
        self.width, self.temperature, self.readouts = encoder.width, encoder.temperature, encoder.readouts
        self.device, self.dtype, self.batch_pixels = encoder.device, encoder.dtype, encoder.batch_pixels
        self.batches: list[torch.Tensor] = []
        self._encoder, self._features, self._next = encoder, list[torch.Tensor](), 0
        self.replays = False

    @property
    def weights_hash(self) -> str:
        """Of the encoder that was recorded."""
        return self._encoder.weights_hash

    def encode_dense(self, pixels: torch.Tensor, readout: str = "value") -> torch.Tensor:
        """Encode while recording; give the kept features of the next batch afterwards."""
        if self.replays:
            features = self._features[self._next % len(self._features)]
            assert len(features) == len(pixels), "windows come in the order in which they were recorded"
            self._next += 1
            return features
        self.batches.append(pixels.clone())
        self._features.append(self._encoder.encode_dense(pixels, readout))
        return self._features[-1]

    def encode_again(self, readout: str) -> None:
        """Encode the recorded batches, as a segmenter had them encoded."""
        for batch in self.batches:
            self._encoder.encode_dense(batch, readout)

    @property
    def features(self) -> torch.Tensor:
        """(N, gh, gw, D) of all windows."""
        return torch.cat(self._features)

    def encode_text(self, prompts: object) -> torch.Tensor:
        """No words: ``segmenter_with`` gives the vectors."""
        raise NotImplementedError


def measure_after(request: Request) -> Iterator[Table]:
    """Measure every kind of picture, for every size in every numeric type."""
    for size in request.sizes:
        for dtype in request.dtypes:
            encoder = request.encoder(size, dtype)
            for index, (kind, hw) in enumerate(PICTURES.items()):
                file = request.work / f"{kind}.jpg"
                Image.fromarray(photograph(index, hw)).save(file, quality=90)
                rows = [row for protocol in protocols() for row in _rows(request, encoder, size, file, protocol)]
                yield Table(f"stages of an image, ms: {kind}, {hw[1]} x {hw[0]}, random {size}/14, {dtype}", rows)


@plain_torch()
def _rows(request: Request, encoder: DenseEncoder, size: str, file: Path, protocol: Protocol) -> list[dict[str, Any]]:
    rgb = read_rgb(file)  # (H, W, 3)
    plan = plan_resize((rgb.shape[0], rgb.shape[1]), protocol.short_side_px, protocol.long_side_cap_px)
    pixels = torch.from_numpy(to_pixels(rgb, plan))  # (1, 3, h, w)
    recorded = RecordedEncoder(encoder)
    ways: Ways = {"decode": partial(read_rgb, file), "resize": partial(to_pixels, rgb, plan)}
    for classes in CLASSES:
        segmenter = segmenter_with(recorded, request.vectors(size, classes), protocol)
        rule = segmenter.rule
        if not recorded.replays:
            score_images(recorded, [pixels], rule.bank, protocol)
            recorded.replays = True
        after = After(recorded, pixels, rule, plan.image_hw)
        ways[f"similarity {classes}"] = partial(rule.bank.cosines, recorded.features)
        ways[f"after {classes}"] = after.label
        ways[f"write {classes}"] = partial(_write, request.work / "stages", rgb, after, segmenter.classes)
    ways["encode"] = partial(recorded.encode_again, protocol.readout)
    seconds = interleave(ways, request.repeats)
    ms = {name: 1000 * value for name, value in medians(seconds).items()}
    return [
        {
            "protocol": protocol.name,
            "windows": sum(len(batch) for batch in recorded.batches),
            "classes": classes,
            **{name: round(ms[name], 1) for name in ("decode", "resize", "encode")},
            "similarity": round(ms[f"similarity {classes}"], 1),
            "label": round(ms[f"after {classes}"] - ms[f"similarity {classes}"], 1),
            "write": round(ms[f"write {classes}"], 1),
            "after the encoder, % of it": round(100 * ms[f"after {classes}"] / ms["encode"], 2),
            "seconds": [seconds[way] for way in ("encode", f"after {classes}")],
        }
        for classes in CLASSES
    ]


class After:
    """Everything from features to labels: cosine, windows, softmax, mean, both resizes, argmax; keeps the labels."""

    def __init__(self, recorded: RecordedEncoder, pixels: torch.Tensor, rule: LabelRule, hw: tuple[int, int]) -> None:
        self._recorded, self._pixels, self._rule, self._hw = recorded, pixels, rule, hw
        self.labels: NDArray[np.integer] = np.empty(hw, np.uint16)

    def label(self) -> None:
        """Label the picture."""
        (scores,) = score_images(self._recorded, [self._pixels], self._rule.bank, self._rule.protocol)
        labels = to_numpy(label_map(scores, self._hw, self._rule))
        self.labels = labels if self._rule.bank.classes <= BYTE_CLASSES else labels.astype(np.uint16)


def _write(folder: Path, rgb: NDArray[np.uint8], after: After, classes: ClassList) -> None:
    for form, name in plan_outputs([NAME], FORMATS).files(NAME).items():
        write_bytes(folder / name, FORMATS_KNOWN[form].encode(ImageResult(rgb, after.labels, classes)))
