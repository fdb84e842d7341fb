"""The types of a data set: pairs of image and label in a fixed order, and a reader for the labels."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from densezero.vocabulary import ClassList

IGNORED: Final = 255
"""In every target, pixels of this value are not scored."""


@dataclass(frozen=True, slots=True)
class Pair:
    """An image and its label.

    Attributes:
        name: the path below the folder of images, without the ending, such as ``2007_000033`` or
            ``aachen/aachen_000000_000019``.
        image: the image file.
        label: the label file. If one JSON holds all labels, this is that JSON.
    """

    name: str
    image: Path
    label: Path


class LabelReader(Protocol):
    """Reads the label of a pair. There is one class for each way to store labels."""

    @property
    def what(self) -> str:
        """The kind of labels, for messages."""

    def read(self, pair: Pair) -> NDArray[np.uint8]:
        """Read a label as (H, W) class indices, ``IGNORED`` where a pixel is not scored."""

    def read_hw(self, pair: Pair) -> tuple[int, int]:
        """Read the (H, W) of a label in pixels, without decoding the label if possible."""


@dataclass(frozen=True)
class Dataset:
    """A benchmark, or a user's own data, found on disk.

    Attributes:
        name: a key of ``DATASETS``.
        split: the split, such as ``val``.
        classes: the C classes; their order gives the indices in the targets.
        pairs: at least one pair, always in the same order.
        labels: the reader of the labels.
        expected: the layout that is expected below the root.
        ignore: the value of pixels that are not scored.
    """

    name: str
    split: str
    classes: ClassList
    pairs: tuple[Pair, ...]
    labels: LabelReader
    expected: str
    ignore: int = IGNORED

    def __len__(self) -> int:
        return len(self.pairs)

    def read_target(self, pair: Pair) -> NDArray[np.uint8]:
        """Read the label of a pair as class indices.

        Args:
            pair: one of ``pairs``.

        Returns:
            (H, W) indices in 0..C-1, or ``ignore``.

        Raises:
            InputError: the label cannot be read, or it contains a value without a class. The message names the file
                and the values.
        """
        return self.labels.read(pair)
