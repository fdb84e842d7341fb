"""Counts the pixels of each class in each image, and writes tables of them."""

import csv
import io
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from densezero.atomic import write_atomically
from densezero.output.labels import check_labels
from densezero.vocabulary.classes import ClassList

_STRIP_PIXELS = 1 << 20

Seconds = Callable[[str], float | None]
"""Gives the time of a frame from its name; None if it is not known."""


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


def write_areas_csv(
    path: Path, rows: Iterable[tuple[str, Mapping[int, int]]], classes: ClassList, seconds: Seconds | None = None
) -> None:
    """Write the areas of a whole run as one CSV, a row for each class that occurs in an image.

    It is made anew from all that is known of the run, so a resumed run gives the same table as an unbroken one.
    Columns: ``image, class_index, class, pixels, share``; ``share`` is in 0..1 of the image's classified pixels.

    Args:
        path: the file to write or to replace; UTF-8 with a byte order mark, so that spreadsheets read its umlauts.
        rows: each image's name and its pixels by class index, as ``class_pixels`` counts them.
        classes: the classes that the indices belong to.
        seconds: gives the time of each frame of a film, by its name, for a column ``seconds`` after ``image``.

    Raises:
        OutputError: the file cannot be written.
    """

    def table() -> Iterator[list[str | int]]:
        yield ["image", *_time_column(seconds), "class_index", "class", "pixels", "share"]
        for image, pixels in rows:
            total, time = sum(pixels.values()), _time_cell(seconds, image)
            for index, count in sorted(pixels.items()):
                yield [image, *time, index, classes.names[index], count, f"{count / total:.6f}"]

    _write_csv(path, table())


def write_wide_areas_csv(
    path: Path, rows: Iterable[tuple[str, Mapping[int, int]]], classes: ClassList, seconds: Seconds | None = None
) -> None:
    """Write the areas of a whole run as one CSV, a row for each image and a column for each class.

    The numbers are shares in 0..1 of the image's classified pixels. A class that is absent has 0, so that the mean of
    a column is the mean over all images.

    Args:
        path: the file to write or to replace; UTF-8 with a byte order mark.
        rows: each image's name and its pixels by class index, as ``class_pixels`` counts them.
        classes: the classes that the indices belong to.
        seconds: as for ``write_areas_csv``.

    Raises:
        OutputError: the file cannot be written.
    """

    def table() -> Iterator[list[str | int]]:
        yield ["image", *_time_column(seconds), *classes.names]
        for image, pixels in rows:
            total = sum(pixels.values()) or 1
            yield [
                image,
                *_time_cell(seconds, image),
                *(f"{pixels.get(index, 0) / total:.6f}" for index in range(len(classes))),
            ]

    _write_csv(path, table())


def _time_column(seconds: Seconds | None) -> list[str]:
    return [] if seconds is None else ["seconds"]


def _time_cell(seconds: Seconds | None, image: str) -> list[str]:
    """The time of a frame in a list; without films an empty list. Unknown times are empty."""
    time = None if seconds is None else seconds(image)
    return [] if seconds is None else ["" if time is None else f"{time:.3f}"]


def _write_csv(path: Path, rows: Iterable[list[str | int]]) -> None:
    def write(file: BinaryIO) -> None:
        # backslashreplace: a file name may hold bytes that are no text
        text = io.TextIOWrapper(file, encoding="utf-8-sig", errors="backslashreplace", newline="")
        table = csv.writer(text)  # ends lines as RFC 4180 has it, and so quotes names that hold a line end
        table.writerows([as_text(cell) if isinstance(cell, str) else cell for cell in row] for row in rows)
        text.flush()
        text.detach()

    write_atomically(path, write, durable=True)


def as_text(cell: str) -> str:
    """A cell that a spreadsheet takes for text: one that would begin a formula gets an apostrophe in front.

    Example:
        >>> as_text("=1+1.jpg"), as_text("a.jpg")
        ("'=1+1.jpg", 'a.jpg')
    """
    first = unicodedata.normalize("NFKC", cell).lstrip(" ")[:1]
    return f"'{cell}" if first and first in "=+-@\t\r\n|%" else cell
