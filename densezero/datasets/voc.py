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
    "ImageSets/Segmentation/val.txt; in the labels 0 is background, 1 to 20 are objects, 255 is the ignored border."
)
WAY_OUT: Final = "take the label from SegmentationClass of the development kit, not from SegmentationObject"
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
        root: ``VOC2012``, ``VOCdevkit`` or the folder that holds it.
        split: ``val``, ``train``, ``trainval`` or any other list in ``ImageSets/Segmentation`` whose labels are there.

    Raises:
        InputError: something is missing.
    """
    return Dataset("voc20", split, load_packaged("voc20"), _find_pairs(root, split), PngLabels(LABELS_20), EXPECTED)


def load_voc21(root: Path, split: str) -> Dataset:
    """Find Pascal VOC 2012 below a root; background is class 0.

    Args:
        root: ``VOC2012``, ``VOCdevkit`` or the folder that holds it.
        split: ``val``, ``train``, ``trainval`` or any other list in ``ImageSets/Segmentation`` whose labels are there.

    Raises:
        InputError: something is missing.
    """
    return Dataset("voc21", split, load_packaged("voc21"), _find_pairs(root, split), PngLabels(LABELS_21), EXPECTED)


def refuse_overlap(names: tuple[str, ...], file: Path) -> None:
    """Refuse a list that shares names with the list of the opposite split, train or val, beside it.

    Raises:
        InputError: the first five names that stand in both.
    """
    opposite = {"val": "train", "train": "val"}.get(file.stem)
    other = file.with_name(f"{opposite}.txt")
    if opposite is None or not other.exists():
        return
    both = sorted(set(names) & set(read_names(other, other.parent, "")))
    if both:
        raise InputError(
            f"{file}: expected names of this split only, but {len(both):,} stand in {other.name} too, so they are of "
            f"the wrong split in one of them: {name_some(both)}; take the lists of the development kit"
        )


def _find_pairs(root: Path, split: str) -> tuple[Pair, ...]:
    tops = (".", "VOC2012", "VOCdevkit/VOC2012")
    top = find_top(root, tops, ("ImageSets/Segmentation",), EXPECTED)
    listed_in = top / "ImageSets" / "Segmentation" / f"{split}.txt"
    names = read_names(listed_in, top, EXPECTED)
    refuse_overlap(names, listed_in)
    place = top / "SegmentationClass"
    return pair_names(names, files_by_name(top / "JPEGImages"), files_by_name(place, (".png",)), listed_in, place)
