"""COCO-Stuff, 80 things and 91 kinds of stuff (Caesar et al., CVPR 2018), on the images of COCO 2017."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from densezero.datasets.base import Dataset
from densezero.datasets.layout import files_by_name, find_split, pair_folders
from densezero.datasets.splits import pick_split
from densezero.datasets.tables import LabelTable, PngLabels, count_from_zero
from densezero.errors import InputError
from densezero.vocabulary import load_packaged

EXPECTED: Final = (
    "COCO-Stuff is expected as images/val2017/*.jpg with stuffthingmaps/val2017/*.png (or annotations/val2017/*.png): "
    "raw ids 0 to 181 (171 of them are classes) and 255, or *_labelTrainIds.png with train ids 0 to 170, which "
    "mmsegmentation numbers in the rising order of the 171 raw ids. Labels in another order cannot be recognised if "
    "their values fit. If both are there, the raw ids are used."
)
SPLITS: Final = {"train": "train2017", "val": "val2017"}
LABEL_FOLDERS: Final = ("stuffthingmaps", "annotations")
TRAIN_IDS_ENDING: Final = "_labelTrainIds.png"

FIRST_STUFF_ID: Final = 91
NO_CLASS_IDS: Final = (11, 25, 28, 29, 44, 65, 67, 68, 70, 82, 90)  # COCO numbers them, but never uses them
CLASS_IDS: Final = tuple(value for value in range(182) if value not in NO_CLASS_IDS)
"""The raw id of each of the 171 classes, in the order of the train ids. Only the raw ids have gaps."""

RAW: Final = LabelTable.of(
    "COCO-Stuff's raw ids, 0 to 181 without the eleven unused ones, and 255 for ignored",
    {255: 255, **{value: index for index, value in enumerate(CLASS_IDS)}},
    f"the ids {', '.join(map(str, NO_CLASS_IDS))} occur among train ids only. If these labels are converted, "
    "rename them so that they end in _labelTrainIds.png; otherwise use the files of stuffthingmaps",
)
TRAIN_IDS: Final = LabelTable.of(
    "COCO-Stuff's train ids 0 to 170, and 255 for ignored",
    count_from_zero(len(CLASS_IDS)),
    "171 to 181 occur among raw ids only. If these labels are not converted, rename them so that they do not end in "
    "_labelTrainIds.png; otherwise convert them again",
)


def load(root: Path, split: str) -> Dataset:
    """Find COCO-Stuff below a root.

    Args:
        root: the folder of ``images`` and ``stuffthingmaps``, or the folder above it if its name
            is ``coco``.
        split: ``val`` or ``train``.

    Raises:
        InputError: files are missing, or a split has labels of both id orders.
    """
    pick_split(split, list(SPLITS))
    top = find_coco(root, split, EXPECTED)
    images = find_coco_images(top, SPLITS[split])
    folders = label_folders(top, SPLITS[split])
    raw_in, raw = find_labels(folders, ".png")
    train_in, train = find_labels(folders, TRAIN_IDS_ENDING)
    _refuse_two_orders(images, raw, train, raw_in)
    place, labels, table = (raw_in, raw, RAW) if raw or not train else (train_in, train, TRAIN_IDS)
    others = [folder.with_name(other) for folder in folders for other in SPLITS.values()]
    pairs = pair_folders(images, labels, place, others)
    return Dataset("coco-stuff", split, load_packaged("coco-stuff"), pairs, PngLabels(table), EXPECTED)


def find_coco(root: Path, split: str, expected: str) -> Path:
    """Find the folder of COCO that holds the images of a split: the root, or one of the usual folders below it."""
    places = {name: (f"images/{folder}", folder) for name, folder in SPLITS.items()}
    return find_split(root, (".", "coco", "coco_stuff164k"), split, places, expected)


def find_coco_images(top: Path, folder: str) -> dict[str, Path]:
    """List the images of a split, in ``images/val2017`` or ``val2017``."""
    nested = top / "images" / folder
    return files_by_name(nested if nested.is_dir() else top / folder)


def label_folders(top: Path, folder: str) -> list[Path]:
    """List the folders in which the labels of a split may be, the usual one first."""
    return [top / kept / folder for kept in LABEL_FOLDERS]


def find_labels(folders: list[Path], ending: str) -> tuple[Path, dict[str, Path]]:
    """Find the first folder with labels of an ending. With the ending ``.png``, converted labels do not count.

    Returns:
        The folder, and its files by name. If no folder has such labels, the first folder and no files.
    """
    for folder in folders:
        files = files_by_name(folder, (ending,))
        if ending == ".png":
            files = {name: file for name, file in files.items() if not name.lower().endswith("trainids")}
        if files:
            return folder, files
    return folders[0], {}


def _refuse_two_orders(images: dict[str, Path], raw: dict[str, Path], train: dict[str, Path], place: Path) -> None:
    """Refuse a split in which some images have raw ids only, and the others have train ids only."""
    uncovered = [name for name in images if name not in raw]
    if raw and train and uncovered and all(name in train for name in uncovered):
        raise InputError(
            f"{place}: expected labels of one id order, but {len(raw):,} images have raw ids and {len(uncovered):,} "
            "have train ids (_labelTrainIds.png) only; add the missing files of one kind"
        )
