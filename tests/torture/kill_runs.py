"""Kills runs at random moments and resumes them: the final files equal those of an undisturbed run, byte for byte.

    python -m tests.torture.kill_runs --times 50

Each command is killed by SIGKILL, by SIGTERM and by SIGINT, some runs several times. With ``--full-disk`` (needs the
right to mount) it also runs out of space on a small file system, which then grows.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from PIL import Image

from densezero.output.formats import PICTURE_FORMATS
from densezero.pretrain.concepts import CONCEPTS
from densezero.pretrain.scenes import draw_scene
from densezero.vocabulary import ClassEntry, ClassList
from tests.jobs.photos import write_scenes
from tests.torture.forks import load_everything, run, start, tree, wait

SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
GO_ON = "interrupted; run the same command again to go on"
SAVE = ",".join(PICTURE_FORMATS)


def make_inputs(folder: Path, images: int) -> None:
    """Draw a folder of pictures, one of them broken, and a data set."""
    write_scenes(folder / "in", [f"{index}.png" for index in range(images)] + ["sub/x.jpg"])
    (folder / "in" / "broken.png").write_bytes(b"broken")
    for name in ("images", "labels"):
        (folder / "data" / name).mkdir(parents=True)
    classes = ClassList("scenes", tuple(ClassEntry(concept.name) for concept in CONCEPTS))
    (folder / "data" / "classes.json").write_text(classes.to_json())
    for index in range(images):
        scene = draw_scene((12, index), (56, 70))
        Image.fromarray(scene.rgb).save(folder / "data" / "images" / f"{index}.png")
        Image.fromarray(scene.labels).save(folder / "data" / "labels" / f"{index}.png")


def commands(folder: Path, out: Path) -> dict[str, list[str]]:
    """The command lines by name; each writes into ``out``."""
    words = ("--classes", "sky, grass, sea", "--short-side", "56", "--save", SAVE)
    of_folder = (str(folder / "in"), "--model", "nano", "--device", "cpu", "--out", str(out))
    of_data = ("--root", str(folder / "data"), "--model", "nano", "--device", "cpu", "--out", str(out / "r.json"))
    return {
        "segment": ["segment", *of_folder, *words],
        "pca": ["pca", *of_folder, "--grid", "8", "--show", "pca,kmeans"],
        "evaluate": ["evaluate", "folder", *of_data],
    }


def kill_and_resume(folder: Path, name: str, number: int, chance: random.Random, whole: dict[str, bytes]) -> list[int]:
    """Kill a run, perhaps several times, and resume it; give the exit statuses.

    Raises:
        AssertionError: if anything differs from the undisturbed run.
    """
    out, log = folder / "out", folder / "log"
    shutil.rmtree(out, ignore_errors=True)
    log.unlink(missing_ok=True)
    out.mkdir()
    words, codes = commands(folder, out)[name], []
    for _ in range(chance.choice((1, 1, 2, 3))):
        child = start(words, log)
        time.sleep(chance.random() * SPAN[name])
        os.kill(child, number)  # not yet waited for, so the number is still this child's
        codes.append(wait(child))
        said = log.read_text(errors="replace")
        assert codes[-1] in (0, 1, 130, -number), f"{name} ended with {codes[-1]}:\n{said[-2000:]}"
        assert codes[-1] != 130 or GO_ON in said, said[-2000:]
    codes.append(run(words, log))
    assert "Traceback" not in log.read_text(errors="replace"), log.read_text(errors="replace")[-2000:]
    found = tree(out)
    differing = sorted(key for key in {*found, *whole} if found.get(key) != whole.get(key))
    assert not differing, f"{name}: {len(differing)} files differ after {codes}: {differing[:5]}"
    return codes


SPAN: dict[str, float] = {}
"""Seconds that an undisturbed run of each command takes."""


def undisturbed(folder: Path, name: str) -> dict[str, bytes]:
    """Run a command to its end, note its time, and give its files."""
    out = folder / f"whole-{name}"
    out.mkdir()
    began = time.monotonic()
    code = run(commands(folder, out)[name], folder / "log")
    SPAN[name] = time.monotonic() - began
    assert code in (0, 1), (folder / "log").read_text(errors="replace")
    return tree(out)


def fill_disk(folder: Path, name: str, whole: dict[str, bytes]) -> None:
    """Run on a file system that is too small, let it grow, and go on.

    Raises:
        AssertionError: if the run does not stop with a sentence, or the files differ afterwards.
        PermissionError: if nothing can be mounted here.
    """
    out, log = folder / "small", folder / "log"
    out.mkdir(exist_ok=True)
    size = max(16, sum(map(len, whole.values())) // 3 // 1024)
    if subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}k", "tmpfs", out], capture_output=True).returncode:
        raise PermissionError("no right to mount")
    try:
        log.unlink(missing_ok=True)
        code = run(commands(folder, out)[name], log)
        said = log.read_text(errors="replace")
        assert code in (1, 2), said
        assert "no space is left" in said, said
        assert "Traceback" not in said, said
        assert not list(out.rglob("*.part"))
        subprocess.run(["mount", "-o", "remount,size=64m", out], check=True)
        run(commands(folder, out)[name], log)
        found = tree(out)
        assert found == whole, [key for key in {*found, *whole} if found.get(key) != whole.get(key)][:5]
    finally:
        subprocess.run(["umount", out], check=True)


def main() -> None:
    """Kill and resume every command; say how the runs ended."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--times", type=int, default=50, help="of each command and signal")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--images", type=int, default=24)
    parser.add_argument("--full-disk", action="store_true", help="also run out of space; needs the right to mount")
    asked = parser.parse_args()
    load_everything()
    chance = random.Random(asked.seed)
    with tempfile.TemporaryDirectory(prefix="densezero-kills-") as name:
        folder = Path(name)
        make_inputs(folder, asked.images)
        for command in commands(folder, folder):
            whole = undisturbed(folder, command)
            for number in SIGNALS:
                ends = Counter[int]()
                for _ in range(asked.times):
                    ends.update(kill_and_resume(folder, command, number, chance, whole)[:-1])
                print(f"{command}: {asked.times} runs with {number.name}, equal; ends {dict(ends)}", flush=True)
            if asked.full_disk:
                fill_disk(folder, command, whole)
                print(f"{command}: a full disk, equal", flush=True)


if __name__ == "__main__":
    sys.exit(main())
