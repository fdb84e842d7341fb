"""Times ``densezero compare`` and ``table --interval`` as whole commands: ``python benchmarks/comparing.py``.

Reports of made-up counts, 18 of the classes in each image. Beside them, taking turns: a start of the command line that
does nothing (``densezero --version``), and the plain bootstrap of one report, which sums the counts of the drawn images
for each draw.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from machine import describe_machine
from numpy.typing import NDArray
from timing import Ways, interleave, medians

from densezero.evaluation.bootstrap import DRAWS, SEED, draw_miou
from densezero.evaluation.image_sums import ImageSums, sums_file
from densezero.evaluation.report import Report, score_counts, score_image

IN_AN_IMAGE = 18


def draw_report(images: int, classes: int, right: float, file: Path) -> ImageSums:
    """Write a report whose pixels are right with probability ``right``, and the counts beside it."""
    random = np.random.default_rng(0)
    names = [f"class {index}" for index in range(classes)]
    total = np.zeros((classes, classes), np.int64)
    dense = np.zeros((3, images, classes), np.int64)
    scores = []
    for image in range(images):
        labels = random.choice(classes, min(IN_AN_IMAGE, classes), replace=False)
        truth = random.integers(500, 20_000, len(labels))  # the same in every report: the seed is
        hits = np.round(truth * right).astype(np.int64)
        counts = np.zeros((classes, classes), np.int64)
        counts[labels, labels] = hits
        counts[labels, np.roll(labels, 1)] += truth - hits
        dense[:, image] = np.diag(counts), counts.sum(1), counts.sum(0)
        total += counts
        scores.append(score_image(f"image_{image:08}", counts))
    summed, per_class = score_counts(total, names)
    report = Report(
        dataset="made-up", model="made-up", protocol="tips-slide", images=images, scores=summed, per_class=per_class,
        confusion=total.tolist(), per_image=scores, request={"class_list": "made-up", "selection": {}}, machine={},
        seconds={},
    )  # fmt: skip
    file.write_bytes(report.to_bytes())
    sums = ImageSums(tuple(score.name for score in scores), *dense)
    sums_file(file).write_bytes(sums.to_bytes())
    return sums


def plain_bootstrap(sums: ImageSums) -> NDArray[np.float64]:
    """Draw mIoU again as ``draw_miou`` does, draw by draw."""
    random = np.random.default_rng(SEED)
    found = []
    for _ in range(DRAWS):
        taken = random.integers(len(sums.names), size=len(sums.names))
        hits, truth, predicted = (part[taken].sum(0) for part in (sums.hits, sums.truth, sums.predicted))
        union = truth + predicted - hits
        found.append(100 * (hits[union > 0] / union[union > 0]).mean())
    return np.array(found)


def main() -> None:
    """Draw the reports, time every way and print the medians in seconds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--classes", type=int, default=150)
    parser.add_argument("--repeats", type=int, default=3)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        first, second = Path(name) / "first.json", Path(name) / "second.json"
        sums = draw_report(chosen.images, chosen.classes, 0.62, first)
        draw_report(chosen.images, chosen.classes, 0.6, second)

        def command(*words: object) -> None:
            subprocess.run([sys.executable, "-m", "densezero", *map(str, words)], check=True, stdout=subprocess.DEVNULL)

        ways: Ways = {
            "start alone": lambda: command("--version"),
            "compare": lambda: command("compare", first, second),
            "table --interval": lambda: command("table", first, "--interval"),
            "bootstrap of one report, in the process": lambda: draw_miou(sums),
            "plain bootstrap of one report, in the process": lambda: plain_bootstrap(sums),
        }
        result = {
            "machine": describe_machine(),
            "images": chosen.images,
            "classes": chosen.classes,
            "kilobytes of counts": round(sums_file(first).stat().st_size / 1000),
            "largest difference from the plain bootstrap": float(np.abs(draw_miou(sums) - plain_bootstrap(sums)).max()),
            "seconds": {name: round(value, 2) for name, value in medians(interleave(ways, chosen.repeats)).items()},
        }
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
