"""The table of data sets: name, description, and the function that finds each one on disk."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from densezero.datasets import ade20k, cityscapes, coco, coco_stuff, folder, nyu_depth, pascal_context, scenes, voc
from densezero.datasets.base import Dataset
from densezero.datasets.splits import DEFAULT_SPLIT
from densezero.errors import InputError, did_you_mean


@dataclass(frozen=True)
class DatasetEntry:
    """One data set by name.

    Attributes:
        load: the function that finds a split below a root.
        summary: a short description.
        expected: the layout that is expected below the root.
    """

    load: Callable[[Path, str], Dataset]
    summary: str
    expected: str


DATASETS: dict[str, DatasetEntry] = {
    "ade20k": DatasetEntry(ade20k.load, "ADE20K, 150 classes", ade20k.EXPECTED),
    "voc20": DatasetEntry(voc.load_voc20, "Pascal VOC 2012, 20 objects; background is not scored", voc.EXPECTED),
    "voc21": DatasetEntry(voc.load_voc21, "Pascal VOC 2012, 20 objects and background", voc.EXPECTED),
    "pascal-context59": DatasetEntry(
        pascal_context.load_context59,
        "Pascal Context, 59 classes; all other pixels are not scored",
        pascal_context.EXPECTED,
    ),
    "pascal-context60": DatasetEntry(
        pascal_context.load_context60, "Pascal Context, 59 classes and background", pascal_context.EXPECTED
    ),
    "cityscapes": DatasetEntry(cityscapes.load, "Cityscapes, 19 classes", cityscapes.EXPECTED),
    "coco-stuff": DatasetEntry(coco_stuff.load, "COCO-Stuff, 80 things and 91 stuff", coco_stuff.EXPECTED),
    "coco-object": DatasetEntry(coco.load, "COCO, 80 things and background", coco.EXPECTED),
    "folder": DatasetEntry(folder.load, "your own images, label PNG files and class list", folder.EXPECTED),
    "scenes": DatasetEntry(scenes.load, "drawn scenes with the classes that nano knows", scenes.EXPECTED),
}
"""The data sets by name, in the order in which they are listed."""


def find_dataset(name: str) -> DatasetEntry:
    """Look up a data set by its exact name.

    Raises:
        InputError: no data set has that name. The message suggests the most similar one.
    """
    if name == nyu_depth.NAME:
        raise InputError(f"{name} has depths in place of labels. Only `densezero evaluate {name}` reads it.")
    if name not in DATASETS:
        raise InputError(f"There is no data set {name!r}. {did_you_mean(name, list(DATASETS))}")
    return DATASETS[name]


def load_dataset(name: str, root: str | Path, split: str = DEFAULT_SPLIT) -> Dataset:
    """Find a data set on disk. Missing files are reported now; labels are decoded later.

    Args:
        name: a key of ``DATASETS``.
        root: the folder of the data set, or one that contains it under its usual name.
        split: the split. Papers measure on ``val``.

    Raises:
        InputError: the data set or the split does not exist, the root is wrong, or images or labels are missing or
            cannot be read.
        VocabularyError: the class list of a user's own folder is malformed.
    """
    entry = find_dataset(name)
    try:
        return entry.load(Path(root), split)
    except OSError as error:
        raise InputError(
            f"{error.filename or root}: expected a file or folder that can be read, but reading failed "
            f"({error.strerror or error}); change its permissions, or give another root"
        ) from error
