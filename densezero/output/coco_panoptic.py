"""COCO panoptic: one segment for each class of an image, as PNG files and one JSON for the whole run."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, BinaryIO, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from densezero.atomic import write_atomically
from densezero.output.coco_json import CocoImage, categories_of, category_ids, image_of, write_sections
from densezero.output.labels import check_labels
from densezero.output.picture import encode_flat_png
from densezero.vocabulary.classes import ClassList

PANOPTIC: Final = "panoptic"
"""The folder of the PNG files. The JSON has the same name with an ending, and lies beside it."""


def encode_panoptic(labels: NDArray[np.integer], classes: ClassList) -> bytes:
    """Encode a label map as a PNG of segment ids: id = red + 256 green + 65536 blue.

    Args:
        labels: (H, W) class indices, or the ignore value.
        classes: the C classes.

    Returns:
        The bytes of an 8-bit RGB PNG. The id is the class index plus 1, and 0 for no class.

    Raises:
        OutputError: the labels do not belong to the classes.
    """
    check_labels(labels, len(classes))
    ids = np.where(labels < len(classes), labels.astype(np.int32) + 1, 0)  # (H, W)
    rgb = np.stack([ids & 255, ids >> 8, np.zeros_like(ids)], axis=2).astype(np.uint8)  # (H, W, 3)
    return encode_flat_png(Image.fromarray(rgb))


def write_panoptic(path: Path, images: Callable[[], Iterable[CocoImage]], classes: ClassList) -> None:
    """Write the segments of many images as one file; memory holds one image at a time.

    Every category is stuff (``isthing`` 0): a class is one segment of an image, whatever its parts. The ids of images
    and categories are those of ``write_coco``.

    Args:
        path: the file to write or to replace.
        images: gives all images with the masks of their classes, each time it is called.
        classes: the classes that the masks belong to.

    Raises:
        OutputError: if the file cannot be written.
    """
    ids = category_ids(classes)

    def write(file: BinaryIO) -> None:
        colours = ({"isthing": 0, "color": [int(part) for part in colour]} for colour in classes.colours)
        sections = {
            "categories": ({**one, **more} for one, more in zip(categories_of(classes, ids), colours, strict=True)),
            "images": (image_of(number, image) for number, image in enumerate(images(), 1)),
            "annotations": (_annotation(number, image, ids) for number, image in enumerate(images(), 1)),
        }
        write_sections(file, "segments by densezero, one for each class of an image", sections)

    write_atomically(path, write, durable=True)


def _annotation(number: int, image: CocoImage, ids: list[int]) -> dict[str, Any]:
    segments = [
        {"id": index + 1, "category_id": ids[index], "area": area, "bbox": box, "iscrowd": 0}
        for index, _, area, box in image.pieces
    ]
    return {"image_id": number, "file_name": f"{image.stem}.png", "segments_info": segments}
