"""What safety costs: the time that a run waits for the device, and memory over thousands of images in all formats.

Run: ``python benchmarks/safety.py [--images 12] [--many 10000]``. The first part runs one folder with ViT-B/14 (random
weights) with and without ``fsync`` by turns; the second runs links to one small image in processes of their own.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from unittest import mock

from machine import describe_machine
from photographs import photograph
from PIL import Image
from random_model import write_random_model

from densezero.images.file_state import sha256_of
from densezero.jobs.segment import segment_images
from densezero.jobs.settings import SegmentSettings
from densezero.output.formats import PICTURE_FORMATS
from densezero.progress import Listener, Progress

HW, SMALL_HW, FEW = (512, 683), (48, 64), 200


class Clock(Listener):
    """Keeps how long the images have taken, loading of the model left out."""

    seconds = 0.0

    def image(self, progress: Progress, miou: float | None = None) -> None:  # noqa: ARG002
        """Keep the time since the first image was begun."""
        self.seconds = progress.seconds


def measure_syncs(work: Path, images: int) -> None:
    """Segment a folder with labels and overlays, with and without waiting for the device, by turns."""
    folder, model = work / "in", work / "model"
    folder.mkdir()
    for index in range(images):
        Image.fromarray(photograph(index, HW)).save(folder / f"{index}.jpg", quality=92)
    write_random_model(model, "B")
    spent, syncs, synced = {True: 0.0, False: 0.0}, 0, 0.0
    real = os.fsync

    def counted(number: int) -> None:
        nonlocal syncs, synced
        began = time.perf_counter()
        real(number)
        syncs, synced = syncs + 1, synced + time.perf_counter() - began

    for turn in range(4):
        waits = turn % 2 == 0
        clock = Clock()
        settings = SegmentSettings(
            (folder,), work / f"out{turn}", vocabulary="ade20k", model=str(model), templates="plain", dtype="float32",
            device="cpu",
        )  # fmt: skip
        with mock.patch("os.fsync", counted if waits else lambda _: None):
            segment_images(settings, clock)
        spent[waits] += clock.seconds
    began = time.perf_counter()
    for file in folder.iterdir():
        sha256_of(file)
    hashed = (time.perf_counter() - began) / images
    print(f"{images} photographs, ViT-B/14 float32: {spent[True] / 2 / images:.2f} s an image with fsync")
    print(f"without fsync {spent[False] / spent[True]:.3f} of that time; {syncs / 2 / images:.1f} syncs an image")
    print(f"inside fsync, in the writing thread: {synced / spent[True]:.4f} of the run; hashing {hashed * 1000:.1f} ms")


def measure_memory(work: Path, many: int) -> None:
    """Segment links to one small image with every format, few and many, and compare the peaks."""
    image = work / "small.jpg"
    Image.fromarray(photograph(0, SMALL_HW)).save(image)
    for count in (FEW, many):
        folder = work / f"links{count}"
        folder.mkdir()
        for index in range(count):
            os.link(image, folder / f"{index:06}.jpg")
        words = [sys.executable, __file__, "--folder", str(folder)]
        done = subprocess.run(words, capture_output=True, text=True, check=True)
        print(f"{count} images, {', '.join(PICTURE_FORMATS)}: peak {done.stdout.strip()} GB", flush=True)


def run_folder(folder: Path) -> None:
    """Segment one folder with every format, and print the peak memory in GB."""
    settings = SegmentSettings(
        (folder,), folder.with_name(f"{folder.name}-out"), vocabulary="voc21", model="nano", short_side_px=56,
        templates="plain", device="cpu", dtype="float32", save=PICTURE_FORMATS,
    )  # fmt: skip
    assert segment_images(settings).failed == 0
    status = Path("/proc/self/status").read_text()  # unlike ru_maxrss, it does not count what the parent held
    print(round(int(status.split("VmHWM:")[1].split()[0]) / 1e6, 3))


def main() -> None:
    """Measure both, and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=12)
    parser.add_argument("--many", type=int, default=10_000)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.folder:
        run_folder(asked.folder)
        return
    print(describe_machine())
    with tempfile.TemporaryDirectory() as name:
        if asked.images:
            measure_syncs(Path(name), asked.images)
        if asked.many:
            measure_memory(Path(name), asked.many)


if __name__ == "__main__":
    main()
