"""LabelMe: a JSON file beside each picture, with a mask for each class."""

import base64
import json
from collections.abc import Iterable
from pathlib import PurePath
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from densezero.errors import OutputError
from densezero.output.labels import check_labels
from densezero.output.picture import encode_flat_png
from densezero.vocabulary.classes import ClassList

_VERSION = "5.5.0"  # of the format; the first versions knew no masks


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
    height, width = labels.shape
    present = np.unique(labels[labels < len(classes)]).tolist()
    content = {
        "version": _VERSION,
        "flags": {},
        "shapes": [_shape(labels == index, classes.names[index]) for index in present],
        "imagePath": photo,
        "imageData": None,
        "imageHeight": height,
        "imageWidth": width,
    }
    return json.dumps(content, indent=1).encode()  # ASCII: a file name may hold bytes that are no text


def refuse_json_pictures(relatives: Iterable[PurePath | str]) -> None:
    """Refuse pictures whose files would have the names of the JSON files beside them.

    Args:
        relatives: the pictures' paths below the input folder.

    Raises:
        OutputError: if one of them ends in ``.json``.
    """
    if bad := [str(relative) for relative in relatives if PurePath(relative).suffix.lower() == ".json"]:
        raise OutputError(f"Expected no picture that ends in .json for labelme, got {bad[0]}. Rename it.")


def _shape(mask: NDArray[np.bool_], name: str) -> dict[str, Any]:
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    top, bottom, left, right = (int(end) for end in (rows[0], rows[-1], columns[0], columns[-1]))
    png = encode_flat_png(Image.fromarray(mask[top : bottom + 1, left : right + 1].astype(np.uint8)))
    return {
        "label": name,
        "points": [[float(left), float(top)], [float(right), float(bottom)]],
        "group_id": None,
        "description": "",
        "shape_type": "mask",
        "flags": {},
        "mask": base64.b64encode(png).decode("ascii"),
    }
