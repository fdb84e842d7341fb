"""Checks a data set on disk: what is there, what is missing, and which files are wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from densezero.datasets.base import Dataset, Pair
from densezero.datasets.catalog import find_dataset, load_dataset
from densezero.datasets.label_notes import label_notes
from densezero.datasets.layout import name_some
from densezero.datasets.pair_sizes import FIRST_PROBLEMS, describe_size_difference
from densezero.datasets.split_sizes import describe_part
from densezero.datasets.splits import DEFAULT_SPLIT
from densezero.errors import DenseZeroError, InputError
from densezero.images.sizes import read_hw

Listener = Callable[[int, int], None]
"""Called with the number of pairs that are done, and with the number of all pairs."""


@dataclass(frozen=True)
class Check:
    """The result of a check.

    Attributes:
        name: the data set.
        split: the split.
        expected: the layout that is expected.
        pairs: number of pairs of image and label; 0 if they could not be paired.
        part: how the number of pairs differs from the official one, such as ``48 of 1,449``; empty if it does not, and
            where no official number is known.
        labels: the kind of labels that was found; empty if there are none.
        labels_read: number of labels that were decoded.
        classes: number of classes.
        absent: names of the classes that occur in none of these labels.
        ignored_share: share of the pixels of these labels that are ignored, 0 to 1; None if no label was read.
        size_differences: number of pairs whose image and label differ in size.
        unreadable_images: number of images that are damaged or no images.
        unreadable_labels: number of labels that are damaged or hold values without a class.
        notes: sentences about what is unusual, but may be right.
        problems: a sentence for each of the first five problems; empty if there are none.
    """

    name: str
    split: str
    expected: str
    pairs: int = 0
    part: str = ""
    labels: str = ""
    labels_read: int = 0
    classes: int = 0
    absent: tuple[str, ...] = ()
    ignored_share: float | None = None
    size_differences: int = 0
    unreadable_images: int = 0
    unreadable_labels: int = 0
    notes: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()

    @property
    def classes_seen(self) -> int:
        """Number of classes that occur in the labels that were read."""
        return self.classes - len(self.absent)


def check_dataset(
    name: str, root: str | Path, split: str = DEFAULT_SPLIT, *, limit: int | None = None, listen: Listener | None = None
) -> Check:
    """Find a data set, compare the size of every image with that of its label, and read the labels.

    Args:
        name: a key of ``DATASETS``.
        root: the folder of the data set, or one that contains it under its usual name.
        split: the split.
        limit: read only the first labels, at most this number. Sizes are always compared for all pairs.
        listen: called after each pair.

    Returns:
        What is expected, what is there, and what is wrong.

    Raises:
        InputError: no data set has that name.
    """
    expected = find_dataset(name).expected
    try:
        dataset = load_dataset(name, root, split)
    except DenseZeroError as error:
        return Check(name, split, expected, problems=(str(error),))
    findings = _Findings(dataset)
    for index, pair in enumerate(dataset.pairs):
        findings.add(pair, limit is None or index < limit)
        if listen is not None:
            listen(index + 1, len(dataset))
    return findings.summarise()


def describe_check(found: Check, root: str | Path) -> list[str]:
    """Describe the result of a check in lines for a terminal: a word, and what it says. The problems are left out.

    Args:
        found: the result.
        root: the folder that was checked.
    """
    lines = [("expected", found.expected)]
    lines.append(("found", f"{found.part or f'{found.pairs:,}'} pairs of the split {found.split!r} below {root}"))
    if found.labels:
        lines.append(("labels", found.labels))
        seen = f"{found.classes_seen} of {found.classes} classes in them"
        lines.append(("read", f"{found.labels_read:,} labels, {seen}"))
    if found.ignored_share is not None:
        lines.append(("ignored", f"{found.ignored_share:.1%} of the pixels"))
        lines += [("absent", f"these classes never occur: {name_some(found.absent)}")] if found.absent else []
    counts = (
        (found.size_differences, "pairs differ in size"),
        (found.unreadable_images, "images cannot be read"),
        (found.unreadable_labels, "labels cannot be read, or hold values without a class"),
    )
    lines += [("wrong", f"{count:,} {what}") for count, what in counts if count]
    lines += [("note", note) for note in found.notes]
    return [f"{word:<9} {text}" for word, text in lines]


@dataclass
class _Findings:
    """Collects what is found of one pair after the other."""

    dataset: Dataset
    pixels: NDArray[np.int64] = field(default_factory=lambda: np.zeros(256, np.int64))  # of each value of a target
    labels_read: int = 0
    size_differences: int = 0
    unreadable_images: int = 0
    unreadable_labels: int = 0
    problems: list[str] = field(default_factory=list)

    def add(self, pair: Pair, with_pixels: bool) -> None:
        """Compare the sizes of a pair, and count the pixels of its label."""
        image_hw = None
        try:
            image_hw = read_hw(pair.image)
        except InputError as error:
            self.unreadable_images += 1
            self._describe(str(error))
        try:
            label_hw = self.dataset.labels.read_hw(pair)
            if image_hw is not None and image_hw != label_hw:
                self.size_differences += 1
                self._describe(describe_size_difference(pair, image_hw, label_hw))
            if with_pixels:
                self.pixels += np.bincount(self.dataset.read_target(pair).ravel(), minlength=256)
                self.labels_read += 1
        except InputError as error:
            self.unreadable_labels += 1
            self._describe(str(error))

    def summarise(self) -> Check:
        """Give the result."""
        dataset, names = self.dataset, self.dataset.classes.names
        pixels, ignored = self.pixels[: len(names)], int(self.pixels[dataset.ignore])
        total = int(pixels.sum()) + ignored
        return Check(
            dataset.name,
            dataset.split,
            dataset.expected,
            pairs=len(dataset),
            part=describe_part(dataset.name, dataset.split, len(dataset)),
            labels=dataset.labels.what,
            labels_read=self.labels_read,
            classes=len(names),
            absent=tuple(name for name, count in zip(names, pixels.tolist(), strict=True) if not count),
            ignored_share=ignored / total if total else None,
            size_differences=self.size_differences,
            unreadable_images=self.unreadable_images,
            unreadable_labels=self.unreadable_labels,
            notes=label_notes(dataset, pixels, ignored) if self.labels_read else (),
            problems=tuple(self.problems),
        )

    def _describe(self, problem: str) -> None:
        if len(self.problems) < FIRST_PROBLEMS:
            self.problems.append(problem)
