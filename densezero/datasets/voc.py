"""Pascal VOC 2012, with its background as a class (21) or without it (20)."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from densezero.datasets.base import Dataset, Pair
from densezero.datasets.layout import files_by_name, find_top, name_some, pair_names, read_names
from densezero.datasets.tables import LabelTable, PngLabels, count_from_one, count_from_zero
from densezero.errors import InputError
from densezero.vocabulary import load_packaged

EXPECTED: Final = (
    "Pascal VOC 2012 is expected as VOCdevkit/VOC2012 with JPEGImages/*.jpg, SegmentationClass/*.png (palette PNG) and "
    "ImageSets/Segmentation/val.txt. In the labels, 0 is background, 1 to 20 are objects, and 255 is the ignored "
    "border."
)
WAY_OUT: Final = "use the label in SegmentationClass of the development kit, not the one in SegmentationObject"
LABELS_20: Final = LabelTable.of(
    "Pascal VOC's labels 1 to 20, with background (0) and border (255) ignored",
    count_from_one(20),
    WAY_OUT,
)
LABELS_21: Final = LabelTable.of(
    "Pascal VOC's labels 0 (background) to 20, with the border (255) ignored",
    count_from_zero(21),
    WAY_OUT,
)


def load_voc20(root: Path, split: str) -> Dataset:
    """Find Pascal VOC 2012 below a root; background pixels are not scored.

    Args:
        root: ``VOC2012``, ``VOCdevkit`` or the folder that contains it.
        split: ``val``, ``train``, ``trainval`` or another list in ``ImageSets/Segmentation``.

    Raises:
        InputError: files are missing.
    """
    return Dataset("voc20", split, load_packaged("voc20"), _find_pairs(root, split), PngLabels(LABELS_20), EXPECTED)


def load_voc21(root: Path, split: str) -> Dataset:
    """Find Pascal VOC 2012 below a root; background is class 0.

    Args:
        root: ``VOC2012``, ``VOCdevkit`` or the folder that contains it.
        split: ``val``, ``train``, ``trainval`` or another list in ``ImageSets/Segmentation``.

    Raises:
        InputError: files are missing.
    """
    return Dataset("voc21", split, load_packaged("voc21"), _find_pairs(root, split), PngLabels(LABELS_21), EXPECTED)


def refuse_overlap(names: tuple[str, ...], file: Path) -> None:
    """Refuse a list that shares names with the list of the other split, train or val, in the same folder.

    Raises:
        InputError: names are in both lists. The message lists the first five.
    """
    opposite = {"val": "train", "train": "val"}.get(file.stem)
    other = file.with_name(f"{opposite}.txt")
    if opposite is None or not other.exists():
        return
    both = sorted(set(names) & set(read_names(other, other.parent, "")))
    if both:
        raise InputError(
            f"{file}: expected names of this split only, but {len(both):,} are also in {other.name}: "
            f"{name_some(both)}; use the lists of the development kit"
        )


def _find_pairs(root: Path, split: str) -> tuple[Pair, ...]:
    tops = (".", "VOC2012", "VOCdevkit/VOC2012")
    top = find_top(root, tops, ("ImageSets/Segmentation",), EXPECTED)
    listed_in = top / "ImageSets" / "Segmentation" / f"{split}.txt"
    names = read_names(listed_in, top, EXPECTED)
    refuse_overlap(names, listed_in)
    place = top / "SegmentationClass"
    return pair_names(names, files_by_name(top / "JPEGImages"), files_by_name(place, (".png",)), listed_in, place)
