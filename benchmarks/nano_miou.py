"""Measures `nano` on drawn scenes that it has not seen: ``python benchmarks/nano_miou.py``."""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
from machine import describe_machine

import densezero
from densezero.engine import PROTOCOLS
from densezero.metrics import count_pairs, iou_scores
from densezero.pretrain.concepts import CONCEPTS
from densezero.pretrain.scenes import draw_scene

UNSEEN_STREAM = 2  # the training pool is drawn from stream 1


def measure(scenes: int, side: int, protocol_name: str, dtype: str) -> dict[str, object]:
    """Segment scenes of the unseen stream with all concept names, and score them together."""
    protocol = replace(PROTOCOLS[protocol_name], name=f"{protocol_name} at {side}", short_side_px=side)
    encoder = densezero.load_encoder("nano", device="cpu", dtype=dtype)
    names = [concept.name for concept in CONCEPTS]
    segmenter = densezero.Segmenter(encoder, names, protocol)
    confusion = np.zeros((len(names), len(names)), np.int64)
    for index in range(scenes):
        scene = draw_scene((UNSEEN_STREAM, index), (side, side))
        confusion += count_pairs(segmenter.segment(scene.rgb).labels, scene.labels, classes=len(names))
    scores = iou_scores(confusion)
    per_class = {name: round(float(iou), 1) for name, iou in zip(names, scores.per_class, strict=True)}
    return {
        "model": "nano",
        "weights_sha256": encoder.weights_hash,
        "scenes": scenes,
        "side_px": side,
        "protocol": protocol_name,
        "dtype": dtype,
        "miou": round(scores.miou, 2),
        "pixel_accuracy": round(scores.pixel_accuracy, 2),
        "per_class": per_class,
        "machine": describe_machine(),
    }


def main() -> None:
    """Measure, print, and write the JSON where asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scenes", type=int, default=200)
    parser.add_argument("--side", type=int, default=224, help="side of the scenes and of the model input, pixels")
    parser.add_argument("--protocol", default="tips-simple", choices=sorted(PROTOCOLS))
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    text = json.dumps(measure(options.scenes, options.side, options.protocol, options.dtype), indent=1)
    print(text)
    if options.out:
        options.out.write_text(text + "\n")


if __name__ == "__main__":
    main()
