"""Builds the wheel, and checks it away from the checkout: ``python tests/house/check_wheel.py``. Needs the network."""

import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
WORDS = "sky, mountain, grass, sea=water"


def run(*words, folder, packages=""):
    """Run Python with these words in a folder, with packages from one folder first; return what it prints."""
    environment = {**os.environ, "PYTHONPATH": str(packages)}
    done = subprocess.run(
        [sys.executable, *map(str, words)], cwd=folder, env=environment, stdout=subprocess.PIPE, text=True
    )
    if done.returncode:
        sys.exit(f"Expected status 0 from `python {' '.join(map(str, words))}`; got {done.returncode}.")
    return done.stdout.strip()


def check_content(wheel):
    """The wheel holds every file of the package, the licence, and nothing else."""
    source = {file.relative_to(ROOT).as_posix() for file in (ROOT / "densezero").rglob("*") if file.is_file()}
    expected = {name for name in source if "__pycache__" not in name}
    names = set(zipfile.ZipFile(wheel).namelist())
    about = {name for name in names if name.split("/")[0].endswith(".dist-info")}
    assert names - about == expected, f"differs from the checkout: {sorted((names - about) ^ expected)}"
    assert any(name.endswith("/licenses/LICENSE") for name in about), f"no licence among {sorted(about)}"


def check_command(scratch, installed):
    """The installed package runs, and segments a scene with the embedded model."""
    place = run("-c", "import densezero; print(densezero.__file__)", folder=scratch, packages=installed)
    assert Path(place) == installed / "densezero" / "__init__.py", f"another densezero was imported: {place}"
    version = run("-m", "densezero", "--version", folder=scratch, packages=installed)
    assert version.startswith("densezero "), version
    scene = ["segment", ROOT / "assets" / "scenes" / "lake.jpg", "--classes", WORDS, "--model", "nano", "--out", "out"]
    run("-m", "densezero", *scene, folder=scratch, packages=installed)
    assert (scratch / "out" / "labels" / "lake.png").is_file(), "no label map was written"


def main():
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name).resolve()
        run("-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", scratch, ROOT, folder=scratch)
        (wheel,) = scratch.glob("*.whl")
        check_content(wheel)
        installed = scratch / "installed"
        run("-m", "pip", "install", "--quiet", "--no-deps", "--target", installed, wheel, folder=scratch)
        check_command(scratch, installed)


if __name__ == "__main__":
    main()
