"""Times ``densezero gallery`` and its page in Chromium, for many images: ``python benchmarks/gallery_page.py``.

It draws a result folder: photographs and overlays are hard links to a few drawn scenes, the shares are random. Then it
makes the page, opens it as ``file://`` in headless Chromium, and prints how long the first screen takes until every
thumbnail on it is painted, how long scrolling and filters take, and the size of what was written.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
from machine import describe_machine
from PIL import Image
from playwright.sync_api import Page, sync_playwright

from densezero.jobs.manifest import DONE, FAILED, Earlier, ImageEntry, Manifest
from densezero.jobs.places import OutputFolder
from densezero.jobs.result_page import THUMBNAILS, make_gallery
from densezero.output.classes_json import CLASSES, encode_classes_json
from densezero.output.overlay import encode_overlay
from densezero.pretrain.scenes import draw_scene
from densezero.vocabulary import ClassList, load_class_list

PAINTED = (
    """new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(() => resolve(performance.now()))))"""
)
ALL_THERE = """() => { const all = Array.from(document.querySelectorAll(".card img"));
  return all.length > 0 && all.every((image) => image.complete && image.naturalWidth > 0); }"""
SCROLL = """async () => { const steps = []; let before = performance.now();
  for (let step = 0; step < 60; step++) { window.scrollBy(0, 400);
    await new Promise(requestAnimationFrame);
    const now = performance.now(); steps.push(now - before); before = now; }
  return steps; }"""
JUMP = """() => window.scrollTo(0, document.body.scrollHeight / 2)"""


def draw_folder(place: Path, count: int, scenes: int, hw: tuple[int, int]) -> Path:
    """Draw a result folder of ``segment`` with ``count`` images, every hundredth of which failed."""
    classes = load_class_list("ade20k")
    drawn = [_draw_scene(place / "drawn", number, hw, classes) for number in range(min(scenes, count))]
    photographs, out = place / "photographs", OutputFolder(place / "masks")
    for folder in (photographs, out.path("overlays")):
        folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    manifest = Manifest(out, {"protocol": {"name": "tips-slide"}, "encoder": "drawn"})
    out.path(CLASSES).write_bytes(encode_classes_json(classes))
    manifest.start(Earlier(), [CLASSES])
    for number in range(count):
        name = f"scene-{number:05}.jpg"
        photograph, overlay = drawn[number % len(drawn)]
        os.link(photograph, photographs / name)
        if number % 100 == 99:
            error = f"{photographs / name}: expected a whole JPEG image, but it is cut short"
            manifest.add(ImageEntry(name, FAILED, str(photographs / name), "", error=error))
            continue
        os.link(overlay, out.path("overlays") / name)
        indices = rng.choice(len(classes), rng.integers(3, 20), replace=False)
        pixels = {int(index): int(rng.integers(1, 50_000)) for index in sorted(indices)}
        source, outputs = str(photographs / name), (f"overlays/{name}",)
        confidence = round(float(rng.random()), 6)
        entry = ImageEntry(name, DONE, source, "", f"{number:064x}", outputs, hw, pixels, confidence=confidence)
        manifest.add(entry)
    manifest.finish({})
    return out.root


def _draw_scene(folder: Path, number: int, hw: tuple[int, int], classes: ClassList) -> tuple[Path, Path]:
    folder.mkdir(exist_ok=True, parents=True)
    scene = draw_scene((7, number), hw)
    photograph, overlay = folder / f"{number}.jpg", folder / f"{number}-overlay.jpg"
    Image.fromarray(scene.rgb).save(photograph, quality=92)
    overlay.write_bytes(encode_overlay(scene.rgb, scene.labels.astype(np.uint8), classes))
    return photograph, overlay


def measure(page: Page, address: str) -> dict[str, float]:
    """Measure one visit of the page, in milliseconds."""
    page.goto(address)
    _wait(page)
    values = {"first screen": page.evaluate(PAINTED)}
    began = time.perf_counter()
    page.evaluate(JUMP)
    _wait(page)
    page.evaluate(PAINTED)
    values["jump to the middle"] = 1000 * (time.perf_counter() - began)
    steps = page.evaluate(SCROLL)
    values["scrolling, median step"] = statistics.median(steps)
    values["scrolling, longest step"] = max(steps)
    filtered = (
        "() => { const began = performance.now(); {}; document.body.offsetHeight; return performance.now() - began; }"
    )
    values["filter by class"] = page.evaluate(filtered.replace("{}", "filterByClass(3)"))
    values["sort by share"] = page.evaluate(filtered.replace("{}", 'find("sort").value = "share"; choose()'))
    values["search"] = page.evaluate(filtered.replace("{}", 'find("search").value = "99"; choose()'))
    return values


def _wait(page: Page) -> None:
    """Wait until all thumbnails that exist are loaded; the page's policy forbids ``wait_for_function`` its ``eval``."""
    while not page.evaluate(ALL_THERE):
        page.wait_for_timeout(5)


def main() -> None:
    """Draw, write, open and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument("--scenes", type=int, default=48, help="different photographs among them")
    parser.add_argument("--hw", type=int, nargs=2, default=(512, 683))
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--keep", type=Path, help="a new folder for what is drawn, to look at afterwards")
    options = parser.parse_args()
    place = options.keep or Path(tempfile.mkdtemp())
    place.mkdir(parents=True, exist_ok=True)
    try:
        folder = draw_folder(place, options.images, options.scenes, tuple(options.hw))
        began = time.perf_counter()
        summary = make_gallery(folder)
        seconds = time.perf_counter() - began
        began = time.perf_counter()
        make_gallery(folder)
        sizes = [file.stat().st_size for file in (folder / THUMBNAILS).iterdir()]
        print(json.dumps(describe_machine()))
        print(f"{summary.done} thumbnails in {seconds:.1f} s, again in {time.perf_counter() - began:.1f} s")
        print(f"page {summary.out.stat().st_size / 1e6:.2f} MB, thumbnails {sum(sizes) / 1e6:.1f} MB")
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
            for _ in range(options.repeats):
                page = browser.new_page(viewport={"width": 1280, "height": 860})
                values = measure(page, summary.out.resolve().as_uri())
                print(", ".join(f"{name} {value:.0f} ms" for name, value in values.items()))
                page.close()
            browser.close()
    finally:
        if options.keep is None:
            shutil.rmtree(place)


if __name__ == "__main__":
    main()
