"""COCO: the masks of a whole run in one file, which ``pycocotools.coco.COCO`` loads."""

import io
import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from densezero.atomic import write_atomically
from densezero.errors import OutputError
from densezero.output.coco_json import (
    CocoImage,
    Piece,
    annotation_of,
    categories_of,
    category_ids,
    encode_masks,
    image_of,
    write_sections,
)
from densezero.output.labels import check_labels
from densezero.output.run_lengths import column_runs
from densezero.vocabulary.classes import ClassList


def coco_pieces(labels: NDArray[np.integer], n_classes: int) -> list[Piece]:
    """Encode the mask of each class that occurs.

    Args:
        labels: (H, W) class indices; pixels of the ignore value are in no mask.
        n_classes: C, the number of classes.

    Returns:
        The masks in the order of the class index, as JSON keeps them.

    Raises:
        OutputError: the labels do not belong to that many classes.
    """
    check_labels(labels, n_classes)
    starts, ends, values = column_runs(labels)
    inside = values < n_classes
    present, masks = np.unique(values[inside], return_inverse=True)
    return encode_masks(starts[inside], ends[inside], masks, present.tolist(), labels.shape)


def write_coco(path: Path, images: Callable[[], Iterable[CocoImage]], classes: ClassList) -> None:
    """Write the masks of many images as one file, an image or a mask a line; memory holds one image at a time.

    Images and masks have ids from 1. A category has the id that its class came with (``ClassList.ids``), otherwise its
    class index plus 1. COCO takes 0 for no category: where a class came with 0, all ids are shifted by one.

    Args:
        path: the file to write or to replace.
        images: gives all images, each time it is called.
        classes: the classes that the indices belong to.

    Raises:
        OutputError: if the file cannot be written.
    """
    ids = category_ids(classes)
    write_atomically(path, lambda file: _write(file, images, classes, ids), durable=True)


def encode_coco(labels: NDArray[np.integer], classes: ClassList, name: str = "") -> bytes:
    """Encode the masks of one image as a COCO file, as ``write_coco`` writes many."""
    file = io.BytesIO()
    image = CocoImage(name, (int(labels.shape[0]), int(labels.shape[1])), coco_pieces(labels, len(classes)))
    _write(file, lambda: [image], classes, category_ids(classes))
    return file.getvalue()


def read_coco(path: Path) -> Iterator[tuple[str, list[Piece]]]:
    """Read back what ``write_coco`` wrote: the name and the masks of each image, one image at a time.

    Raises:
        OutputError: if the file is not one that ``write_coco`` wrote.
    """
    try:
        with path.open("rb") as images, path.open("rb") as annotations:
            _skip_to(annotations, b'"annotations": [')
            index_of = _index_of_ids(path)
            _skip_to(images, b'"images": [')
            mask = _next_line(annotations)
            while (image := _next_line(images)) is not None:
                pieces = []
                while mask is not None and mask["image_id"] == image["id"]:
                    runs = mask["segmentation"]["counts"]
                    pieces.append([index_of[mask["category_id"]], runs, mask["area"], mask["bbox"]])
                    mask = _next_line(annotations)
                yield image["file_name"], pieces
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise OutputError(
            f"{path} is not what an earlier run wrote ({type(error).__name__}: {error}), so its masks cannot be kept. "
            "Choose another --out, or make all again with --overwrite."
        ) from None


def _write(file: BinaryIO, images: Callable[[], Iterable[CocoImage]], classes: ClassList, ids: list[int]) -> None:
    masks = ((number, image, piece) for number, image in enumerate(images(), 1) for piece in image.pieces)
    write_sections(
        file,
        "masks by densezero, one for each class of an image",
        {
            "categories": categories_of(classes, ids),
            "images": (image_of(number, image) for number, image in enumerate(images(), 1)),
            "annotations": (
                annotation_of(count, number, image.hw, piece, ids)
                for count, (number, image, piece) in enumerate(masks, 1)
            ),
        },
    )


def _skip_to(file: BinaryIO, line: bytes) -> None:
    """Go to the line after this one."""
    for other in file:
        if other.rstrip() == line:
            return
    raise ValueError(f"no line {line.decode()}")


def _next_line(file: BinaryIO) -> dict[str, Any] | None:
    """The next item of a list; None at its end."""
    line = file.readline().rstrip().rstrip(b",")
    if not line.startswith(b"{"):
        return None
    values: dict[str, Any] = json.loads(line)
    return values


def _index_of_ids(path: Path) -> dict[int, int]:
    """The class index of each category's id."""
    with path.open("rb") as file:
        _skip_to(file, b'"categories": [')
        ids = []
        while (category := _next_line(file)) is not None:
            ids.append(category["id"])
    return {number: index for index, number in enumerate(ids)}
