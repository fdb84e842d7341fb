"""Tables from the values in label files to class indices."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from densezero.datasets.base import IGNORED, Pair
from densezero.errors import InputError
from densezero.images.label_maps import read_label_hw, read_label_map

MAX_CLASSES: Final = 254
"""Targets are bytes: 255 means ignored, and 254 marks an unknown value while a label is read."""
_UNKNOWN: Final = 254
_VALUES: Final = 2**16
_NAMED: Final = 10


@dataclass(frozen=True, eq=False)
class LabelTable:
    """The class of each value that a label file may hold.

    Attributes:
        what: the kind of labels and the meaning of their values, for messages.
        way_out: what to do about a file with other values, a sentence without its full stop.
        to_class: (65536,) class index of each value; 255 ignored, 254 unknown.
        off_by_one: what to do about a file whose only unknown value is the number of classes, where the values should
            be indices; empty where they are not.
    """

    what: str
    way_out: str
    to_class: NDArray[np.uint8]
    off_by_one: str = ""

    @classmethod
    def of(cls, what: str, classes: Mapping[int, int], way_out: str, off_by_one: str = "") -> LabelTable:
        """Make a table from value to class index. A value that is not in ``classes`` is unknown.

        Args:
            what: the kind of labels and the meaning of their values.
            classes: file value in 0..65535 to class index in 0..253, or 255 for ignored.
            way_out: what to do about a file with other values.
            off_by_one: what to do about a file whose only unknown value is the number of classes.
        """
        assert all(index < MAX_CLASSES or index == IGNORED for index in classes.values())
        table = np.full(_VALUES, _UNKNOWN, np.uint8)
        table[list(classes)] = list(classes.values())
        return cls(what, way_out, table, off_by_one)

    def apply(self, raw: NDArray[np.uint8] | NDArray[np.uint16], file: Path) -> NDArray[np.uint8]:
        """Translate a label map.

        Args:
            raw: (H, W) values as stored.
            file: the file that they come from, for messages.

        Returns:
            (H, W) class indices, 255 where ignored.

        Raises:
            InputError: a value is not in the table; the message names the file and the values.
        """
        target = np.take(self.to_class, raw)  # (H, W)
        unknown = target == _UNKNOWN
        if unknown.any():
            values = np.unique(raw[unknown]).tolist()
            n_classes = int(self.to_class[self.to_class < _UNKNOWN].max()) + 1
            way_out = self.off_by_one if self.off_by_one and values == [n_classes] else self.way_out
            named = ", ".join(map(str, values[:_NAMED])) + (", ..." if len(values) > _NAMED else "")
            raise InputError(
                f"{file}: expected {self.what}, but {int(unknown.sum()):,} pixels have the values {named}; {way_out}"
            )
        return target


@dataclass(frozen=True)
class PngLabels:
    """Labels in PNG files whose values one table translates."""

    table: LabelTable

    @property
    def what(self) -> str:
        """The kind of labels, for messages."""
        return self.table.what

    def read(self, pair: Pair) -> NDArray[np.uint8]:
        """Read a label as (H, W) class indices, 255 where a pixel is not scored."""
        return self.table.apply(read_label_map(pair.label), pair.label)

    def read_hw(self, pair: Pair) -> tuple[int, int]:
        """Read the (H, W) of a label in pixels from its header."""
        return read_label_hw(pair.label)


def count_from_zero(n_classes: int) -> dict[int, int]:
    """Give the table for labels that are class indices: 0..C-1 stay as they are, 255 is ignored."""
    return {**{index: index for index in range(n_classes)}, IGNORED: IGNORED}


def count_from_one(n_classes: int) -> dict[int, int]:
    """Give the table for labels in which 0 is no class: 0 and 255 are ignored, k is class k-1."""
    return {**{index + 1: index for index in range(n_classes)}, 0: IGNORED, IGNORED: IGNORED}
