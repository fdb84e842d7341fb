"""ADE20K, the 150 classes of the scene parsing challenge (Zhou et al., CVPR 2017)."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from densezero.datasets.base import Dataset
from densezero.datasets.layout import files_by_name, find_split, name_some, pair_folders
from densezero.datasets.splits import pick_split
from densezero.datasets.tables import LabelTable, PngLabels
from densezero.errors import InputError
from densezero.vocabulary import load_packaged

EXPECTED: Final = (
    "ADE20K is expected as ADEChallengeData2016/images/validation/*.jpg with annotations/validation/*.png beside it. "
    "This is the release of the scene parsing challenge, not the full ADE20K_2021. In the labels, 0 means no class, "
    "and k is class k-1."
)
FOLDERS: Final = {"train": "training", "val": "validation"}
PREFIXES: Final = {"train": "ADE_train_", "val": "ADE_val_"}
LABELS: Final = LabelTable.of(
    "ADE20K's labels 1 to 150, and 0 for no class",
    {0: 255, **{value: value - 1 for value in range(1, 151)}},
    "use the label of the scene parsing release; there the labels are not shifted by one",
)


def load(root: Path, split: str) -> Dataset:
    """Find ADE20K below a root.

    Args:
        root: ``ADEChallengeData2016``, or the folder that contains it.
        split: ``val`` or ``train``.

    Raises:
        InputError: files are missing, or belong to another split.
    """
    pick_split(split, list(FOLDERS))
    places = {name: (f"images/{folder}",) for name, folder in FOLDERS.items()}
    top = find_split(root, (".", "ADEChallengeData2016"), split, places, EXPECTED)
    images = files_by_name(top / "images" / FOLDERS[split])
    _refuse_others(images, split, top / "images" / FOLDERS[split])
    place = top / "annotations" / FOLDERS[split]
    others = [top / "annotations" / folder for folder in FOLDERS.values()]
    pairs = pair_folders(images, files_by_name(place, (".png",)), place, others)
    return Dataset("ade20k", split, load_packaged("ade20k"), pairs, PngLabels(LABELS), EXPECTED)


def _refuse_others(images: dict[str, Path], split: str, folder: Path) -> None:
    """Refuse images whose names belong to the other split."""
    others = tuple(prefix for other, prefix in PREFIXES.items() if other != split)
    wrong = [name for name in images if name.startswith(others)]
    if wrong:
        raise InputError(
            f"{folder}: expected images of the split {split!r}, but the names of {len(wrong):,} belong to "
            f"another split: {name_some(wrong)}; move them to their own folder"
        )
