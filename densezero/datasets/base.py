"""What every data set is: pairs of an image and its label, in a stable order, and the way from a label to classes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from densezero.vocabulary import ClassList

IGNORED: Final = 255
"""The value of pixels that are not scored, in every target."""


@dataclass(frozen=True, slots=True)
class Pair:
    """An image and where its label is.

    Attributes:
        name: a stable id, such as ``2007_000033`` or ``aachen/aachen_000000_000019``; no ending.
        image: the image file.
        label: the label file; for labels kept in one JSON, that JSON.
    """

    name: str
    image: Path
    label: Path


class LabelReader(Protocol):
    """Reads the label of a pair; one for each way in which labels are stored."""

    @property
    def what(self) -> str:
        """What the labels are, in words."""

    def read(self, pair: Pair) -> NDArray[np.uint8]:
        """Read a label as (H, W) class indices, ``IGNORED`` where a pixel is not scored."""

    def read_hw(self, pair: Pair) -> tuple[int, int]:
        """Read the (H, W) of a label in pixels, decoding as little as can be."""


@dataclass(frozen=True)
class Dataset:
    """A benchmark, or anyone's own data, found complete on disk.

    Attributes:
        name: the key of ``DATASETS`` that it was loaded by.
        split: the split that was asked for, such as ``val``.
        classes: C classes in the order of the indices in the targets.
        pairs: at least one, in a stable order.
        labels: reads the labels, and says which kind was found.
        expected: what is expected where below the root.
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
        """Read the label of a pair in class indices.

        Args:
            pair: one of ``pairs``.

        Returns:
            (H, W) indices in 0..C-1, or ``ignore``.

        Raises:
            InputError: the label cannot be read, or holds a value that no label of this kind has; the message names
                the file and the values.
        """
        return self.labels.read(pair)
