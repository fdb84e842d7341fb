"""Time from the start of a process to the first mask, against torch alone: ``python benchmarks/cold_start.py``.

Every case is a process of its own, with files in the page cache and modules compiled to bytecode; the cases take turns,
so that a busy machine is as busy for all of them.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from importlib import resources
from pathlib import Path
from statistics import median
from typing import NamedTuple

from machine import describe_machine
from peak_memory import write_random_model

SCENE = Path(__file__).parent.parent / "assets" / "scenes" / "lake.jpg"
NANO = Path(str(resources.files("densezero.encoders") / "nano"))

# The same tower, weights and numeric type as `segment` takes, and nothing else: no words, no files, no command line.
FORWARD = """
import json, sys
from pathlib import Path
import torch
from densezero.encoders.device import pick_device, pick_dtype
from densezero.encoders.tips import VisionTower
from densezero.encoders.tips.checkpoint import open_tensors
from densezero.encoders.tips.layout import read_vision_config
from densezero.encoders.tips.read_weights import TowerSource, read_weights

folder = Path(sys.argv[1])
tensors = open_tensors(folder / "model.safetensors")
heads = json.loads((folder / "config.json").read_text())["vision_heads"]
config = read_vision_config(tensors.shapes_under("vision_encoder."), tensors.file, heads)
device = pick_device()
with torch.device("meta"):
    tower = VisionTower(config).to(pick_dtype("auto", device)).requires_grad_(False)
read_weights(tower, TowerSource(tensors, "vision_encoder."), device)
with torch.inference_mode():
    tower.eval()(torch.rand(1, 3, 448, 644, device=device)).grid.float().cpu()
"""


class Case(NamedTuple):
    """A command, and the cache folder that it starts with; None empties the cache before each start."""

    command: list[str]
    cache: Path | None


class Seconds(NamedTuple):
    """Wall time of a process, and the processor time of all its threads."""

    wall: float
    processor: float


def list_cases(folder: Path, model: Path | None) -> dict[str, Case]:
    """The cases by name; all of them work on the same picture and the same weights."""
    program, filled = [sys.executable, "-m", "densezero"], folder / "filled"
    words = ["--classes", "sky, grass, cat", "--model", str(model or "nano"), "--overwrite"]
    segment = [*program, "segment", str(SCENE), *words, "--out", str(folder / "out")]
    return {
        "import torch": Case([sys.executable, "-c", "import torch"], filled),
        "import torch, one forward pass": Case([sys.executable, "-c", FORWARD, str(model or NANO)], filled),
        "segment, text cache empty": Case(segment, None),
        "segment, text cache filled": Case(segment, filled),
        "--help": Case([*program, "--help"], filled),
    }


def run_once(case: Case) -> Seconds:
    """Run a case in a process of its own."""
    with tempfile.TemporaryDirectory() as empty:
        environment = {**os.environ, "DENSEZERO_CACHE": str(case.cache or empty)}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)  # an installed package is compiled
        before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        subprocess.run(case.command, check=True, env=environment, capture_output=True)
        wall, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    return Seconds(wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def measure(cases: dict[str, Case], repeats: int) -> dict[str, list[Seconds]]:
    """Run all cases in turn, so many times; the first round only warms up."""
    rounds = [{name: run_once(case) for name, case in cases.items()} for _ in range(repeats + 1)]
    return {name: [turn[name] for turn in rounds[1:]] for name in cases}


def summarise(seconds: dict[str, list[Seconds]]) -> dict[str, object]:
    """Medians of each case, and the ratios of `segment` to the bare forward pass."""
    wall = {name: median(one.wall for one in turns) for name, turns in seconds.items()}
    processor = {name: median(one.processor for one in turns) for name, turns in seconds.items()}
    bare, segments = "import torch, one forward pass", [name for name in seconds if name.startswith("segment")]
    return {
        "median_seconds": {name: round(value, 3) for name, value in wall.items()},
        "median_processor_seconds": {name: round(value, 3) for name, value in processor.items()},
        "ratio": {name: round(wall[name] / wall[bare], 3) for name in segments},
        "processor_ratio": {name: round(processor[name] / processor[bare], 3) for name in segments},
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--size", help="a published size (B, L ...) with random weights in place of nano")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model = folder / "model" if options.size else None
        if model is not None:
            write_random_model(model, options.size)
        seconds = measure(list_cases(folder, model), options.repeats)
    about = {"model": f"random {options.size}" if options.size else "nano", "repeats": options.repeats}
    print(json.dumps({**about, **summarise(seconds), "machine": describe_machine()}, indent=1))


if __name__ == "__main__":
    main()
