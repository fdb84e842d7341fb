"""The names of the formats that a run can write. Importing this loads no library."""

from typing import Final

IMAGE_FORMATS: Final = ("labels", "grey", "grey-from-1", "overlay", "polygons", "scores", "confidence")
"""A file of each image."""

RUN_FORMATS: Final[dict[str, str]] = {
    "csv": "areas.csv", "csv-wide": "areas-wide.csv", "coco": "coco.json", "coco-instances": "coco-instances.json",
    "coco-instances-polygons": "coco-instances-polygons.json", "cvat": "cvat.zip",
}  # fmt: skip
"""A file of the whole run, and where it lies."""

LAYOUTS: Final[dict[str, tuple[str, ...]]] = {
    "coco-panoptic": ("panoptic.json",),
    "voc": ("voc/labelmap.txt", "voc/ImageSets/Segmentation/default.txt"),
    "datumaro": ("datumaro/dataset_meta.json",),
    "yolo": ("yolo/data.yaml",),
    "yolo-semantic": ("yolo-semantic/data.yaml",),
    "mmseg": ("mmseg/dataset.py",),
    "labelme": ("labelme/labels.txt",),
    "labelme-polygons": ("labelme-polygons/labels.txt",),
    "label-studio": ("label-studio/tasks.json", "label-studio/config.xml"),
    "label-studio-polygons": ("label-studio-polygons/tasks.json", "label-studio-polygons/config.xml"),
    "geotiff": (),
    "geojson": (),
}
"""Several files of each image together with files of the whole run, and where the latter lie."""

CRS_NAMES: Final = ("lonlat", "image")
"""Coordinates of ``geojson``: longitude and latitude, or those of the image."""

NATIVE_FORMATS: Final = ("labels", "grey", "grey-from-1", "overlay", "csv", "csv-wide", "geotiff")
"""Formats of scenes that are larger than memory. The others need all of an image at once."""

MIN_AREA_PX: Final = 64
"""Pixels of the smallest object in ``OBJECT_FORMATS``, where nothing else is asked for: a square of 8 x 8."""

OBJECT_FORMATS: Final = ("coco-instances", "coco-instances-polygons")
"""Formats of connected regions that leave out small ones."""

NAMES: Final = (*IMAGE_FORMATS, *RUN_FORMATS, *LAYOUTS)
"""All formats."""

PICTURE_FORMATS: Final = tuple(name for name in NAMES if name != "geojson")
"""The formats of any picture. The others need one that has a place on the earth."""

MASK_FORMATS: Final[frozenset[str]] = frozenset(
    {*OBJECT_FORMATS, "coco-panoptic", "cvat", "label-studio", "label-studio-polygons"}
)
"""Formats made of the masks in ``coco.json``. It is written beside them, because a later run goes on from it."""

VIDEO_FORMATS: Final = (
    "labels", "grey", "grey-from-1", "overlay", "polygons", "scores", "confidence", "csv", "csv-wide",
)  # fmt: skip
"""Formats that frames of a film can be written in. The others name or hold the file of each picture."""

FILM_SUFFIXES: Final = (".mp4", ".m4v", ".mov", ".avi", ".mkv", ".webm", ".mpg", ".mpeg", ".wmv")
"""How films are often called. A film that is read may have any name."""

EIGHT_BIT_FORMATS: Final = frozenset({"cvat", "voc", "datumaro", "yolo-semantic", "mmseg"})
"""Formats whose readers take 8 bits a pixel, and make wrong labels of more."""

ALIASES: Final[dict[str, str]] = {
    "areas": "csv", "table": "csv", "areas-wide": "csv-wide", "masks": "labels", "mask": "labels", "label": "labels",
    "png": "labels", "overlays": "overlay", "jpg": "overlay",
    "shapefile": "geojson", "tif": "geotiff", "tiff": "geotiff", "npz": "scores", "json": "coco",
    "instances": "coco-instances", "panoptic": "coco-panoptic", "pascal": "voc",
    "ultralytics": "yolo-semantic", "mmsegmentation": "mmseg", "labelstudio": "label-studio",
    "gray": "grey", "gray-from-1": "grey-from-1", "fiftyone": "grey-from-1",
}  # fmt: skip
"""What people call a format, for a hint."""

MAP_FORMATS: Final[dict[str, tuple[str, ...]]] = {
    "depth": ("png", "npz", "picture", "ply"),
    "normals": ("png", "npz"),
    "segmentation": ("png", "picture"),
}
"""What ``depth`` and ``normals`` can write of each image, by the task of a head."""


def run_files_of(name: str) -> tuple[str, ...]:
    """The files of the whole run that belong to a format."""
    return (RUN_FORMATS[name],) if name in RUN_FORMATS else LAYOUTS.get(name, ())
