"""Measures examples in place of words: ``python benchmarks/examples.py``.

One class at a time loses its words. Drawn scenes that show it take their place as examples: 1, 5 and 10 of them.
``calibrated`` is what ``--example`` does; ``raw`` is the mean feature without calibration, beside the same words.
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
from densezero.evaluation.side_by_side import RememberedEncoder
from densezero.examples import bank as example_bank
from densezero.metrics import count_pairs, iou_scores
from densezero.pretrain.concepts import CONCEPTS
from densezero.pretrain.scenes import Scene, draw_scene

UNSEEN_STREAM, EXAMPLE_STREAM = 2, 7  # the training scenes are drawn from stream 1
NAMES = [concept.name for concept in CONCEPTS]
LEAST_PX = 300  # of the class in a scene that is its example


def score(segmenter: densezero.Segmenter, scenes: list[Scene], name: str) -> dict[str, float]:
    """Segment scenes: the IoU of one class, and the mIoU of all, in percent."""
    order = np.array([NAMES.index(known) for known in segmenter.classes.names])
    confusion = np.zeros((len(NAMES), len(NAMES)), np.int64)
    for scene in scenes:
        labels = order[segmenter.segment(scene.rgb).labels].astype(np.uint8)
        confusion += count_pairs(labels, scene.labels, classes=len(NAMES))
    scores = iou_scores(confusion)
    return {"iou": round(float(scores.per_class[NAMES.index(name)]), 1), "miou": round(scores.miou, 1)}


def choose_examples(name: str, count: int, side: int) -> list[densezero.Example]:
    """Draw scenes until enough of them show the class."""
    chosen: list[densezero.Example] = []
    index = 0
    while len(chosen) < count:
        scene = draw_scene((EXAMPLE_STREAM, index), (side, side))
        mask = scene.labels == NAMES.index(name)
        chosen += [densezero.Example(name, scene.rgb, mask)] if mask.sum() > LEAST_PX else []
        index += 1
    return chosen


def raw_row(patches: example_bank.ClassPatches, words: object) -> example_bank.Row:  # noqa: ARG001
    """The mean feature as it is."""
    return example_bank.Row(example_bank.mean_feature(patches))


def measure(encoder: DenseEncoder, name: str, options: argparse.Namespace, scenes: list[Scene]) -> dict[str, object]:
    """Measure one class: by its word, and by examples."""
    protocol = replace(PROTOCOLS[options.protocol], short_side_px=options.side)
    examples = choose_examples(name, max(options.pictures), options.side)
    others = [known for known in NAMES if known != name]
    found: dict[str, object] = {"word": score(densezero.Segmenter(encoder, NAMES, protocol), scenes, name)}
    calibrated = example_bank.calibrated_row
    for how, row in (("raw", raw_row), ("calibrated", calibrated)):
        example_bank.calibrated_row = row
        for count in options.pictures:
            segmenter = densezero.Segmenter(encoder, others, protocol, examples=examples[:count])
            found[f"{how}, {count} pictures"] = score(segmenter, scenes, name)
    return found


def main() -> None:
    """Measure, print, and write the JSON where asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", default="nano")
    parser.add_argument("--classes", nargs="+", default=["car", "house", "boat", "tree"], choices=NAMES)
    parser.add_argument("--pictures", nargs="+", type=int, default=[1, 5, 10])
    parser.add_argument("--scenes", type=int, default=100)
    parser.add_argument("--side", type=int, default=224, help="side of the scenes and of the model input, pixels")
    parser.add_argument("--protocol", default="tips-slide", choices=sorted(PROTOCOLS))
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    encoder = RememberedEncoder.of(densezero.load_encoder(options.model, device="cpu", dtype="float32"))
    scenes = [draw_scene((UNSEEN_STREAM, index), (options.side, options.side)) for index in range(options.scenes)]
    report = {
        "model": options.model,
        "weights_sha256": encoder.weights_hash,
        "protocol": options.protocol,
        "scenes": options.scenes,
        "classes": {name: measure(encoder, name, options, scenes) for name in options.classes},
        "machine": describe_machine(),
    }
    text = json.dumps(report, indent=1)
    print(text)
    if options.out:
        options.out.write_text(text + "\n")


if __name__ == "__main__":
    main()
