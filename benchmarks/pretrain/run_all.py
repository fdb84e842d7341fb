"""Trains and measures every unit of the ablation: ``python benchmarks/pretrain/run_all.py --work DIR``.

Units that are measured already are left alone, and stopped ones go on. ``--at-once`` trains several units side by
side, which pays on a GPU; ``--minutes`` first times a few steps of all of them, and chooses how many steps fit. To go
on with such a run, give the number of steps that it printed, as ``--steps``.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from run import RESULTS
from units import SCENES, SEEDS, STEPS, UNITS, settings_of

from densezero.pretrain.data.open import open_source, write_tokenizer

TIMED_STEPS, LEAST_STEPS = 120, 100
TEACHER = ("ibot++", 0)
DISTILLED = ("distil-random", "distil-teacher")


def start(unit: str, seed: int, chosen: argparse.Namespace, log: Path, **changes: object) -> subprocess.Popen[bytes]:
    """Start the training of a unit in a process of one thread."""
    options = {"seed": seed, "work": chosen.work, "out": chosen.out, "steps": chosen.steps, "scenes": chosen.scenes,
               "drawn": chosen.drawn, "device": chosen.device, **changes}  # fmt: skip
    words = [word for name, value in options.items() for word in (f"--{name}", str(value))]
    environment = {**os.environ, "OMP_NUM_THREADS": str(chosen.threads)}
    script = str(Path(__file__).parent / "run.py")
    with log.open("ab") as file:
        return subprocess.Popen([sys.executable, script, unit, *words], stdout=file, stderr=file, env=environment)


def run(units: Sequence[tuple[str, int]], chosen: argparse.Namespace, **changes: object) -> list[str]:
    """Train units, some at once; give the names of those that failed."""
    waiting, running, failed = list(units), {}, []
    while waiting or running:
        while waiting and len(running) < chosen.at_once:
            unit, seed = waiting.pop(0)
            log = chosen.work / f"{unit}-{seed}.log"
            running[f"{unit}-{seed}"] = start(unit, seed, chosen, log, **changes)
        time.sleep(0.2)
        for name, process in list(running.items()):
            if process.poll() is not None:
                del running[name]
                print(f"{name}: {'done' if process.returncode == 0 else 'failed'}", flush=True)
                failed += [name] if process.returncode else []
    return failed


def choose_steps(units: Sequence[tuple[str, int]], chosen: argparse.Namespace) -> int:
    """Time some steps of all units, and choose the number of steps of the slowest that fits."""
    timed = chosen.work / "timed"
    (timed / "work").mkdir(parents=True, exist_ok=True)
    for name in ("scenes", "tokenizer.model"):
        (timed / "work" / name).symlink_to((chosen.work / name).resolve())
    run(units, chosen, work=timed / "work", out=timed, steps=TIMED_STEPS, scenes=1)
    found = [re.findall(r'"seconds_of_training": ([0-9.]+)', file.read_text()) for file in timed.glob("*.json")]
    pace = max(float(one[0]) for one in found) / TIMED_STEPS
    steps = min(chosen.steps, max(LEAST_STEPS, int(chosen.minutes * 60 / pace) // 100 * 100))
    print(f"{pace:.3f} s a step with all at once; {steps} steps", flush=True)
    shutil.rmtree(timed)
    return steps


def main() -> None:
    """Draw the scenes, then train and measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--scenes", type=int, default=200)
    parser.add_argument("--drawn", type=int, default=SCENES)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--threads", type=int, default=2, help="of each process")
    parser.add_argument("--at-once", type=int, default=1)
    parser.add_argument("--minutes", type=float, help="time for the units that do not distil, all at once")
    chosen = parser.parse_args()
    units = [(unit, seed) for unit in UNITS if unit not in DISTILLED for seed in SEEDS.get(unit, (0,))]
    began = time.perf_counter()
    data = settings_of(*TEACHER, drawn=chosen.drawn).data
    write_tokenizer(data, open_source(data, chosen.work), chosen.work, keep=True)
    print(f"scenes: {time.perf_counter() - began:.0f} s", flush=True)
    if chosen.minutes:
        chosen.steps = choose_steps(units, chosen)
    failed = run(units, chosen)
    teacher = chosen.work / "-".join(map(str, TEACHER)) / "checkpoint.pt"
    failed += run([(unit, 0) for unit in DISTILLED], chosen, frozen=teacher)
    print(f"all: {time.perf_counter() - began:.0f} s", flush=True)
    if failed:
        sys.exit(f"Failed: {', '.join(failed)}; see the logs in {chosen.work}.")


if __name__ == "__main__":
    main()
