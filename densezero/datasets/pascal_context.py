"""Pascal Context (Mottaghi et al., CVPR 2014), 59 classes, or 60 with everything else as background."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Final

import numpy as np
from numpy.typing import NDArray

from densezero.datasets.base import Dataset, LabelReader, Pair
from densezero.datasets.layout import files_by_name, find_top, pair_names, read_names, unify
from densezero.datasets.tables import LabelTable, PngLabels, count_from_one, count_from_zero
from densezero.datasets.voc import refuse_overlap
from densezero.errors import InputError
from densezero.vocabulary import load_packaged

EXPECTED: Final = (
    "Pascal Context is expected as VOCdevkit/VOC2010 with JPEGImages/*.jpg, ImageSets/SegmentationContext/val.txt and "
    "either SegmentationClassContext/*.png (0 background, 1 to 59 the classes in the order of the alphabet, as "
    "mmsegmentation converts them) or the original trainval/*.mat (459 labels; read with scipy). If both are there, "
    "the PNG files are used."
)
LABELS_OF_THE_MAT_FILES: Final = {
    "aeroplane": 2, "bag": 9, "bed": 18, "bedclothes": 19, "bench": 22, "bicycle": 23, "bird": 25, "boat": 31,
    "book": 33, "bottle": 34, "building": 44, "bus": 45, "cabinet": 46, "car": 59, "cat": 65, "ceiling": 68,
    "chair": 72, "cloth": 80, "computer": 85, "cow": 98, "cup": 104, "curtain": 105, "dog": 113, "door": 115,
    "fence": 144, "floor": 158, "flower": 159, "food": 162, "grass": 187, "ground": 189, "horse": 207,
    "keyboard": 220, "light": 232, "motorbike": 258, "mountain": 259, "mouse": 260, "person": 284, "plate": 295,
    "platform": 296, "potted plant": 308, "road": 324, "rock": 326, "sheep": 347, "shelves": 349, "sidewalk": 354,
    "sign": 355, "sky": 360, "snow": 366, "sofa": 368, "table": 397, "track": 415, "train": 416, "tree": 420,
    "truck": 424, "tv monitor": 427, "wall": 440, "water": 445, "window": 454, "wood": 458,
}  # fmt: skip
"""Class to its value in the original files, which have 459. The converters of detail-api and mmsegmentation agree."""

N_ORIGINAL: Final = 459
WAY_OUT: Final = "convert the labels as mmsegmentation does, or use the original .mat files"
_ORIGINAL: Final = list(LABELS_OF_THE_MAT_FILES.values())
_MAT_WAY_OUT: Final = "use the .mat file of the original release"

PNG_59: Final = LabelTable.of(
    "Pascal Context's converted labels 1 to 59, with background (0) ignored",
    count_from_one(59),
    WAY_OUT,
)
PNG_60: Final = LabelTable.of(
    "Pascal Context's converted labels 0 (background) to 59",
    count_from_zero(60),
    WAY_OUT,
)
MAT_59: Final = LabelTable.of(
    "Pascal Context's original labels 0 to 459; 59 of them are scored, the others are ignored",
    {**dict.fromkeys(range(N_ORIGINAL + 1), 255), **{value: index for index, value in enumerate(_ORIGINAL)}},
    _MAT_WAY_OUT,
)
MAT_60: Final = LabelTable.of(
    "Pascal Context's original labels 0 to 459; 59 of them are classes, the others are background",
    {**dict.fromkeys(range(N_ORIGINAL + 1), 0), **{value: index + 1 for index, value in enumerate(_ORIGINAL)}},
    _MAT_WAY_OUT,
)


@dataclass(frozen=True)
class MatLabels:
    """Labels in MATLAB files, in the variable ``LabelMap``."""

    table: LabelTable

    @property
    def what(self) -> str:
        """The kind of labels, for messages."""
        return self.table.what

    def read(self, pair: Pair) -> NDArray[np.uint8]:
        """Read a label as (H, W) class indices, 255 where a pixel is not scored."""
        scipy_io = _import_scipy_io(pair.label)
        try:
            raw = scipy_io.loadmat(pair.label, variable_names=["LabelMap"])["LabelMap"]
        except Exception as error:  # scipy raises many types of errors for a damaged file
            raise _unreadable(pair.label, error) from error
        if raw.ndim != 2 or raw.size == 0 or raw.dtype.kind != "u" or raw.dtype.itemsize > 2:
            raise InputError(
                f"{pair.label}: expected LabelMap (H, W) with values 0 to {N_ORIGINAL}, as uint16, got "
                f"shape {raw.shape} of {raw.dtype}; {_MAT_WAY_OUT}"
            )
        return self.table.apply(raw.astype(np.uint16), pair.label)

    def read_hw(self, pair: Pair) -> tuple[int, int]:
        """Read the (H, W) of a label in pixels, without its values."""
        scipy_io = _import_scipy_io(pair.label)
        try:
            shapes = {name: shape for name, shape, _ in scipy_io.whosmat(pair.label)}
            height, width = shapes["LabelMap"]
        except Exception as error:  # scipy raises many types of errors for a damaged file
            raise _unreadable(pair.label, error) from error
        return int(height), int(width)


def load_context59(root: Path, split: str) -> Dataset:
    """Find Pascal Context below a root. Pixels of other than the 59 classes are not scored.

    Args:
        root: ``VOC2010``, ``VOCdevkit`` or the folder that contains it.
        split: ``val``, ``train`` or another list in ``ImageSets/SegmentationContext``.

    Raises:
        InputError: files are missing.
    """
    return _load("pascal-context59", root, split, PngLabels(PNG_59), MatLabels(MAT_59))


def load_context60(root: Path, split: str) -> Dataset:
    """Find Pascal Context below a root. Pixels of other than the 59 classes are background, class 0.

    Args:
        root: ``VOC2010``, ``VOCdevkit`` or the folder that contains it.
        split: ``val``, ``train`` or another list in ``ImageSets/SegmentationContext``.

    Raises:
        InputError: files are missing.
    """
    return _load("pascal-context60", root, split, PngLabels(PNG_60), MatLabels(MAT_60))


def _load(name: str, root: Path, split: str, png: LabelReader, mat: LabelReader) -> Dataset:
    tops = (".", "VOC2010", "VOCdevkit/VOC2010")
    top = find_top(root, tops, ("SegmentationClassContext", "trainval"), EXPECTED)
    listed_in = top / "ImageSets" / "SegmentationContext" / f"{split}.txt"
    names = read_names(listed_in, top, EXPECTED)
    refuse_overlap(names, listed_in)
    converted = top / "SegmentationClassContext"
    place, reader = (converted, png) if converted.is_dir() else (top / "trainval", mat)
    labels = files_by_name(place, (".png",)) if reader is png else _mat_files(place)
    pairs = pair_names(names, files_by_name(top / "JPEGImages"), labels, listed_in, place)
    return Dataset(name, split, load_packaged(name), pairs, reader, EXPECTED)


def _mat_files(folder: Path) -> dict[str, Path]:
    return {unify(file.stem): file for file in sorted(folder.iterdir()) if file.suffix.lower() == ".mat"}


def _import_scipy_io(file: Path) -> ModuleType:
    try:
        return import_module("scipy.io")  # by name: scipy is not a dependency, and has no types
    except ImportError:
        raise InputError(
            f"{file}: expected scipy to read this MATLAB file, but it is not installed; run `pip install scipy`, or "
            "convert the labels to PNG"
        ) from None


def _unreadable(file: Path, error: Exception) -> InputError:
    reason = "it has no LabelMap" if isinstance(error, KeyError) else str(error) or type(error).__name__
    return InputError(f"{file}: expected a MATLAB file with LabelMap, but it cannot be read ({reason}); {_MAT_WAY_OUT}")
