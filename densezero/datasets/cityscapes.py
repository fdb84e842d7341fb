"""Cityscapes, the 19 classes of its evaluation (Cordts et al., CVPR 2016)."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from densezero.datasets.base import Dataset
from densezero.datasets.layout import files_by_name, find_split, name_some, pair_folders
from densezero.datasets.splits import pick_split
from densezero.datasets.tables import LabelTable, PngLabels, count_from_zero
from densezero.errors import InputError
from densezero.vocabulary import load_packaged

EXPECTED: Final = (
    "Cityscapes is expected as leftImg8bit/val/CITY/*_leftImg8bit.png with gtFine/val/CITY/*_gtFine_labelIds.png (34 "
    "ids, 19 of them scored) or *_gtFine_labelTrainIds.png (0 to 18, 255 ignored) beside it. If both are there, "
    "labelIds are used."
)
IMAGE_ENDING: Final = "_leftImg8bit.png"
IDS_ENDING: Final = "_gtFine_labelIds.png"
TRAIN_IDS_ENDING: Final = "_gtFine_labelTrainIds.png"

# The ids of the 19 scored classes, in the order of the train ids (cityscapesScripts, helpers/labels.py).
SCORED_IDS: Final = (7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33)
CITIES: Final = {
    "train": (
        "aachen", "bochum", "bremen", "cologne", "darmstadt", "dusseldorf", "erfurt", "hamburg", "hanover", "jena",
        "krefeld", "monchengladbach", "strasbourg", "stuttgart", "tubingen", "ulm", "weimar", "zurich",
    ),
    "val": ("frankfurt", "lindau", "munster"),
    "test": ("berlin", "bielefeld", "bonn", "leverkusen", "mainz", "munich"),
}  # fmt: skip

IDS: Final = LabelTable.of(
    "Cityscapes' labelIds 0 to 33",
    {**dict.fromkeys(range(34), 255), **{value: index for index, value in enumerate(SCORED_IDS)}},
    "use the published file of gtFine; the value 255 occurs only in files that are named *_labelTrainIds.png",
)
TRAIN_IDS: Final = LabelTable.of(
    "Cityscapes' labelTrainIds 0 to 18, and 255 for ignored",
    count_from_zero(19),
    "write the file again with cityscapesScripts; the values 19 to 33 occur only in files named *_labelIds.png",
)


def load(root: Path, split: str) -> Dataset:
    """Find Cityscapes below a root.

    Args:
        root: the folder of ``leftImg8bit`` and ``gtFine``, or the folder above it if its name is ``cityscapes``.
        split: ``val`` or ``train``.

    Raises:
        InputError: files are missing, or belong to another split.
    """
    pick_split(split, ["train", "val"])
    places = {name: (f"leftImg8bit/{name}",) for name in CITIES}
    top = find_split(root, (".", "cityscapes"), split, places, EXPECTED)
    images = files_by_name(top / "leftImg8bit" / split, (IMAGE_ENDING,))
    _refuse_other_cities(images, split, top / "leftImg8bit" / split)
    place = top / "gtFine" / split
    ids = files_by_name(place, (IDS_ENDING,))
    ending, table = (IDS_ENDING, IDS) if ids else (TRAIN_IDS_ENDING, TRAIN_IDS)
    pairs = pair_folders(images, files_by_name(place, (ending,)), place)
    return Dataset("cityscapes", split, load_packaged("cityscapes"), pairs, PngLabels(table), EXPECTED)


def _refuse_other_cities(images: dict[str, Path], split: str, folder: Path) -> None:
    """Refuse images of cities that belong to another split."""
    others = {city for other, cities in CITIES.items() if other != split for city in cities}
    wrong = [name for name in images if name.split("/")[-1].split("_")[0] in others]
    if wrong:
        raise InputError(
            f"{folder}: expected images of the split {split!r}, but the cities of {len(wrong):,} belong "
            f"to another split: {name_some(wrong)}; move them to their own folder"
        )
