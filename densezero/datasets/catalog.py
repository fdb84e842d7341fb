"""The data sets: a literal table of names, what they are, and who finds them on disk."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from densezero.datasets import ade20k, cityscapes, coco, coco_stuff, folder, pascal_context, scenes, voc
from densezero.datasets.base import Dataset
from densezero.datasets.splits import DEFAULT_SPLIT
from densezero.errors import InputError, did_you_mean


@dataclass(frozen=True)
class DatasetEntry:
    """One data set by name.

    Attributes:
        load: finds it below a root, for a split.
        summary: what it is, in a few words.
        expected: what is expected where below the root.
    """

    load: Callable[[Path, str], Dataset]
    summary: str
    expected: str


DATASETS: dict[str, DatasetEntry] = {
    "ade20k": DatasetEntry(ade20k.load, "ADE20K, 150 classes", ade20k.EXPECTED),
    "voc20": DatasetEntry(voc.load_voc20, "Pascal VOC 2012, 20 objects, background not scored", voc.EXPECTED),
    "voc21": DatasetEntry(voc.load_voc21, "Pascal VOC 2012, 20 objects and background", voc.EXPECTED),
    "pascal-context59": DatasetEntry(
        pascal_context.load_context59, "Pascal Context, 59 classes, the rest not scored", pascal_context.EXPECTED
    ),
    "pascal-context60": DatasetEntry(
        pascal_context.load_context60, "Pascal Context, 59 classes and background", pascal_context.EXPECTED
    ),
    "cityscapes": DatasetEntry(cityscapes.load, "Cityscapes, 19 classes", cityscapes.EXPECTED),
    "coco-stuff": DatasetEntry(coco_stuff.load, "COCO-Stuff, 80 things and 91 stuff", coco_stuff.EXPECTED),
    "coco-object": DatasetEntry(coco.load, "COCO, 80 things and background", coco.EXPECTED),
    "folder": DatasetEntry(folder.load, "your own images, label PNG files and class list", folder.EXPECTED),
    "scenes": DatasetEntry(scenes.load, "drawn scenes, the words that nano knows", scenes.EXPECTED),
}
"""Name of each data set, in the order in which they are listed."""


def find_dataset(name: str) -> DatasetEntry:
    """Look a data set up by its literal name.

    Raises:
        InputError: no data set has that name; the message gives the nearest.
    """
    if name not in DATASETS:
        raise InputError(f"There is no data set {name!r}. {did_you_mean(name, list(DATASETS))}")
    return DATASETS[name]


def load_dataset(name: str, root: str | Path, split: str = DEFAULT_SPLIT) -> Dataset:
    """Find a data set on disk; whatever is missing is said now, and no label is decoded yet.

    Args:
        name: a key of ``DATASETS``.
        root: its folder, or one that holds it under its usual name.
        split: which part; ``val`` is what the papers measure on.

    Raises:
        InputError: no such data set or split, the root is wrong, or images or labels are missing or locked.
        VocabularyError: the class list of a user's own folder is malformed.
    """
    entry = find_dataset(name)
    try:
        return entry.load(Path(root), split)
    except OSError as error:
        raise InputError(
            f"{error.filename or root}: expected a file or folder of the data set that can be read, but that failed "
            f"({error.strerror or error}); change its permissions, or give another root"
        ) from error
