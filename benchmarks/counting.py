"""Times the counting of label maps against scikit-learn and mmsegmentation: ``python benchmarks/counting.py``.

All on the same maps in one run, interleaved; medians in megapixels a second, and that the counts agree.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable

import numpy as np
import torch
from machine import describe_machine
from numpy.typing import NDArray
from sklearn.metrics import confusion_matrix

from densezero.errors import DenseZeroError
from densezero.integrations.mmseg import import_mmseg
from densezero.metrics import count_pairs

HW, CLASSES, ROUNDS = (1024, 2048), 150, 5


def draw_maps() -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Labels and a target of blocks, a third of whose rows disagree and a tenth of whose pixels are ignored."""
    random = np.random.default_rng(0)
    blocks = random.integers(0, CLASSES, (HW[0] // 16, HW[1] // 16))
    target = np.kron(blocks, np.ones((16, 16), np.int64)).astype(np.uint8)
    labels = target.copy()
    labels[::3] = random.integers(0, CLASSES, labels[::3].shape)
    target[random.random(HW) < 0.1] = 255
    return labels, target


def main() -> None:
    """Time every way of counting and print the result."""
    torch.set_num_threads(1)
    labels, target = draw_maps()
    kept = target != 255
    ways: dict[str, Callable[[], NDArray[np.integer]]] = {
        "densezero": lambda: count_pairs(labels, target, CLASSES),
        "scikit-learn": lambda: confusion_matrix(target[kept], labels[kept], labels=range(CLASSES)),
    }
    try:
        import_mmseg()
        from mmseg.evaluation import IoUMetric

        pair = torch.from_numpy(labels.astype(np.int64)), torch.from_numpy(target.astype(np.int64))
        ways["mmsegmentation"] = lambda: np.diag(
            IoUMetric.intersect_and_union(*pair, CLASSES, 255)[0].numpy().astype(int)
        )
    except DenseZeroError as error:
        print(f"without mmsegmentation: {error}")
    hits = {name: np.diag(count()) for name, count in ways.items()}
    assert all(np.array_equal(found, hits["densezero"]) for found in hits.values()), "the counts differ"
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, count in ways.items():
            began = time.perf_counter()
            count()
            seconds[name].append(time.perf_counter() - began)
    megapixels = HW[0] * HW[1] / 1e6
    rates = {name: round(megapixels / statistics.median(times), 1) for name, times in seconds.items()}
    print(json.dumps({"megapixels_per_s": rates, "classes": CLASSES, "machine": describe_machine()}, indent=1))


if __name__ == "__main__":
    main()
