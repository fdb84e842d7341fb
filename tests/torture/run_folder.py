"""Runs segment, pca and features over the folder of ``make_folder``, and compares what became of every file.

python -m tests.torture.run_folder [--part 10] [--large]
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from densezero.output.formats import PICTURE_FORMATS
from tests.torture.make_folder import DONE, FAILED, PASSED_OVER, Made, make_folder

QUICK = ("--model", "nano", "--device", "cpu", "--keep-suffix", "--quiet")
WORDS = ("--classes", "sky, grass", "--short-side", "56", "--save", ",".join(PICTURE_FORMATS))
COMMANDS = {"segment": WORDS, "pca": ("--grid", "8"), "features": ("--grid", "8")}


def state(folder: Path) -> dict[str, str]:
    """Kind, time and content of everything below a folder, so that any change shows."""
    found = {}
    for top, folders, files in os.walk(os.fsencode(folder)):
        for name in (*folders, *files):
            path = Path(os.fsdecode(os.path.join(top, name)))
            status = path.lstat()
            content = ""
            if path.is_symlink():
                content = os.fspath(path.readlink())
            elif path.is_file() and status.st_size < 1 << 28 and os.access(path, os.R_OK):
                content = hashlib.sha256(path.read_bytes()).hexdigest()
            found[os.fspath(path)] = f"{status.st_mode} {status.st_mtime_ns} {status.st_size} {content}"
    return found


def run_over(folder: Path, out: Path, command: str, made: list[Made]) -> str:
    """Run a command over the folder, and compare.

    Raises:
        AssertionError: if a file had another fate or another reason, or anything outside ``out`` changed.
    """
    before, began = state(folder), time.monotonic()
    words = [sys.executable, "-m", "densezero", command, folder, *QUICK, *COMMANDS[command], "--out", out]
    done = subprocess.run(words, capture_output=True, timeout=1500, check=False)
    said = done.stderr.decode(errors="replace")
    assert "Traceback" not in said, said[-3000:]
    assert done.returncode == 1, f"{done.returncode}: {said[-3000:]}"
    assert state(folder) == before, "something in the input folder changed"
    manifest = json.loads((out / "run.json").read_bytes().decode("utf-8", "surrogateescape"))
    found = {os.fsencode(entry["relative"]): entry for entry in manifest["images"]}
    expected = {one.name: one for one in made if one.fate in (DONE, FAILED)}
    assert set(found) == set(expected), sorted(set(found) ^ set(expected))[:5]
    for name, one in expected.items():
        entry = found[name]
        assert entry["status"] == one.fate, f"{name!r}: {entry}"
        assert one.reason in (entry["error"] or ""), f"{name!r}: expected {one.reason!r}, got {entry['error']!r}"
        assert all((out / output).stat().st_size for output in entry["outputs"])
    passed_over = sum(one.fate == PASSED_OVER for one in made)
    assert sum(manifest["passed_over"].values()) == passed_over, manifest["passed_over"]
    counts = [sum(one.fate == fate for one in expected.values()) for fate in (DONE, FAILED)]
    assert [manifest["done"], manifest["failed"]] == counts
    seconds = time.monotonic() - began
    return f"{command}: {counts[0]} done, {counts[1]} failed, {passed_over} passed over, as expected; {seconds:.0f} s"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--part", type=int, default=1)
    parser.add_argument("--large", action="store_true")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="densezero-torture-") as name:
        folder = Path(name) / "in"
        made = make_folder(folder, asked.part, asked.large)
        for command in COMMANDS:
            print(run_over(folder, Path(name) / command, command, made), flush=True)


if __name__ == "__main__":
    sys.exit(main())
