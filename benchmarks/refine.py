"""Measures refinement, region votes and examples on drawn scenes: ``python benchmarks/refine.py --out FILE.json``.

For every protocol and method: mIoU and boundary IoU over unseen scenes, milliseconds beside the encoder's, and the peak
memory of the process. Each measurement is a process of its own, because the peak of a process's memory never falls.

``regions`` votes in the connected parts of the true labels: what perfect masks of another tool would bring.
``examples`` take the place of all words: pictures of each concept with its true mask.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from machine import describe_machine
from numpy.typing import NDArray

import densezero
from densezero.engine import PROTOCOLS
from densezero.engine.presets import REFINEMENTS
from densezero.features.choices import FigureStyle
from densezero.features.figure.layout import Section, plan_figure
from densezero.features.figure.panels import Panel, draw_figure
from densezero.metrics import BoundaryCounts, count_boundaries, count_pairs, iou_scores
from densezero.output.pages import write_pages
from densezero.pretrain.concepts import CONCEPTS
from densezero.pretrain.scenes import Scene, draw_scene

UNSEEN_STREAM, EXAMPLE_STREAM = 2, 7  # the training scenes are drawn from stream 1
NAMES = [concept.name for concept in CONCEPTS]
HW = (448, 640)  # two windows in tips-slide
LEAST_PX = 300  # of a concept in a scene that is its example
ALL_PROTOCOLS = ("tips-simple", "tips-slide")
METHODS = ("none", "grid", "pamr", "regions", "examples 1", "examples 5", "examples 10")
FIGURE_SCENES = (0, 3, 4)


class Way:
    """One protocol with one method.

    Args:
        model: name or folder.
        protocol: name.
        method: of ``METHODS``.
    """

    def __init__(self, model: str, protocol: str, method: str) -> None:
        encoder = densezero.load_encoder(model, device="cpu", dtype="float32")
        chosen = replace(PROTOCOLS[protocol], refine=REFINEMENTS.get(method))
        self.by_regions = method == "regions"
        examples = choose_examples(int(method.split()[1])) if method.startswith("examples") else []
        self.segmenter = densezero.Segmenter(encoder, None if examples else NAMES, chosen, examples=examples)
        self.order = np.array([NAMES.index(name) for name in self.segmenter.classes.names])
        self.encoder_seconds = 0.0
        self._time_the_encoder()

    def label(self, scene: Scene) -> NDArray[np.int64]:
        """Segment a scene: (H, W) indices of ``NAMES``."""
        regions = connected_parts(scene.labels) if self.by_regions else None
        return np.asarray(self.order[self.segmenter.segment(scene.rgb, regions).labels])

    def _time_the_encoder(self) -> None:
        encoder, encode = self.segmenter.encoder, self.segmenter.encoder.encode_dense

        def timed(*args: Any, **options: Any) -> Any:
            began = time.perf_counter()
            features = encode(*args, **options)
            self.encoder_seconds += time.perf_counter() - began
            return features

        encoder.encode_dense = timed  # type: ignore[method-assign]


def choose_examples(count: int) -> list[densezero.Example]:
    """Draw scenes until enough of them show each concept."""
    missing = dict.fromkeys(range(len(NAMES)), count)
    chosen: list[densezero.Example] = []
    index = 0
    while any(missing.values()):
        scene = draw_scene((EXAMPLE_STREAM, index), HW)
        for number, left in missing.items():
            mask = scene.labels == number
            if left and mask.sum() > LEAST_PX:
                chosen.append(densezero.Example(NAMES[number], scene.rgb, mask))
                missing[number] -= 1
        index += 1
    return chosen


def connected_parts(labels: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Number the connected parts of equal labels, from 1: (H, W)."""
    parts, count = np.zeros(labels.shape, np.int64), 0
    for value in np.unique(labels):
        found, numbered = cv2.connectedComponents((labels == value).astype(np.uint8))
        parts += np.where(numbered > 0, numbered + count, 0)
        count += found - 1
    return parts


def measure(way: Way, scenes: int) -> dict[str, float]:
    """Score scenes together; give the median milliseconds that a scene takes beside the encoder."""
    confusion, boundary = np.zeros((len(NAMES), len(NAMES)), np.int64), None
    milliseconds = []
    for index in range(scenes):
        scene = draw_scene((UNSEEN_STREAM, index), HW)
        way.encoder_seconds, began = 0.0, time.perf_counter()
        labels = way.label(scene)
        milliseconds.append(1000 * (time.perf_counter() - began - way.encoder_seconds))
        confusion += count_pairs(labels, scene.labels, classes=len(NAMES))
        counts: BoundaryCounts = count_boundaries(labels, scene.labels, classes=len(NAMES))
        boundary = counts if boundary is None else boundary + counts
    assert boundary is not None, "at least one scene"
    return {
        "miou": round(iou_scores(confusion).miou, 2),
        "boundary_iou": round(boundary.mean, 2),
        "ms_beside_the_encoder": round(float(np.median(milliseconds)), 1),
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }


def draw(model: str, protocol: str) -> list[bytes]:
    """Draw scenes, their true labels and the labels of each method, one row for each scene."""
    colours = np.array([concept.colour for concept in CONCEPTS], np.uint8)
    scenes = [draw_scene((UNSEEN_STREAM, index), HW) for index in FIGURE_SCENES]
    columns = {"scene": [scene.rgb for scene in scenes], "true": [colours[scene.labels] for scene in scenes]}
    for method in METHODS:
        way = Way(model, protocol, method)
        columns[method] = [colours[way.label(scene)] for scene in scenes]
    plan = plan_figure([Section(tuple(columns), (HW[0] / HW[1],) * len(scenes))], FigureStyle(180, font_pt=7, dpi=150))
    rows = [[Panel(pictures[row]) for pictures in columns.values()] for row in range(len(scenes))]
    return draw_figure(plan, [rows], "png")


def write_table(found: dict[str, dict[str, dict[str, float]]]) -> str:
    """Write a row for each method."""
    lines = [
        "| protocol | method | mIoU | boundary IoU | ms beside the encoder | peak, MB |",
        f"|---|---|{4 * '---:|'}",
    ]
    for protocol, methods in found.items():
        for method, row in methods.items():
            lines.append(f"| `{protocol}` | {method} | " + " | ".join(f"{value:,}" for value in row.values()) + " |")
    return "\n".join(lines)


def main() -> None:
    """Measure one way, or all of them, or draw the figure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="nano")
    parser.add_argument("--scenes", type=int, default=200)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--figure", type=Path, help="draw three scenes instead")
    parser.add_argument("--one", nargs=2, metavar=("PROTOCOL", "METHOD"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.one:
        print(json.dumps(measure(Way(options.model, *options.one), options.scenes)))
        return
    if options.figure:
        write_pages(options.figure, draw(options.model, "tips-slide"))
        return
    found: dict[str, dict[str, dict[str, float]]] = {protocol: {} for protocol in ALL_PROTOCOLS}
    for method in METHODS:
        for protocol in ALL_PROTOCOLS:
            command = [sys.executable, __file__, "--model", options.model, "--scenes", str(options.scenes)]
            ran = subprocess.run([*command, "--one", protocol, method], check=True, stdout=subprocess.PIPE, text=True)
            found[protocol][method] = json.loads(ran.stdout)
            print(protocol, method, ran.stdout.strip(), flush=True)
    report = {"model": options.model, "scenes": options.scenes, "hw": HW, "threads": 1, "found": found,
              "machine": describe_machine()}  # fmt: skip
    if options.out:
        options.out.write_text(json.dumps(report, indent=1) + "\n")
    print(write_table(found))


if __name__ == "__main__":
    main()
