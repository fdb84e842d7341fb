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
    "raw ids 0 to 181 and 255, of which 171 are classes, or *_labelTrainIds.png in mmsegmentation's order 0 to 170, "
    "the 171 raw ids as they rise; files in another order whose values fit cannot be told from these. Where both are "
    "there, the raw ids count."
)
SPLITS: Final = {"train": "train2017", "val": "val2017"}
LABEL_FOLDERS: Final = ("stuffthingmaps", "annotations")
TRAIN_IDS_ENDING: Final = "_labelTrainIds.png"

FIRST_STUFF_ID: Final = 91
NO_CLASS_IDS: Final = (11, 25, 28, 29, 44, 65, 67, 68, 70, 82, 90)  # numbered by COCO, and never annotated
CLASS_IDS: Final = tuple(value for value in range(182) if value not in NO_CLASS_IDS)
"""The raw id of each of the 171 classes, in the order of the train ids: both orders rise, one has gaps."""

RAW: Final = LabelTable.of(
    "COCO-Stuff's raw ids, 0 to 181 without the eleven of no class, and 255 for ignored",
    {255: 255, **{value: index for index, value in enumerate(CLASS_IDS)}},
    f"the ids {', '.join(map(str, NO_CLASS_IDS))} occur among train ids only: if these labels are converted already, "
    "their names must end in _labelTrainIds.png; else take the file from stuffthingmaps",
)
TRAIN_IDS: Final = LabelTable.of(
    "COCO-Stuff's train ids 0 to 170, and 255 for ignored",
    count_from_zero(len(CLASS_IDS)),
    "171 to 181 occur among raw ids only: if these labels are not converted, their names must not end in "
    "_labelTrainIds.png; else convert them anew",
)


def load(root: Path, split: str) -> Dataset:
    """Find COCO-Stuff below a root.

    Args:
        root: the folder of ``images`` and ``stuffthingmaps``, or the one that holds it as ``coco``.
        split: ``val`` or ``train``.

    Raises:
        InputError: something is missing, or labels of both id orders make up one split.
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
    """List where the labels of a split may be, the usual place first."""
    return [top / kept / folder for kept in LABEL_FOLDERS]


def find_labels(folders: list[Path], ending: str) -> tuple[Path, dict[str, Path]]:
    """Find the first of the folders that holds labels of an ending, converted ones not being taken for raw ones.

    Returns:
        The folder, the first one where no folder holds any, and its files by name.
    """
    for folder in folders:
        files = files_by_name(folder, (ending,))
        if ending == ".png":
            files = {name: file for name, file in files.items() if not name.lower().endswith("trainids")}
        if files:
            return folder, files
    return folders[0], {}


def _refuse_two_orders(images: dict[str, Path], raw: dict[str, Path], train: dict[str, Path], place: Path) -> None:
    """Refuse a split that neither order covers, while both together would."""
    uncovered = [name for name in images if name not in raw]
    if raw and train and uncovered and all(name in train for name in uncovered):
        raise InputError(
            f"{place}: expected labels of one id order, but {len(raw):,} images have raw ids and {len(uncovered):,} "
            "have train ids (_labelTrainIds.png) only; put the missing files of either kind there"
        )
