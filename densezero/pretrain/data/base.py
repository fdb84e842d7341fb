"""What every source of pretraining data gives: samples by index, and an account of what it passed over."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable
from typing import Any, Final, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from densezero.errors import InputError

MOST_EXAMPLES: Final = 20


class Sample(NamedTuple):
    """An image and its captions.

    Args:
        rgb: (H, W, 3) uint8.
        alt: text as beside pictures on the web; empty if there is none. The same holds for the other texts.
        short: a short description.
        long: a detailed description.
        labels: (H, W) index into ``ALL_CONCEPTS`` for every pixel; None if they are not known.
    """

    rgb: NDArray[np.uint8]
    alt: str
    short: str
    long: str
    labels: NDArray[np.uint8] | None = None


class Skipped:
    """Counts what was passed over, for each reason, and keeps the first 20 names as examples."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.examples: list[tuple[str, str]] = []

    def add(self, name: str, reason: str) -> None:
        """Count one thing that was passed over."""
        self.counts[reason] += 1
        if len(self.examples) < MOST_EXAMPLES:
            self.examples.append((name, reason))

    def describe(self) -> list[str]:
        """Write one line for each reason, the most frequent first.

        Example:
            >>> skipped = Skipped()
            >>> skipped.add("a.png", "no caption")
            >>> skipped.add("b.png", "no caption")
            >>> skipped.describe()
            ['2 passed over: no caption (a.png, b.png)']
        """
        lines = []
        for reason, count in self.counts.most_common():
            names = [name for name, its_reason in self.examples if its_reason == reason]
            more = ["..."] if len(names) < count else []
            lines.append(f"{count} passed over: {reason}" + (f" ({', '.join(names + more)})" if names else ""))
        return lines


class Source(Protocol):
    """A numbered list of samples. An index gives the same image at any time, which continued training needs."""

    skipped: Skipped

    def __len__(self) -> int: ...

    def read(self, index: int, rng: np.random.Generator) -> Sample:
        """Read a sample.

        Args:
            index: from 0 to the length of the source.
            rng: chooses the captions, if the source has several.

        Raises:
            DenseZeroError: the sample cannot be used.
        """
        ...

    def phrases(self, rng: np.random.Generator) -> list[str]:
        """Write a phrase for each label of the pixels; none if the images have no labels."""
        ...

    def describe(self) -> dict[str, Any]:
        """Describe the source for the record of a training run."""
        ...


def check_captions(sample: Sample, name: str) -> Sample:
    """Return the sample if it has a caption.

    Raises:
        InputError: all captions are empty. The message begins with ``name``.
    """
    if not (sample.alt or sample.short or sample.long):
        raise InputError(f"{name}: expected a caption, but all its texts are empty; write one, or leave the image out")
    return sample


def names_hash(names: Iterable[str]) -> str:
    """Return the first 16 digits of the SHA-256 of the names, to compare the list of samples of two runs."""
    digest = hashlib.sha256()
    for name in names:
        digest.update(name.encode("utf-8", "surrogateescape") + b"\0")
    return digest.hexdigest()[:16]
