"""Compares the size of each image with the size of its label."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Final

from densezero.datasets.base import Dataset, Pair
from densezero.errors import InputError
from densezero.images.sizes import is_turned, read_hw

FIRST_PROBLEMS: Final = 5
"""A message or a check describes at most this number of problems."""


def size_problems(dataset: Dataset) -> Iterator[str]:
    """Compare the size of each image with that of its label, from their headers.

    Yields:
        A sentence for each pair whose sizes differ or whose headers cannot be read, in the order of the pairs.
    """
    for pair in dataset.pairs:
        problem = _size_problem(dataset, pair)
        if problem is not None:
            yield problem


def refuse_differing_sizes(dataset: Dataset) -> None:
    """Compare the size of each image with that of its label, from their headers, before any work.

    Raises:
        InputError: sizes differ, or headers are damaged. The message lists the first five.
    """
    problems = list(islice(size_problems(dataset), FIRST_PROBLEMS))
    if problems:
        raise InputError("\n".join(problems))


def describe_size_difference(pair: Pair, image_hw: tuple[int, int], label_hw: tuple[int, int]) -> str:
    """Say that the sizes of an image and its label differ, and whether EXIF is the reason."""
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


def _size_problem(dataset: Dataset, pair: Pair) -> str | None:
    try:
        image_hw, label_hw = read_hw(pair.image), dataset.labels.read_hw(pair)
        return None if image_hw == label_hw else describe_size_difference(pair, image_hw, label_hw)
    except InputError as error:
        return str(error)
