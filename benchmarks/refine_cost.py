"""What refinement costs beside the encoder: ``python benchmarks/refine_cost.py``.

One picture of 448 x 448 pixels, one thread, float32, ViT-B/14 with random weights. Everything takes turns in one run; a
share is the median over the rounds, of a time divided by the encoder's time in the same round.

``function`` is ``grid_solve`` or ``pamr`` alone, from (C, H, W) to (C, H, W). ``picture`` is what the refinement adds
to the time from features to labels in a ``Segmenter`` with ``tips-simple``. There the grid needs no scores of the size
of the picture.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch
from machine import describe_machine
from photographs import photograph
from speed_parts.after import RecordedEncoder
from speed_parts.request import Request, segmenter_with
from timing import Ways, interleave, medians

from densezero.encoders.device import plain_torch, upload_pixels
from densezero.engine import find_protocol
from densezero.engine.presets import REFINEMENTS
from densezero.engine.refine import grid_solve, pamr
from densezero.engine.segmenter import Prepared, Segmenter

SIDE_PX, CLASSES = 448, (21, 150)
MOST_PERCENT = {("grid", 21): 3, ("grid", 150): 10, ("pamr", 21): 30}  # of the encoder; PAMR grows with the classes


def main() -> None:
    """Measure, and print a row for each method and number of classes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=9, help="rounds; the medians are printed")
    repeats = parser.parse_args().repeats
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as work:
        os.environ["DENSEZERO_CACHE"] = work
        seconds = interleave(ways_to_time(Path(work)), repeats)
    print(json.dumps({**describe_machine(), "threads": 1, "repeats": repeats, "load": os.getloadavg()[0]}))
    print(f"encoder: {1000 * medians(seconds)['encoder']:.0f} ms")
    for method in ("grid", "pamr"):
        for classes in CLASSES:
            function = percent_of_encoder(seconds, f"{method} {classes}")
            picture = percent_of_encoder(seconds, f"labels {method} {classes}", f"labels none {classes}")
            most = MOST_PERCENT.get((method, classes))
            target = f", target {most} %" if most else ""
            print(f"{method} at {classes} classes: function {function:.1f} %, picture {picture:.1f} %{target}")


@plain_torch()
def ways_to_time(work: Path) -> Ways:
    """Give the encoder's pass, the functions and the ways to labels, by name."""
    request = Request(work, ("B",), "float32", repeats=0, images=0, links=0)
    encoder = RecordedEncoder(request.encoder("B", "float32"))
    prepared = Prepared((SIDE_PX, SIDE_PX), photograph(0, (SIDE_PX, SIDE_PX)))
    pixels = upload_pixels(prepared.resized, torch.device("cpu"))  # (1, 3, h, w)
    encoder.encode_dense(pixels)
    encoder.replays = True
    ways: Ways = {"encoder": partial(encoder.encode_again, "value")}
    simple = find_protocol("tips-simple")
    for classes in CLASSES:
        text = request.vectors("B", classes)  # (C, D)
        for method, refine in REFINEMENTS.items():
            segmenter = segmenter_with(encoder, text, replace(simple, refine=refine))
            ways[f"labels {method} {classes}"] = label_with(segmenter, prepared)
        scores = segmenter_with(encoder, text, simple).score([prepared])[0].scores.compute_all((SIDE_PX, SIDE_PX))
        planes = scores.permute(2, 0, 1).contiguous()  # (C, H, W)
        ways[f"grid {classes}"] = partial(grid_solve, pixels[0], planes, text)
        ways[f"pamr {classes}"] = partial(pamr, pixels[0], planes)
    return ways


def label_with(segmenter: Segmenter, prepared: Prepared) -> Callable[[], object]:
    """Give the way from the recorded features of a picture to its labels."""
    return lambda: segmenter.label(segmenter.score([prepared])[0])


def percent_of_encoder(seconds: dict[str, list[float]], way: str, without: str | None = None) -> float:
    """Give the median share of a way in percent of the encoder, less the time of another way in the same round."""
    less = seconds[without] if without else [0.0] * len(seconds[way])
    rounds = zip(seconds[way], less, seconds["encoder"], strict=True)
    return 100 * statistics.median((time - base) / encoder for time, base, encoder in rounds)


if __name__ == "__main__":
    main()
