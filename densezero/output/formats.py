"""The names of the formats that a run can write. Importing this loads no library."""

from typing import Final

IMAGE_FORMATS: Final = ("labels", "grey", "grey-from-1", "overlay", "polygons", "scores", "confidence")
"""A file of each image."""

RUN_FORMATS: Final[dict[str, str]] = {
    "csv": "areas.csv", "csv-wide": "areas-wide.csv", "coco": "coco.json", "coco-instances": "coco-instances.json",
    "cvat": "cvat.zip",
}  # fmt: skip
"""A file of the whole run, and where it lies."""

LAYOUTS: Final[dict[str, tuple[str, ...]]] = {
    "coco-panoptic": ("panoptic.json",),
    "voc": ("voc/labelmap.txt", "voc/ImageSets/Segmentation/default.txt"),
    "yolo-semantic": ("yolo-semantic/data.yaml",),
    "mmseg": ("mmseg/dataset.py",),
    "labelme": ("labelme/labels.txt",),
    "label-studio": ("label-studio/tasks.json", "label-studio/config.xml"),
}
"""Several files of each image together with files of the whole run, and where the latter lie."""

MIN_AREA_PX: Final = 64
"""Pixels of the smallest object in ``coco-instances``, where nothing else is asked for: a square of 8 x 8."""

NAMES: Final = (*IMAGE_FORMATS, *RUN_FORMATS, *LAYOUTS)
"""All formats."""

MASK_FORMATS: Final[frozenset[str]] = frozenset({"coco-instances", "coco-panoptic", "cvat", "label-studio"})
"""Formats made of the masks in ``coco.json``. It is written beside them, because a later run goes on from it."""

EIGHT_BIT_FORMATS: Final = frozenset({"cvat", "voc", "yolo-semantic", "mmseg"})
"""Formats whose readers take 8 bits a pixel, and make wrong labels of more."""

ALIASES: Final[dict[str, str]] = {
    "areas": "csv", "table": "csv", "areas-wide": "csv-wide", "masks": "labels", "mask": "labels", "label": "labels",
    "png": "labels", "overlays": "overlay", "jpg": "overlay", "geojson": "polygons", "npz": "scores", "json": "coco",
    "instances": "coco-instances", "panoptic": "coco-panoptic", "pascal": "voc", "datumaro": "voc",
    "yolo": "yolo-semantic", "ultralytics": "yolo-semantic", "mmsegmentation": "mmseg", "labelstudio": "label-studio",
    "gray": "grey", "gray-from-1": "grey-from-1", "fiftyone": "grey-from-1",
}  # fmt: skip
"""What people call a format, for a hint."""


def run_files_of(name: str) -> tuple[str, ...]:
    """The files of the whole run that belong to a format."""
    return (RUN_FORMATS[name],) if name in RUN_FORMATS else LAYOUTS.get(name, ())
