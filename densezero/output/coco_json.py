"""What the COCO files of a run share: masks, categories, and JSON that is written a line at a time."""

import json
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from densezero.errors import DenseZeroWarning
from densezero.output.labels import ignore_value
from densezero.output.run_lengths import decode_counts
from densezero.vocabulary.classes import ClassList

Piece = list[Any]
"""One mask of an image: class index, compressed run lengths, area in pixels, box (x, y, width, height) in pixels.

In place of the run lengths, an object may have a list of polygons ``[x1, y1, x2, y2, ...]``.
"""


@dataclass(frozen=True)
class CocoImage:
    """An image and its masks.

    Args:
        name: of the image's file.
        hw: height and width, pixels.
        pieces: one for each class that occurs.
        stem: the name that its output files share, without their ending.
    """

    name: str
    hw: tuple[int, int]
    pieces: list[Piece]
    stem: str = ""

    @property
    def photo(self) -> str:
        """The name of the picture among the output files of a format that holds it."""
        return f"{self.stem}{PurePath(self.name).suffix}"


def encode_masks(
    starts: NDArray[np.int64],
    ends: NDArray[np.int64],
    masks: NDArray[np.integer],
    classes: Sequence[int],
    hw: tuple[int, ...],
) -> list[Piece]:
    """Make masks from their runs.

    Args:
        starts: (N,) where the runs begin, down the columns.
        ends: (N,) where they end (exclusive), before the next one begins.
        masks: (N,) number of the mask that each run belongs to, from 0; each mask has a run.
        classes: the class of each mask.
        hw: height and width of the image, pixels.

    Returns:
        The masks, by their numbers.
    """
    from pycocotools import mask as coco_mask  # every run imports this module, few write the format

    if not len(classes):
        return []
    order = np.argsort(masks, kind="stable")
    starts, ends = starts[order], ends[order]
    first = np.flatnonzero(np.diff(masks[order], prepend=-1))  # run of each mask
    last = np.append(first[1:], len(order)) - 1
    outside = starts - np.append(0, ends[:-1])
    outside[first] = starts[first]
    counts = np.stack([outside, ends - starts], axis=1)  # outside, inside, outside, ...
    height, width = hw
    runs = []
    for of_mask, rest in zip(np.split(counts, first[1:]), (height * width - ends[last]).tolist(), strict=True):
        after = [rest] if rest else []  # as pycocotools has it, so that equal masks are equal text
        runs.append({"size": [height, width], "counts": of_mask.ravel().tolist() + after})
    encoded = coco_mask.frPyObjects(runs, height, width)
    boxes = coco_mask.toBbox(encoded).tolist()
    areas = np.add.reduceat(ends - starts, first).tolist()
    texts = (mask["counts"].decode("ascii") for mask in encoded)
    return [list(piece) for piece in zip(classes, texts, areas, boxes, strict=True)]


def labels_of(image: CocoImage, n_classes: int) -> NDArray[np.uint16]:
    """Draw the label map that the masks of an image were made of.

    Args:
        image: with one mask for each class that occurs.
        n_classes: C, the number of classes.

    Returns:
        (H, W) class indices; the ignore value where no mask is.
    """
    height, width = image.hw
    ignore = ignore_value(n_classes)
    steps = np.zeros(width * height + 1, np.int32)  # of the labels, column by column
    steps[0] = ignore
    for index, runs, _, _ in image.pieces:
        ends = np.cumsum(decode_counts(runs))  # of runs outside and inside by turns
        steps[ends[: len(ends) // 2 * 2 : 2]] += index - ignore
        steps[ends[1::2]] -= index - ignore
    columns = np.cumsum(steps[:-1], dtype=np.int32).astype(np.uint16)
    return np.ascontiguousarray(columns.reshape(width, height).T)


def category_ids(classes: ClassList) -> list[int]:
    """Choose the category id of each class.

    It is the id that the class came with (``ClassList.ids``), otherwise its class index plus 1. COCO takes 0 for no
    category: where a class came with 0, all ids are one larger, and a warning says so.
    """
    came = classes.ids
    if came is None:
        return [index + 1 for index in range(len(classes))]
    if 0 not in came:
        return list(came)
    note = "a class came with the id 0, which COCO takes for no category: all ids in the COCO file are one larger"
    warnings.warn(note, DenseZeroWarning, stacklevel=2)
    return [number + 1 for number in came]


def categories_of(classes: ClassList, ids: list[int]) -> list[dict[str, Any]]:
    """Give the categories as COCO has them."""
    named = zip(ids, classes.names, strict=True)
    return [{"id": number, "name": name, "supercategory": name} for number, name in named]


def image_of(number: int, image: CocoImage) -> dict[str, Any]:
    """Give an image as COCO has it."""
    return {"id": number, "file_name": image.name, "height": image.hw[0], "width": image.hw[1]}


def annotation_of(count: int, number: int, hw: tuple[int, int], piece: Piece, ids: list[int]) -> dict[str, Any]:
    """Give a mask as COCO has it.

    Args:
        count: id of the mask.
        number: id of the image.
        hw: of the image, pixels.
        piece: the mask.
        ids: of the categories.
    """
    index, shape, area, box = piece
    return {
        "id": count,
        "image_id": number,
        "category_id": ids[index],
        "segmentation": shape if isinstance(shape, list) else {"size": list(hw), "counts": shape},
        "area": area,
        "bbox": box,
        "iscrowd": 0,
    }


def write_sections(file: BinaryIO, description: str, sections: Mapping[str, Iterable[dict[str, Any]]]) -> None:
    """Write lists one after the other, each item on a line of its own; memory holds one item at a time.

    Args:
        file: to write into.
        description: of the file, for ``info``.
        sections: the items of each list.
    """
    file.write(b'{"info": ' + _encode({"description": description}))
    for name, items in sections.items():
        file.write(b',\n"' + name.encode() + b'": [\n')
        lead = b""
        for item in items:
            file.write(lead + _encode(item))
            lead = b",\n"
        file.write(b"\n]")
    file.write(b"}\n")


def _encode(values: dict[str, Any]) -> bytes:
    # ASCII: a file name may hold bytes that are no text
    return json.dumps(values).encode()
