"""Peak memory of ``densezero segment`` with a random-weight ViT-B/14: ``python benchmarks/peak_memory.py``.

Weights do not change what memory is needed, so random ones in the published layout stand in for the real ones.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from machine import describe_machine
from PIL import Image
from random_model import write_random_model

from densezero.encoders.tips import PUBLISHED_SIZES
from densezero.pretrain.scenes import draw_scene

PROTOCOLS = ("tips-slide", "tips-simple", "ovss")


def measure(command: list[str]) -> float:
    """Run a command and give its peak resident memory in GB."""
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1e6


def main() -> None:
    """Measure one protocol (in a process of its own, since the peak of children never falls), or all of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", default="B", choices=sorted(PUBLISHED_SIZES))
    parser.add_argument("--hw", type=int, nargs=2, default=(3000, 4000))
    parser.add_argument("--vocabulary", default="ade20k")
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--one", nargs=2, metavar=("FOLDER", "PROTOCOL"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        folder, protocol = Path(options.one[0]), options.one[1]
        words = ["--vocabulary", options.vocabulary, "--templates", "plain", "--protocol", protocol]
        place = ["--model", str(folder / "model"), "--out", str(folder / protocol), "--dtype", options.dtype]
        program = [sys.executable, "-m", "densezero", "segment", str(folder / "photo.jpg")]
        print(measure([*program, *words, *place]))
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_random_model(folder / "model", options.size)
        picture = draw_scene(0, (options.hw[0] // 4, options.hw[1] // 4)).rgb
        Image.fromarray(picture).resize((options.hw[1], options.hw[0])).save(folder / "photo.jpg", quality=90)
        peaks = {}
        for protocol in PROTOCOLS:
            again = [sys.executable, __file__, "--one", str(folder), protocol, "--vocabulary", options.vocabulary]
            fresh = {**os.environ, "DENSEZERO_CACHE": str(folder / f"cache-{protocol}")}  # the text bank is made anew
            command = [*again, "--dtype", options.dtype]
            done = subprocess.run(command, check=True, capture_output=True, text=True, env=fresh)
            with Image.open(folder / protocol / "labels" / "photo.png") as labels:
                assert np.array(labels).shape == tuple(options.hw)
            peaks[protocol] = round(float(done.stdout), 2)
    about = {"size": options.size, "hw": options.hw, "vocabulary": options.vocabulary, "dtype": options.dtype}
    print(json.dumps({**about, "peak_gb": peaks, "machine": describe_machine()}, indent=1))


if __name__ == "__main__":
    main()
