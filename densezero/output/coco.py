"""COCO: the masks of a whole run in one file, which ``pycocotools.coco.COCO`` loads."""

import io
import json
import warnings
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from densezero.atomic import write_atomically
from densezero.errors import DenseZeroWarning, OutputError
from densezero.output.labels import check_labels
from densezero.vocabulary.classes import ClassList

Piece = list[Any]
"""One mask of an image: class index, compressed run lengths, area in pixels, box (x, y, width, height) in pixels."""


@dataclass(frozen=True)
class CocoImage:
    """An image and its masks.

    Args:
        name: of the image's file.
        hw: height and width, pixels.
        pieces: one for each class that occurs.
    """

    name: str
    hw: tuple[int, int]
    pieces: list[Piece]


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
    starts, ends, values = _column_runs(labels)
    pieces = []
    for index in np.unique(values[values < n_classes]):
        chosen = values == index
        pieces.append(_piece(int(index), starts[chosen], ends[chosen], labels.shape))
    return pieces


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
    ids = _category_ids(classes)
    write_atomically(path, lambda file: _write(file, images, classes, ids), durable=True)


def encode_coco(labels: NDArray[np.integer], classes: ClassList, name: str = "") -> bytes:
    """Encode the masks of one image as a COCO file, as ``write_coco`` writes many."""
    file = io.BytesIO()
    image = CocoImage(name, (int(labels.shape[0]), int(labels.shape[1])), coco_pieces(labels, len(classes)))
    _write(file, lambda: [image], classes, _category_ids(classes))
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


def _column_runs(labels: NDArray[np.integer]) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.integer]]:
    """Starts, ends (exclusive) and labels of the runs, down the columns as COCO counts them."""
    flat = labels.T.ravel()
    inner = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    starts = np.concatenate([[0], inner])
    return starts, np.append(inner, flat.size), flat[starts]


def _piece(index: int, starts: NDArray[np.int64], ends: NDArray[np.int64], hw: tuple[int, ...]) -> Piece:
    """The mask of one class from its runs."""
    from pycocotools import mask as coco_mask  # every run imports this module, few write the format

    height, width = hw
    edges = np.stack([starts, ends], axis=1).ravel()
    counts = np.diff(edges, prepend=0, append=height * width).tolist()  # outside, inside, outside, ...
    if counts[-1] == 0:  # as pycocotools has it, so that equal masks are equal text
        counts.pop()
    mask = coco_mask.frPyObjects({"size": [height, width], "counts": counts}, height, width)
    box = [float(side) for side in coco_mask.toBbox(mask)]
    return [index, mask["counts"].decode("ascii"), int((ends - starts).sum()), box]


def _category_ids(classes: ClassList) -> list[int]:
    came = classes.ids
    if came is None:
        return [index + 1 for index in range(len(classes))]
    if 0 not in came:
        return list(came)
    note = "a class came with the id 0, which COCO takes for no category: all ids in the COCO file are one larger"
    warnings.warn(note, DenseZeroWarning, stacklevel=2)
    return [number + 1 for number in came]


def _write(file: BinaryIO, images: Callable[[], Iterable[CocoImage]], classes: ClassList, ids: list[int]) -> None:
    """Write a list after the other, each item on a line of its own."""
    about = {"description": "masks by densezero, one for each class of an image"}
    categories = ({"id": number, "name": name} for number, name in zip(ids, classes.names, strict=True))
    file.write(b'{"info": ' + _encode(about) + b',\n"categories": [\n')
    _write_list(file, categories)
    file.write(b'],\n"images": [\n')
    _write_list(file, (_image(number, image) for number, image in enumerate(images(), 1)))
    file.write(b'],\n"annotations": [\n')
    masks = ((number, image, piece) for number, image in enumerate(images(), 1) for piece in image.pieces)
    _write_list(file, (_annotation(count, *mask, ids) for count, mask in enumerate(masks, 1)))
    file.write(b"]}\n")


def _write_list(file: BinaryIO, items: Iterable[dict[str, Any]]) -> None:
    lead = b""
    for item in items:
        file.write(lead + _encode(item))
        lead = b",\n"
    file.write(b"\n")


def _image(number: int, image: CocoImage) -> dict[str, Any]:
    return {"id": number, "file_name": image.name, "height": image.hw[0], "width": image.hw[1]}


def _annotation(count: int, number: int, image: CocoImage, piece: Piece, ids: list[int]) -> dict[str, Any]:
    index, runs, area, box = piece
    return {
        "id": count,
        "image_id": number,
        "category_id": ids[index],
        "segmentation": {"size": list(image.hw), "counts": runs},
        "area": area,
        "bbox": box,
        "iscrowd": 0,
    }


def _encode(values: dict[str, Any]) -> bytes:
    # ASCII: a file name may hold bytes that are no text
    return json.dumps(values).encode()


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
