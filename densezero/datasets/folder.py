"""A user's own data: a folder of images, a folder of label PNG files, and a class list."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from densezero.datasets.base import Dataset, Pair
from densezero.datasets.layout import files_by_name, find_top, missing_split, pair_folders
from densezero.datasets.splits import DEFAULT_SPLIT, pick_split
from densezero.datasets.tables import MAX_CLASSES, LabelTable, PngLabels, count_from_zero
from densezero.errors import InputError
from densezero.vocabulary import ClassList, load_class_list

EXPECTED: Final = (
    "Your own data is expected as images/ (any format, sub-folders allowed), labels/ with a PNG of the same name for "
    "each image (palette or grey; value = class index, 255 ignored) and classes.txt (one class per line) or "
    "classes.json. To have splits, make sub-folders such as images/val and labels/val."
)
CLASS_FILES: Final = ("classes.txt", "classes.json")


def load(root: Path, split: str) -> Dataset:
    """Find a user's own images, labels and class list.

    Args:
        root: the folder of ``images``, ``labels`` and the class list.
        split: a sub-folder of both. Without such sub-folders only ``val`` exists, and it is everything.

    Raises:
        InputError: files are missing, or there are more than 254 classes.
        VocabularyError: the class list is malformed.
    """
    top = find_top(root, (".",), ("images",), EXPECTED)
    classes = _read_classes(top)
    pairs = find_pairs(top, split)
    return Dataset("folder", split, classes, pairs, PngLabels(table_of(classes)), EXPECTED)


def find_pairs(top: Path, split: str) -> tuple[Pair, ...]:
    """Pair the files in ``images`` and ``labels``, or in the sub-folders of one split.

    Args:
        top: the folder of ``images`` and ``labels``.
        split: a sub-folder of both. Without such sub-folders only ``val`` exists, and it is everything.

    Raises:
        InputError: the split is missing, an image has no label, or a label has no image.
    """
    images, labels = top / "images", top / "labels"
    if not (images / split).is_dir() and not (labels / split).is_dir():
        there = _list_splits(images)
        if there:
            raise missing_split(split, top, there, f"The folder {images / split} is missing")
        pick_split(split, [DEFAULT_SPLIT])
        return pair_folders(files_by_name(images), files_by_name(labels, (".png",)), labels)
    others = [folder for folder in sorted(labels.iterdir()) if folder.is_dir()] if labels.is_dir() else []
    return pair_folders(files_by_name(images / split), files_by_name(labels / split, (".png",)), labels / split, others)


def table_of(classes: ClassList) -> LabelTable:
    """Make the table for labels whose values are indices of a class list."""
    return LabelTable.of(
        f"class indices 0 to {len(classes) - 1} of {classes.name!r}, and 255 for ignored",
        count_from_zero(len(classes)),
        "complete the class list, or set these pixels to 255",
        f"this is one more than the last index: either the labels count from 1 (then subtract 1 from each index), or "
        f"the class of index 0, such as background, is not in {classes.name!r} (then add it as the first class)",
    )


def _list_splits(images: Path) -> list[str]:
    """List the sub-folders that have the usual names of splits."""
    return [name for name in ("train", "val", "test") if (images / name).is_dir()]


def _read_classes(top: Path) -> ClassList:
    files = [top / name for name in CLASS_FILES if (top / name).exists()]
    if len(files) != 1:
        came = "both are there" if files else "neither is there"
        raise InputError(f"{top}: expected {' or '.join(CLASS_FILES)}, but {came}; keep one. {EXPECTED}")
    classes = load_class_list(files[0])
    if len(classes) > MAX_CLASSES:
        raise InputError(
            f"{files[0]}: expected at most {MAX_CLASSES} classes (labels are bytes, 255 is ignored), got "
            f"{len(classes):,}; merge classes, or leave some out"
        )
    return classes
