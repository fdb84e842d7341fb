"""Label Studio: one file of tasks for the whole run, with the masks as predictions, and the interface for them."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import quote
from xml.sax.saxutils import quoteattr

import numpy as np
from numpy.typing import NDArray

from densezero.atomic import write_atomically, write_bytes
from densezero.output.coco_json import CocoImage, labels_of
from densezero.vocabulary.classes import ClassList

_URL = "/data/local-files/?d=label-studio/images/"
_WORD_BITS = 8
_SIZES = (3, 4, 8, 16)  # bits of a length
_LONGEST = 1 << _SIZES[-1]
_CHANNELS = 4  # every pixel counts as red, green, blue and alpha


def brush_rle(mask: NDArray[np.bool_]) -> list[int]:
    """Encode a mask as the run lengths of Label Studio's brush.

    The bits, the highest first: 32 count the values, four a pixel; 5 give the word size less 1; four times 4 give the
    sizes of a length less 1. Then each run has a 1, 2 bits that choose the size, its length less 1, and its value, 255
    inside and 0 outside. Runs go along the rows.

    Args:
        mask: (H, W).

    Returns:
        Bytes, each 0 to 255.

    Example:
        >>> brush_rle(np.array([[False, True]]))
        [0, 0, 0, 8, 57, 27, 252, 96, 17, 255, 128]
    """
    flat = mask.ravel()
    starts = np.concatenate([[0], np.flatnonzero(flat[1:] != flat[:-1]) + 1])
    lengths = np.diff(starts, append=flat.size) * _CHANNELS
    bits = [f"{flat.size * _CHANNELS:032b}{_WORD_BITS - 1:05b}", *(f"{size - 1:04b}" for size in _SIZES)]
    for length, is_inside in zip(lengths.tolist(), flat[starts].tolist(), strict=True):
        value = "1" * _WORD_BITS if is_inside else "0" * _WORD_BITS
        while length > 0:
            part = min(length, _LONGEST)
            choice = next(index for index, size in enumerate(_SIZES) if part <= 1 << size)
            bits.append(f"1{choice:02b}{part - 1:0{_SIZES[choice]}b}{value}")
            length -= part
    text = "".join(bits)
    text += "0" * (-len(text) % 8)
    return list(int(text, 2).to_bytes(len(text) // 8, "big"))


def write_tasks(path: Path, images: Iterable[CocoImage], classes: ClassList) -> None:
    """Write the images of a run as tasks, each with the masks of its classes as one prediction.

    A task names its picture by a path below the output folder, which Label Studio serves as local storage. Memory
    holds one image at a time.

    Args:
        path: the file to write or to replace.
        images: with the masks of their classes.
        classes: the classes that the masks belong to.

    Raises:
        OutputError: if the file cannot be written.
    """

    def write(file: BinaryIO) -> None:
        lead = b"[\n"
        for image in images:
            file.write(lead + json.dumps(_task(image, classes)).encode())
            lead = b",\n"
        file.write(b"\n]\n" if lead == b",\n" else b"[]\n")

    write_atomically(path, write, durable=True)


def write_interface(path: Path, classes: ClassList) -> None:
    """Write the labelling interface of a project, with a brush for each class.

    Args:
        path: the file to write or to replace.
        classes: the classes, with their colours.

    Raises:
        OutputError: if the file cannot be written.
    """
    colours = (f"#{red:02x}{green:02x}{blue:02x}" for red, green, blue in np.asarray(classes.colours).tolist())
    brushes = "".join(
        f"    <Label value={quoteattr(name)} background={quoteattr(colour)}/>\n"
        for name, colour in zip(classes.names, colours, strict=True)
    )
    text = (
        '<View>\n  <Image name="image" value="$image" zoom="true"/>\n'
        f'  <BrushLabels name="brush" toName="image">\n{brushes}  </BrushLabels>\n</View>\n'
    )
    write_bytes(path, text.encode())


def _task(image: CocoImage, classes: ClassList) -> dict[str, Any]:
    labels = labels_of(image, len(classes))
    regions = [_region(labels == index, index, classes.names[index]) for index, *_ in image.pieces]
    prediction = {"model_version": "densezero", "result": regions}
    return {"data": {"image": _URL + quote(image.photo, errors="surrogateescape")}, "predictions": [prediction]}


def _region(mask: NDArray[np.bool_], index: int, name: str) -> dict[str, Any]:
    height, width = mask.shape
    return {
        "id": f"class-{index}",  # the editor fails with numbers
        "type": "brushlabels",
        "from_name": "brush",
        "to_name": "image",
        "original_width": width,
        "original_height": height,
        "image_rotation": 0,
        "value": {"format": "rle", "rle": brush_rle(mask), "brushlabels": [name]},
    }
