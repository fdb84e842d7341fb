"""COCO 2017 as 80 objects and background. The labels come from the JSON of instances, or from PNG files."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from densezero.datasets.base import Dataset, LabelReader, Pair
from densezero.datasets.coco_stuff import (
    CLASS_IDS,
    FIRST_STUFF_ID,
    SPLITS,
    find_coco,
    find_coco_images,
    find_labels,
    label_folders,
)
from densezero.datasets.layout import name_some, pair_folders, unify
from densezero.datasets.splits import pick_split
from densezero.datasets.tables import LabelTable, PngLabels, count_from_zero
from densezero.errors import InputError
from densezero.vocabulary import load_packaged

EXPECTED: Final = (
    "COCO-Object is expected as images/val2017/*.jpg with one of these (the first one found is used): "
    "annotations/val2017/*_instanceTrainIds.png (0 background, 1 to 80 the objects in the order of COCO's ids), "
    "annotations/instances_val2017.json, or COCO-Stuff's stuffthingmaps/val2017/*.png. All three give the same labels."
)
CONVERTED_ENDING: Final = "_instanceTrainIds.png"
THING_IDS: Final = tuple(value for value in CLASS_IDS if value < FIRST_STUFF_ID)
"""COCO-Stuff's id of each of the 80 things; a category id of COCO is one more."""

CONVERTED: Final = LabelTable.of(
    "COCO-Object's converted labels 0 (background) to 80, and 255 for ignored",
    count_from_zero(len(THING_IDS) + 1),
    "convert the labels again",
)
# As in the converter of GroupViT and of the training-free papers: stuff and unlabelled pixels are background.
RAW: Final = LabelTable.of(
    "COCO-Stuff's raw ids; things are objects, all others are background",
    {255: 0, **dict.fromkeys(CLASS_IDS, 0), **{value: index + 1 for index, value in enumerate(THING_IDS)}},
    "use the published file of stuffthingmaps",
)


@dataclass(frozen=True)
class ImageInstances:
    """One image in the JSON.

    Attributes:
        hw: (H, W) in pixels.
        instances: class index and segmentation of each instance, in the order of the file, without crowds.
    """

    hw: tuple[int, int]
    instances: tuple[tuple[int, Any], ...]


@dataclass(frozen=True, eq=False)
class InstanceLabels:
    """Labels painted from the instances of COCO's JSON.

    Instances are painted in the order of the file, later ones over earlier ones, without crowds. The result equals the
    things of stuffthingmaps in every pixel.

    Attributes:
        images: name to image.
    """

    images: Mapping[str, ImageInstances]

    @property
    def what(self) -> str:
        """The kind of labels, for messages."""
        return "COCO's instances, painted in their order without crowds, on background (0)"

    def read(self, pair: Pair) -> NDArray[np.uint8]:
        """Paint a label as (H, W) class indices; no pixel is ignored."""
        height, width = self.read_hw(pair)
        target = np.zeros((height, width), np.uint8)
        for index, segmentation in self.images[pair.name].instances:
            try:
                target[draw_mask(segmentation, height, width)] = index
            except Exception as error:  # pycocotools raises many types of errors for a malformed mask
                raise InputError(
                    f"{pair.label}: expected polygons or run lengths of {height} × {width} pixels for the instances of "
                    f"{pair.name}, but one cannot be drawn ({error}); use the published JSON"
                ) from error
        return target

    def read_hw(self, pair: Pair) -> tuple[int, int]:
        """Give the (H, W) of a label in pixels."""
        return self.images[pair.name].hw


def load(root: Path, split: str) -> Dataset:
    """Find COCO below a root.

    Args:
        root: the folder of ``images`` and ``annotations``, or the folder above it if its name
            is ``coco``.
        split: ``val`` or ``train``.

    Raises:
        InputError: files are missing, or the JSON is damaged.
    """
    pick_split(split, list(SPLITS))
    top = find_coco(root, split, EXPECTED)
    images = find_coco_images(top, SPLITS[split])
    found = _find_labels(top, SPLITS[split])
    others = [folder.with_name(other) for folder in label_folders(top, SPLITS[split]) for other in SPLITS.values()]
    pairs = pair_folders(images, found.files, found.place, [] if isinstance(found.reader, InstanceLabels) else others)
    return Dataset("coco-object", split, load_packaged("coco-object"), pairs, found.reader, EXPECTED)


def read_instances(file: Path) -> InstanceLabels:
    """Read COCO's instances.

    Args:
        file: ``instances_val2017.json``.

    Raises:
        InputError: the file is damaged, is not a JSON of instances, or has other categories than the 80 of COCO.
    """
    try:
        data = json.loads(file.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise InputError(
            f"{file}: expected the JSON of COCO's instances, but it cannot be read ({error}): it is cut short or "
            "damaged; copy or unpack it again"
        ) from error
    try:
        return InstanceLabels(_gather_instances(data))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(
            f"{file}: expected COCO's instances (images, annotations and the 80 categories), but it is something else "
            f"({type(error).__name__}: {error}); use the published instances_*.json"
        ) from error


class _FoundLabels(NamedTuple):
    """The folder of the labels of a split, the file of each image, and the reader."""

    place: Path
    files: dict[str, Path]
    reader: LabelReader


def _find_labels(top: Path, folder: str) -> _FoundLabels:
    places = label_folders(top, folder)
    place, converted = find_labels(places, CONVERTED_ENDING)
    if converted:
        return _FoundLabels(place, converted, PngLabels(CONVERTED))
    file = top / "annotations" / f"instances_{folder}.json"
    if file.exists():
        reader = read_instances(file)
        return _FoundLabels(file, dict.fromkeys(reader.images, file), reader)
    place, raw = find_labels(places, ".png")
    return _FoundLabels(place, raw, PngLabels(RAW))


def draw_mask(segmentation: Any, height: int, width: int) -> NDArray[np.bool_]:
    """Draw polygons, plain or compressed run lengths as (H, W), as pycocotools does."""
    from pycocotools import mask as coco_mask

    if isinstance(segmentation, list):
        runs = coco_mask.merge(coco_mask.frPyObjects(segmentation, height, width))
    elif isinstance(segmentation["counts"], list):
        runs = coco_mask.frPyObjects(segmentation, height, width)
    else:
        runs = segmentation
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "__array__ implementation doesn't accept a copy", DeprecationWarning)
        mask: NDArray[np.uint8] = coco_mask.decode(runs)  # its array type lacks the newest keyword of NumPy
    return np.equal(mask, 1)


def _gather_instances(data: dict[str, Any]) -> dict[str, ImageInstances]:
    index_of = {value + 1: index + 1 for index, value in enumerate(THING_IDS)}
    strange = [str(category["id"]) for category in data["categories"] if category["id"] not in index_of]
    if strange:
        raise ValueError(f"category ids {name_some(strange)} are not COCO's")
    found: dict[int, list[tuple[int, Any]]] = {image["id"]: [] for image in data["images"]}
    for annotation in data["annotations"]:
        if not annotation.get("iscrowd") and annotation["image_id"] in found:
            found[annotation["image_id"]].append((index_of[annotation["category_id"]], annotation["segmentation"]))
    return {
        unify(Path(image["file_name"]).stem): ImageInstances(
            (int(image["height"]), int(image["width"])), tuple(found[image["id"]])
        )
        for image in data["images"]
    }
