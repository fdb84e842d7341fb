"""The table of the formats with files of each image: where they lie, and how a result becomes their bytes."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from densezero.errors import OutputError
from densezero.output.coco_panoptic import PANOPTIC, encode_panoptic
from densezero.output.confidence import encode_confidence
from densezero.output.cut_outlines import INSET_PX, CutRegion, cut_regions
from densezero.output.formats import CRS_NAMES
from densezero.output.geojson import encode_geojson
from densezero.output.geotiff import encode_geotiff
from densezero.output.labelme import encode_labelme, encode_labelme_polygons
from densezero.output.labels import check_labels, encode_grey, encode_grey_from_1, encode_labels
from densezero.output.outlines import Rings, trace_rings
from densezero.output.overlay import encode_overlay
from densezero.output.polygons import encode_polygons
from densezero.output.qgis import encode_polygon_style, encode_raster_style
from densezero.output.scores import encode_scores
from densezero.output.training_sets import SPLIT, VOC_MASKS, YOLO_IMAGES
from densezero.output.yolo import encode_yolo
from densezero.vocabulary.classes import ClassList


@dataclass(frozen=True)
class ImageResult:
    """What is known of one image when its files are written."""

    rgb: NDArray[np.uint8]
    """(H, W, 3) the picture."""
    labels: NDArray[np.integer]
    """(H, W) class indices."""
    classes: ClassList
    scores: NDArray[np.floating] | None = None
    """(C, h, w), needed by the ``scores`` format only."""
    confidence: NDArray[np.floating] | None = None
    """(H, W) in 0 to 1, needed by the ``confidence`` format only."""
    source: Path | None = None
    """The file of the picture, needed by formats that hold the picture itself, or its place on the earth."""
    photo: str = ""
    """The name of the picture's file in these formats, without its folder."""
    crs: str = CRS_NAMES[0]
    """The coordinates of ``geojson``."""

    @property
    def hw(self) -> tuple[int, int]:
        """Height and width of the image, pixels."""
        return int(self.labels.shape[0]), int(self.labels.shape[1])

    @cached_property
    def grey(self) -> bytes:
        """The PNG of ``encode_grey``, which several formats share."""
        return encode_grey(self.labels, self.classes)

    @cached_property
    def grey_from_1(self) -> bytes:
        """The PNG of ``encode_grey_from_1``, which several formats share."""
        return encode_grey_from_1(self.labels, self.classes)

    @cached_property
    def rings(self) -> Rings:
        """The outlines of the labels, which several formats share.

        Raises:
            OutputError: if the labels do not belong to the classes.
        """
        check_labels(self.labels, len(self.classes))
        return trace_rings(self.labels, len(self.classes))

    @cached_property
    def inset_regions(self) -> list[CutRegion]:
        """The regions as single rings that lie a little inside them, which several formats share.

        Raises:
            OutputError: if the labels do not belong to the classes.
        """
        return cut_regions(self.rings, INSET_PX)


@dataclass(frozen=True)
class Format:
    """A kind of file per image: its folder, its suffix and how a result becomes its bytes."""

    folder: str
    suffix: str
    """Empty for the picture itself, which keeps its own."""
    encode: Callable[[ImageResult], bytes]
    is_photo: bool = False
    """Whether it is the picture itself. Then it is a hard link where that is possible, else a copy."""
    is_flat: bool = False
    """Whether all files lie in this one folder. Then their names hold the folders of the inputs."""


def _encode_scores(result: ImageResult) -> bytes:
    if result.scores is None:
        raise OutputError("Expected scores for the scores format, got none. Keep the scores, or leave the format away.")
    return encode_scores(result.scores, result.classes)


def _encode_confidence(result: ImageResult) -> bytes:
    if result.confidence is None:
        raise OutputError("Expected the confidence of every pixel for the confidence format, got none.")
    return encode_confidence(result.confidence)


def _read_photo(result: ImageResult) -> bytes:
    if result.source is None:
        raise OutputError("Expected the file of the picture for a format that holds it, got none.")
    return result.source.read_bytes()


def _photo(folder: str, is_flat: bool = False) -> Format:
    return Format(folder, "", _read_photo, is_photo=True, is_flat=is_flat)


FORMATS: dict[str, Format] = {
    "labels": Format("labels", ".png", lambda result: encode_labels(result.labels, result.classes)),
    "grey": Format("grey", ".png", lambda result: result.grey),
    "grey-from-1": Format("grey-from-1", ".png", lambda result: result.grey_from_1),
    "overlay": Format("overlays", ".jpg", lambda result: encode_overlay(result.rgb, result.labels, result.classes)),
    "polygons": Format(
        "polygons", ".geojson", lambda result: encode_polygons(result.labels, result.classes, result.rings)
    ),
    "scores": Format("scores", ".npz", _encode_scores),
    "confidence": Format("confidence", ".png", _encode_confidence),
}
"""The formats with one file of each image, by the name that a person asks with."""

_LAYOUTS: dict[str, tuple[Format, ...]] = {
    "coco-panoptic": (Format(PANOPTIC, ".png", lambda result: encode_panoptic(result.labels, result.classes)),),
    "voc": (
        _photo("voc/JPEGImages"),
        *(Format(f"voc/{folder}", ".png", FORMATS["grey-from-1"].encode) for folder in VOC_MASKS),
    ),
    "datumaro": (
        _photo("datumaro/images", is_flat=True),
        Format("datumaro/masks", ".png", FORMATS["grey-from-1"].encode, is_flat=True),
    ),
    "yolo": (
        _photo(f"yolo/{YOLO_IMAGES}"),
        Format(f"yolo/labels/{SPLIT}", ".txt", lambda result: encode_yolo(result.inset_regions, result.hw)),
    ),
    "yolo-semantic": (
        _photo(f"yolo-semantic/{YOLO_IMAGES}"),
        Format(f"yolo-semantic/masks/{SPLIT}", ".png", FORMATS["grey"].encode),
    ),
    "mmseg": (
        _photo(f"mmseg/img_dir/{SPLIT}"),
        Format(f"mmseg/ann_dir/{SPLIT}", ".png", FORMATS["grey"].encode),
    ),
    "labelme": (
        _photo("labelme"),
        Format("labelme", ".json", lambda result: encode_labelme(result.labels, result.classes, result.photo)),
    ),
    "labelme-polygons": (
        _photo("labelme-polygons"),
        Format(
            "labelme-polygons",
            ".json",
            lambda result: encode_labelme_polygons(result.inset_regions, result.hw, result.classes, result.photo),
        ),
    ),
    "label-studio": (_photo("label-studio/images"),),
    "label-studio-polygons": (_photo("label-studio-polygons/images"),),
    "geotiff": (
        Format("geotiff", ".tif", lambda result: encode_geotiff(result.labels, result.classes, result.source)),
        Format("geotiff", ".qml", lambda result: encode_raster_style(result.classes)),
    ),
    "geojson": (
        Format(
            "geojson",
            ".geojson",
            lambda result: encode_geojson(result.labels, result.classes, result.source, result.crs),
        ),
        Format("geojson", ".qml", lambda result: encode_polygon_style(result.classes)),
    ),
}
"""The files of each image in formats that have several files."""


def image_files(name: str) -> tuple[Format, ...]:
    """The files of each image that belong to a format."""
    return (FORMATS[name],) if name in FORMATS else _LAYOUTS.get(name, ())
