"""What writing costs beside the model: ``python benchmarks/writing.py``, each format in percent of segmenting.

Photographs of 683 x 512 pixels, one thread, float32, ViT-B/14 with random weights, 150 classes, ``tips-slide``. Such
label maps have many small regions, which is hard on the formats with outlines. The second column takes label maps of
larger regions in their place: the argmax of enlarged noise, 12 classes.

Each format is written alone, so what two formats share counts twice. The last rows write all together. Times are means
over the pictures; segmenting and writing take turns.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import torch
from machine import describe_machine
from numpy.typing import NDArray
from photographs import photograph
from PIL import Image
from speed_parts.request import Request

from densezero.encoders.device import plain_torch
from densezero.engine.segmenter import Segmenter
from densezero.jobs.manifest import DONE, ImageEntry
from densezero.output.areas import class_pixels
from densezero.output.coco import coco_pieces
from densezero.output.formats import PICTURE_FORMATS
from densezero.output.image_files import ImageResult
from densezero.output.run_files import write_run_files
from densezero.output.writer import plan_outputs

HW, CLASSES, FEW_CLASSES = (512, 683), 150, 12
LARGE = ("scores",)
"""Formats that grow with the number of classes times the pixels. The last row leaves them out."""


def main() -> None:
    """Measure, and print a row for each format."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=4)
    parser.add_argument(
        "--formats", nargs="*", choices=PICTURE_FORMATS, default=list(PICTURE_FORMATS), metavar="FORMAT"
    )
    asked = parser.parse_args()
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    print(json.dumps({**describe_machine(), "threads": 1, "images": asked.images}))
    groups = [(name,) for name in asked.formats]
    groups += [tuple(asked.formats), tuple(name for name in asked.formats if name not in LARGE)]
    with tempfile.TemporaryDirectory() as name:
        spent, model_s, occurring = measure(Path(name), asked.images, groups)
    print(
        f"segmenting: {1000 * model_s:.0f} ms a picture; classes in a picture: {occurring[0]:.0f}, {occurring[1]:.0f}"
    )
    for group, seconds in zip(groups, spent, strict=True):
        title = group[0] if len(group) == 1 else "all" if len(group) == len(asked.formats) else f"all but {LARGE[0]}"
        percents = ", ".join(f"{1000 * each:.1f} ms = {100 * each / model_s:.1f} %" for each in seconds)
        print(f"{title:<24} {percents}", flush=True)


@plain_torch()
def measure(
    work: Path, count: int, groups: Sequence[tuple[str, ...]]
) -> tuple[list[tuple[float, float]], float, tuple[float, float]]:
    """Time every group of formats on both kinds of label maps.

    Returns:
        Seconds a picture of each group on both kinds; of segmenting; and the mean number of classes of both kinds.
    """
    request = Request(work, ("B",), "float32", repeats=0, images=0, links=0)
    encoder, vectors = request.encoder("B", "float32"), request.vectors("B", CLASSES)
    names = [f"class {index}" for index in range(CLASSES)]
    segmenter = Segmenter(encoder, names, "tips-slide", text_embeddings=vectors, keep_scores=True)
    kinds: list[list[ImageResult]] = [[], []]
    model_s = 0.0
    for index in range(count):
        rgb, source = photograph(index, HW), work / f"{index}.jpg"
        Image.fromarray(rgb).save(source, quality=92)
        segmenter.segment(rgb)
        began = time.process_time()
        found = segmenter.segment(rgb)
        model_s += (time.process_time() - began) / count
        for kind, labels in zip(kinds, (found.labels, blobs(index)), strict=True):
            confidence = np.full(HW, 0.5, np.float32)
            kind.append(ImageResult(rgb, labels, found.classes, found.scores(), confidence, source))
    spent = [(write(work, kinds[0], group), write(work, kinds[1], group)) for group in groups]
    return spent, model_s, (classes_in(kinds[0]), classes_in(kinds[1]))


def blobs(seed: int) -> NDArray[np.uint8]:
    """(H, W) labels of regions about 60 pixels wide."""
    noise = np.random.default_rng(seed).normal(size=(FEW_CLASSES, 9, 12)).astype(np.float32)
    planes = [cv2.resize(plane, HW[::-1], interpolation=cv2.INTER_CUBIC) for plane in noise]
    return np.argmax(planes, axis=0).astype(np.uint8)


def classes_in(results: Sequence[ImageResult]) -> float:
    """The mean number of classes that occur in a label map."""
    return float(np.mean([len(np.unique(result.labels)) for result in results]))


def write(work: Path, results: Sequence[ImageResult], formats: tuple[str, ...]) -> float:
    """Write pictures in these formats, with the files of the whole run, and give the seconds a picture."""
    names = [f"{index}.jpg" for index in range(len(results))]
    plan = plan_outputs(names, formats)
    with tempfile.TemporaryDirectory(dir=work) as out:

        def path_of(file: str) -> Path:
            path = Path(out, file)
            path.parent.mkdir(parents=True, exist_ok=True)
            return path

        began = time.process_time()
        entries = []
        for name, result in zip(names, results, strict=True):
            plan.write(name, result, path_of)
            pieces = coco_pieces(result.labels, CLASSES) if plan.has_masks else None
            files, pixels = tuple(plan.files(name).values()), class_pixels(result.labels, CLASSES)
            entries.append(ImageEntry(name, DONE, name, "", "", files, result.hw, pixels, pieces))
        write_run_files(plan, lambda: entries, results[0].classes, path_of)
        return (time.process_time() - began) / len(results)


if __name__ == "__main__":
    main()
