"""Memory and time of a training step with head-only and with full EMA: ``python benchmarks/pretrain/ema_cost.py``.

Each measurement is a process of its own, because the peak of a process's memory never falls. The two take turns. One
batch of drawn scenes is made beforehand, so that the step alone is timed: contrast and iBOT++, random weights.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from units import BATCH, HEAD, MODEL, SIDE_PX

from densezero.encoders.device import pick_device
from densezero.encoders.tips.tokenizer import Tokenizer
from densezero.pretrain.data.open import open_source, write_tokenizer
from densezero.pretrain.settings import PretrainSettings
from densezero.pretrain.teacher import EMA_CHOICES
from densezero.pretrain.trainer import Trainer

sys.path.insert(0, str(Path(__file__).parent.parent))
from machine import describe_machine

SIZES: dict[str, dict[str, Any]] = {
    "small": {"model": MODEL, "teacher": HEAD},
    "ViT-B/14": {"model": {"width": 768, "depth": 12, "heads": 12, "text_depth": 12}, "teacher": {"prototypes": 8192}},
}
WARM_UP = 3


class OneBatch:
    """Gives the same batch at every step."""

    def __init__(self, batch: Any) -> None:
        self.batch = batch

    def at(self, *_: int) -> Any:
        """Give the batch."""
        return self.batch


def measure(size: str, ema: str, chosen: argparse.Namespace) -> dict[str, float]:
    """Give the median seconds of a step, the peak memory and the memory of the copies, both in MB."""
    sizes = SIZES[size]
    settings = PretrainSettings.from_dict(
        {
            "model": sizes["model"],
            "losses": {"dino": 0.0},
            "teacher": {**sizes["teacher"], "ema": ema},
            "data": {"scenes": chosen.batch},
            "phases": [{"side_px": chosen.side, "batch": chosen.batch, "steps": WARM_UP + chosen.steps}],
            "dtype": chosen.dtype,
        }
    )
    source = open_source(settings.data, chosen.work)
    tokenizer = write_tokenizer(settings.data, source, chosen.work, keep=True)
    trainer = Trainer(settings, source, Tokenizer(tokenizer), chosen.work / "run", chosen.device)
    trainer.batches = [OneBatch(trainer.batches[0].at(0))]  # type: ignore[list-item]
    on_gpu = trainer.device.type == "cuda"
    times = []
    for _ in range(WARM_UP + chosen.steps):
        began = time.perf_counter()
        trainer.train_step()
        if on_gpu:
            torch.cuda.synchronize()
        times.append(time.perf_counter() - began)
        trainer.step += 1
    peak = torch.cuda.max_memory_allocated() if on_gpu else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    copied = trainer.selves.teacher.copied_bytes
    return {"seconds": statistics.median(times[WARM_UP:]), "peak": peak / 1e6, "copied": copied / 1e6}


def main() -> None:
    """Measure both in turns, and print a row for each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", choices=SIZES, default="small")
    parser.add_argument("--side", type=int, default=SIDE_PX)
    parser.add_argument("--batch", type=int, default=BATCH)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--dtype", default="float32")
    parser.add_argument("--work", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--ema", choices=EMA_CHOICES, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.ema:
        print(json.dumps(measure(chosen.size, chosen.ema, chosen)))
        return
    found: dict[str, list[dict[str, float]]] = {ema: [] for ema in EMA_CHOICES}
    with tempfile.TemporaryDirectory() as work:
        for _ in range(chosen.rounds):
            for ema, results in found.items():
                command = [sys.executable, __file__, *sys.argv[1:], "--ema", ema, "--work", work]
                ran = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
                results.append(json.loads(ran.stdout))
    device = pick_device(chosen.device)
    print(describe_machine(), torch.cuda.get_device_name(device) if device.type == "cuda" else device, chosen.dtype)
    print(f"| {chosen.size}, {chosen.batch} images of {chosen.side} px | s a step | peak, MB | copies, MB |")
    print("|---|---:|---:|---:|")
    for ema, results in found.items():
        seconds, peak, copied = (statistics.median(one[name] for one in results) for name in results[0])
        print(f"| {ema} | {seconds:.3f} | {peak:,.0f} | {copied:,.1f} |")


if __name__ == "__main__":
    main()
