"""Measures `nano` on drawn scenes that it has not seen: ``python benchmarks/nano_miou.py``.

Three kinds: ``first``, the scenes of the first edition with their 30 concepts; ``all``, scenes with all concepts;
``held-out``, scenes with all concepts in which a combination is visible that training never had.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
from machine import describe_machine

import densezero
from densezero.encoders.base import DenseEncoder
from densezero.engine import PROTOCOLS
from densezero.metrics import count_pairs, iou_scores
from densezero.pretrain.concepts import ALL_CONCEPTS, CONCEPTS
from densezero.pretrain.held_out import held_out_scene
from densezero.pretrain.scenes import Scene, draw_scene

UNSEEN_STREAM = 2  # the training scenes are drawn from stream 1, the held-out ones from stream 3
KINDS = ("first", "all", "held-out")


def measure(encoder: DenseEncoder, kind: str, scenes: int, side: int, protocol_name: str) -> dict[str, object]:
    """Segment scenes of a kind with the names of all their concepts, and score them together."""
    protocol = replace(PROTOCOLS[protocol_name], name=f"{protocol_name} at {side}", short_side_px=side)
    names = [concept.name for concept in (CONCEPTS if kind == "first" else ALL_CONCEPTS)]
    segmenter = densezero.Segmenter(encoder, names, protocol)
    confusion = np.zeros((len(names), len(names)), np.int64)
    for index in range(scenes):
        scene = draw(kind, index, side)
        confusion += count_pairs(segmenter.segment(scene.rgb).labels, scene.labels, classes=len(names))
    scores = iou_scores(confusion)
    return {
        "scenes": scenes,
        "concepts": len(names),
        "miou": round(scores.miou, 2),
        "pixel_accuracy": round(scores.pixel_accuracy, 2),
        "per_class": {name: round(float(iou), 1) for name, iou in zip(names, scores.per_class, strict=True)},
    }


def draw(kind: str, index: int, side: int) -> Scene:
    """Draw the index-th scene of a kind."""
    if kind == "held-out":
        return held_out_scene(index, (side, side), concepts=ALL_CONCEPTS)
    return draw_scene((UNSEEN_STREAM, index), (side, side), concepts=CONCEPTS if kind == "first" else ALL_CONCEPTS)


def main() -> None:
    """Measure, print, and write the JSON where asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="nano")
    parser.add_argument("--scenes", type=int, default=200)
    parser.add_argument("--side", type=int, default=224, help="side of the scenes and of the model input, pixels")
    parser.add_argument("--protocol", default="tips-simple", choices=sorted(PROTOCOLS))
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--kind", choices=KINDS, action="append", help="by default all three")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    encoder = densezero.load_encoder(options.model, device="cpu", dtype=options.dtype)
    report = {
        "model": options.model,
        "weights_sha256": encoder.weights_hash,
        "side_px": options.side,
        "protocol": options.protocol,
        "dtype": options.dtype,
        "scenes_of_kind": {
            kind: measure(encoder, kind, options.scenes, options.side, options.protocol)
            for kind in options.kind or KINDS
        },
        "machine": describe_machine(),
    }
    text = json.dumps(report, indent=1)
    print(text)
    if options.out:
        options.out.write_text(text + "\n")


if __name__ == "__main__":
    main()
