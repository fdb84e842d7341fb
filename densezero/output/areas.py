"""Areas: how many pixels of each image belong to which class, and one table of them for the run."""

import csv
import io
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from densezero.output.atomic import write_atomically
from densezero.output.labels import check_labels
from densezero.vocabulary.classes import ClassList

_STRIP_PIXELS = 1 << 20


def class_pixels(labels: NDArray[np.integer], n_classes: int) -> dict[int, int]:
    """Count the pixels of each class that occurs.

    Args:
        labels: (H, W) class indices in 0..C-1; the ignore value counts for no class.
        n_classes: C, the number of classes.

    Returns:
        Class index to pixel count, in the order of the index, without the classes that are absent.

    Raises:
        OutputError: the labels do not belong to that many classes.

    Example:
        >>> class_pixels(np.array([[0, 2], [2, 255]], dtype=np.uint8), 3)
        {0: 1, 2: 2}
    """
    check_labels(labels, n_classes)
    rows = max(1, _STRIP_PIXELS // labels.shape[1])
    counts = np.zeros(n_classes, dtype=np.int64)
    for top in range(0, labels.shape[0], rows):  # bincount widens its input to 8 bytes a pixel
        counts += np.bincount(labels[top : top + rows].ravel(), minlength=n_classes)[:n_classes]
    return {int(index): int(counts[index]) for index in np.flatnonzero(counts)}


def write_areas_csv(path: Path, rows: Iterable[tuple[str, Mapping[int, int]]], classes: ClassList) -> None:
    """Write the areas of a whole run as one CSV, whole or not at all.

    It is made anew from all that is known of the run, so a resumed run gives the same table as an unbroken one.
    Columns: ``image, class_index, class, pixels, share``; ``share`` is in 0..1 of the image's classified pixels.

    Args:
        path: the file to write or to replace.
        rows: each image's name and its pixels by class index, as ``class_pixels`` counts them.
        classes: the classes that the indices belong to.

    Raises:
        OutputError: the file cannot be written.
    """
    write_atomically(path, lambda file: _write_table(file, rows, classes.names))


def _write_table(file: BinaryIO, rows: Iterable[tuple[str, Mapping[int, int]]], names: tuple[str, ...]) -> None:
    # backslashreplace: a file name may hold bytes that are no text
    text = io.TextIOWrapper(file, encoding="utf-8", errors="backslashreplace", newline="")
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["image", "class_index", "class", "pixels", "share"])
    for image, pixels in rows:
        total = sum(pixels.values())
        for index, count in sorted(pixels.items()):
            table.writerow([image, index, names[index], count, f"{count / total:.6f}"])
    text.flush()
    text.detach()
