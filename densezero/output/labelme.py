"""LabelMe: a JSON file beside each picture, with a mask for each class or a polygon for each region."""

import base64
import json
from collections.abc import Iterable, Sequence
from pathlib import PurePath
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from densezero.errors import OutputError
from densezero.output.cut_outlines import CutRegion
from densezero.output.labels import check_labels
from densezero.output.picture import encode_flat_png
from densezero.output.points_text import fill_in, points_text
from densezero.vocabulary.classes import ClassList

_VERSION = "5.5.0"  # of the format; the first versions knew no masks
_DECIMALS = 3  # of a pixel: ``INSET_PX`` has no more


def encode_labelme(labels: NDArray[np.integer], classes: ClassList, photo: str) -> bytes:
    """Encode a label map as the annotations of a picture in LabelMe. Masks keep holes, polygons would not.

    Args:
        labels: (H, W) class indices; pixels of the ignore value are in no mask.
        classes: the C classes.
        photo: the name of the picture's file, which lies beside the JSON.

    Returns:
        ASCII JSON with a shape of the type ``mask`` for each class that occurs. Its points are the first and the last
        pixel of the class's box (x, y), and its mask is a PNG of the box, 1 inside.

    Raises:
        OutputError: the labels do not belong to the classes.
    """
    check_labels(labels, len(classes))
    present = np.unique(labels[labels < len(classes)]).tolist()
    return _encode(
        [_mask_shape(labels == index, classes.names[index]) for index in present], labels.shape, photo
    ).encode()


def encode_labelme_polygons(regions: Sequence[CutRegion], hw: tuple[int, int], classes: ClassList, photo: str) -> bytes:
    """Encode the regions of a label map as the annotations of a picture in LabelMe.

    LabelMe fills the pixels that an outline runs through, so the rings lie a little inside their regions. Then the
    pixels that it fills are those of the region.

    Args:
        regions: of the label map, each as one ring with an inset of ``INSET_PX``.
        hw: height and width of the picture, pixels.
        classes: the C classes.
        photo: the name of the picture's file, which lies beside the JSON.

    Returns:
        ASCII JSON with a shape of the type ``polygon`` for each connected region, its holes cut open.
    """
    shapes = [_shape("polygon", classes.names[region.label], None) for region in regions]
    points = (points_text(region.ring, _DECIMALS) for region in regions)
    return fill_in(_encode(shapes, hw, photo), points).encode()


def refuse_json_pictures(relatives: Iterable[PurePath | str]) -> None:
    """Refuse pictures whose files would have the names of the JSON files beside them.

    Args:
        relatives: the pictures' paths below the input folder.

    Raises:
        OutputError: if one of them ends in ``.json``.
    """
    if bad := [str(relative) for relative in relatives if PurePath(relative).suffix.lower() == ".json"]:
        raise OutputError(f"Expected no picture that ends in .json for labelme, got {bad[0]}. Rename it.")


def _encode(shapes: list[dict[str, Any]], hw: tuple[int, ...], photo: str) -> str:
    """Write the annotations of a picture of (height, width) pixels."""
    content: dict[str, Any] = {
        "version": _VERSION,
        "flags": {},
        "shapes": shapes,
        "imagePath": photo,
        "imageData": None,
        "imageHeight": hw[0],
        "imageWidth": hw[1],
    }
    return json.dumps(content)  # ASCII: a file name may hold bytes that are no text


def _shape(kind: str, name: str, points: list[list[float]] | None) -> dict[str, Any]:
    """Give a shape as LabelMe has it; without points for ``fill_in``."""
    return {
        "label": name,
        "points": points,
        "group_id": None,
        "description": "",
        "shape_type": kind,
        "flags": {},
    }


def _mask_shape(mask: NDArray[np.bool_], name: str) -> dict[str, Any]:
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    top, bottom, left, right = (int(end) for end in (rows[0], rows[-1], columns[0], columns[-1]))
    png = encode_flat_png(Image.fromarray(mask[top : bottom + 1, left : right + 1]))  # a bit for each pixel
    points = [[float(left), float(top)], [float(right), float(bottom)]]
    return {**_shape("mask", name, points), "mask": base64.b64encode(png).decode("ascii")}
