"""Trains and measures one unit of the ablation: ``python benchmarks/pretrain/run.py ibot++ --seed 0 --work DIR``.

Writes ``results/UNIT-SEED.csv``, the log of the training, and ``results/UNIT-SEED.json``, what was measured. A unit
that is measured already is left alone; a stopped one goes on. ``--work`` keeps the drawn scenes, which all units share.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import torch
from units import SCENES, SIDE_PX, STEPS, UNITS, settings_of

import densezero
from densezero.encoders.tips.tokenizer import Tokenizer
from densezero.engine import PROTOCOLS, Segmenter
from densezero.metrics import count_pairs, iou_scores
from densezero.pretrain.concepts import CONCEPTS
from densezero.pretrain.data.open import open_source, write_tokenizer
from densezero.pretrain.export import export_model
from densezero.pretrain.held_out import held_out_scene
from densezero.pretrain.scenes import Scene, draw_scene
from densezero.pretrain.trainer import Trainer

sys.path.insert(0, str(Path(__file__).parent.parent))
from machine import describe_machine

UNSEEN_STREAM = 2  # as in nano_miou.py; the training scenes are of stream 1, held-out ones of stream 3
SCENE_PX = 224
RESULTS = Path(__file__).parent / "results"


def measure(model: Path, scenes: int, device: str) -> dict[str, float]:
    """Give mIoU, percent, on unseen scenes and on held-out combinations, by both read-outs."""
    encoder = densezero.load_encoder(str(model), device=device, dtype="float32")
    names = [concept.name for concept in CONCEPTS]
    found = {}
    for kind in ("unseen", "held-out"):
        drawn = [draw(kind, index) for index in range(scenes)]
        for readout in ("value", "patch"):
            protocol = replace(PROTOCOLS["tips-simple"], name="ablation", short_side_px=SIDE_PX, readout=readout)
            segmenter = Segmenter(encoder, names, protocol)
            confusion = np.zeros((len(names), len(names)), np.int64)
            for scene in drawn:
                confusion += count_pairs(segmenter.segment(scene.rgb).labels, scene.labels, classes=len(names))
            found[f"{kind}, {readout}"] = round(float(iou_scores(confusion).miou), 2)
    return found


def draw(kind: str, index: int) -> Scene:
    """Draw a scene to measure on."""
    hw = (SCENE_PX, SCENE_PX)
    return held_out_scene(index, hw) if kind == "held-out" else draw_scene((UNSEEN_STREAM, index), hw)


def main() -> None:
    """Train, measure, and write both files."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("unit", choices=UNITS)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--scenes", type=int, default=200, help="scenes of each kind to measure on")
    parser.add_argument("--drawn", type=int, default=SCENES, help="training scenes")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--frozen", default="", help="checkpoint of the teacher, for the units that distil")
    chosen = parser.parse_args()
    name = f"{chosen.unit}-{chosen.seed}"
    result = chosen.out / f"{name}.json"
    if result.exists():
        return
    settings = settings_of(chosen.unit, chosen.seed, chosen.steps, chosen.frozen, chosen.drawn)
    source = open_source(settings.data, chosen.work)
    tokenizer_file = write_tokenizer(settings.data, source, chosen.work, keep=True)
    folder = chosen.work / name
    trainer = Trainer(settings, source, Tokenizer(tokenizer_file), folder, chosen.device)
    began = time.perf_counter()
    trainer.run(lambda moment: print(f"{name} {moment.step}/{moment.steps} loss {moment.loss:.3f}", flush=True))
    seconds = time.perf_counter() - began
    temperature = float(trainer.student.temperature.detach())
    export_model(folder / "model", trainer.student.vision, trainer.student.text, temperature, tokenizer_file)
    report = {
        "unit": chosen.unit,
        "seed": chosen.seed,
        "miou": measure(folder / "model", chosen.scenes, chosen.device),
        "scenes": chosen.scenes,
        "seconds_of_training": round(seconds, 1),
        "copied_megabytes": round(trainer.selves.teacher.copied_bytes / 1e6, 2),
        "settings": asdict(settings) | {"teacher": {**asdict(settings.teacher), "frozen": bool(chosen.frozen)}},
        "machine": {**describe_machine(), "device": device_name(trainer.device)},
    }
    chosen.out.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(trainer.log.file, chosen.out / f"{name}.csv")
    result.write_text(json.dumps(report, indent=1) + "\n")
    print(json.dumps(report["miou"]))


def device_name(device: torch.device) -> str:
    """Name the device that trained."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else str(device)


if __name__ == "__main__":
    main()
