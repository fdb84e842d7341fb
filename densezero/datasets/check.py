"""Whether a data set on disk is whole and of the right kind, and what is wrong with it by name."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np

from densezero.datasets.base import Dataset, Pair
from densezero.datasets.catalog import find_dataset, load_dataset
from densezero.datasets.splits import DEFAULT_SPLIT
from densezero.errors import DenseZeroError, InputError
from densezero.images.sizes import is_turned, read_hw

FIRST_PROBLEMS: Final = 5
"""A check ends when it has found so many problems."""

Listener = Callable[[int, int], None]
"""Is told how many pairs are done, and of how many."""


@dataclass(frozen=True)
class Check:
    """What was found of a data set.

    Attributes:
        name: the data set.
        split: the split that was asked for.
        expected: what is expected where below the root.
        pairs: how many pairs of image and label were found; 0 where they could not be paired.
        labels: which kind of labels was found, in words; empty where none were.
        labels_read: how many labels were decoded.
        classes: how many classes there are.
        classes_seen: how many of them occur in the labels that were read.
        problems: a sentence for each of the first problems; empty where all is well.
    """

    name: str
    split: str
    expected: str
    pairs: int = 0
    labels: str = ""
    labels_read: int = 0
    classes: int = 0
    classes_seen: int = 0
    problems: tuple[str, ...] = ()


def check_dataset(
    name: str, root: str | Path, split: str = DEFAULT_SPLIT, *, limit: int | None = None, listen: Listener | None = None
) -> Check:
    """Look for a data set, compare the sizes of every image and label, and read the labels.

    Args:
        name: a key of ``DATASETS``.
        root: its folder, or one that holds it under its usual name.
        split: which part.
        limit: read only so many labels; all of them where None. Sizes are always compared for all pairs.
        listen: is told after each label how many are read, and of how many.

    Returns:
        What is expected, what is there, and the first five problems.

    Raises:
        InputError: no data set has that name.
    """
    expected = find_dataset(name).expected
    try:
        dataset = load_dataset(name, root, split)
    except DenseZeroError as error:
        return Check(name, split, expected, problems=(str(error),))
    problems = list(islice(size_problems(dataset), FIRST_PROBLEMS))
    reading = _read_labels(dataset, dataset.pairs[:limit], problems, listen)
    return Check(
        name,
        split,
        expected,
        pairs=len(dataset),
        labels=dataset.labels.what,
        labels_read=reading.done,
        classes=len(dataset.classes),
        classes_seen=reading.classes_seen,
        problems=(*problems, *reading.problems),
    )


def size_problems(dataset: Dataset) -> Iterator[str]:
    """Compare the size of each image with that of its label, by their headers.

    Yields:
        A sentence for each pair whose sizes differ or whose header cannot be read, in the order of the pairs.
    """
    for pair in dataset.pairs:
        problem = _size_problem(dataset, pair)
        if problem is not None:
            yield problem


def refuse_differing_sizes(dataset: Dataset) -> None:
    """Compare the size of each image with that of its label, by their headers, before any work.

    Raises:
        InputError: sizes differ or headers are broken; lists the first five.
    """
    problems = list(islice(size_problems(dataset), FIRST_PROBLEMS))
    if problems:
        raise InputError("\n".join(problems))


class _Reading(NamedTuple):
    done: int
    classes_seen: int
    problems: tuple[str, ...]


def _read_labels(dataset: Dataset, pairs: tuple[Pair, ...], known: list[str], listen: Listener | None) -> _Reading:
    """Read labels until there are five problems with the known ones; a file that is known to be bad counts once."""
    known_files = {problem.split(": ")[0] for problem in known}
    seen = np.zeros(256, bool)
    problems: list[str] = []
    done = 0
    for pair in pairs:
        if len(known) + len(problems) >= FIRST_PROBLEMS:
            break
        try:
            seen |= np.bincount(dataset.read_target(pair).ravel(), minlength=256) > 0
        except InputError as error:
            problems += [] if str(error).split(": ")[0] in known_files else [str(error)]
        done += 1
        if listen is not None:
            listen(done, len(pairs))
    return _Reading(done, int(seen[: len(dataset.classes)].sum()), tuple(problems))


def _size_problem(dataset: Dataset, pair: Pair) -> str | None:
    try:
        image_hw, label_hw = read_hw(pair.image), dataset.labels.read_hw(pair)
        return None if image_hw == label_hw else _say_sizes(pair, image_hw, label_hw)
    except InputError as error:
        return str(error)


def _say_sizes(pair: Pair, image_hw: tuple[int, int], label_hw: tuple[int, int]) -> str:
    """Say that the sizes differ, and why if EXIF is the reason."""
    said = (
        f"{pair.label}: expected the label of {pair.name} to have the size of its image, {image_hw[0]} × {image_hw[1]} "
        f"(height × width, upright), but it has {label_hw[0]} × {label_hw[1]}; "
    )
    if label_hw == image_hw[::-1] and is_turned(pair.image):
        return (
            f"{said}the EXIF entry Orientation turns the image by a quarter, and the label is not turned. Turn the "
            "label in the same way, or, if the image is upright without the turn, remove the entry Orientation from "
            "its EXIF"
        )
    return f"{said}take both from the same release, unscaled"
