"""Label Studio: one file of tasks for the whole run, with regions as predictions, and the interface for them."""

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final
from urllib.parse import quote
from xml.sax.saxutils import quoteattr

import numpy as np
from numpy.typing import NDArray

from densezero.atomic import write_atomically, write_bytes
from densezero.output.coco_json import CocoImage, labels_of
from densezero.output.cut_outlines import cut_regions
from densezero.output.outlines import trace_rings
from densezero.output.points_text import fill_in, points_text
from densezero.output.run_lengths import column_runs
from densezero.vocabulary.classes import ClassList

_URL = "/data/local-files/?d={}/images/"
_DECIMALS = 6  # of a percent: a thousandth of a pixel in 100,000
_WORD_BITS = 8
_SIZES = (3, 4, 8, 16)  # bits of a length
_LONGEST = 1 << _SIZES[-1]
_CHANNELS = 4  # every pixel counts as red, green, blue and alpha


def brush_rle(starts: NDArray[np.int64], ends: NDArray[np.int64], pixels: int) -> list[int]:
    """Encode a mask as the run lengths of Label Studio's brush.

    The bits, the highest first: 32 count the values, four a pixel; 5 give the word size less 1; four times 4 give the
    sizes of a length less 1. Then each run has a 1, 2 bits that choose the size, its length less 1, and its value, 255
    inside and 0 outside. Runs go along the rows.

    Args:
        starts: (N,) where the runs inside begin, along the rows.
        ends: (N,) where they end (exclusive), before the next one begins.
        pixels: of the image.

    Returns:
        Bytes, each 0 to 255.

    Example:
        >>> brush_rle(np.array([1]), np.array([2]), pixels=2)
        [0, 0, 0, 8, 57, 27, 252, 96, 17, 255, 128]
    """
    edges = np.stack([starts, ends], axis=1).ravel()
    lengths = np.diff(edges, prepend=0, append=pixels) * _CHANNELS  # outside, inside, outside, ...
    inside = (np.arange(len(lengths)) % 2).astype(bool)[lengths > 0]
    lengths = lengths[lengths > 0]
    pieces = -(-lengths // _LONGEST)  # a longer run is cut into pieces
    less_1 = np.full(pieces.sum(), _LONGEST - 1)
    less_1[np.cumsum(pieces) - 1] = (lengths - 1) % _LONGEST
    inside = np.repeat(inside, pieces)
    choice = np.searchsorted([1 << size for size in _SIZES], less_1, side="right")
    sizes = np.array(_SIZES)[choice]
    value = np.where(inside, (1 << _WORD_BITS) - 1, 0)
    codes = ((4 | choice) << sizes | less_1) << _WORD_BITS | value
    code_bits = 3 + sizes + _WORD_BITS
    bits = np.unpackbits((codes << (32 - code_bits)).astype(">u4").view(np.uint8)).reshape(-1, 32)  # a code in front
    body = bits[np.arange(32) < code_bits[:, None]]
    head = f"{pixels * _CHANNELS:032b}{_WORD_BITS - 1:05b}" + "".join(f"{size - 1:04b}" for size in _SIZES)
    content: list[int] = np.packbits(np.concatenate([np.array([*map(int, head)], np.uint8), body])).tolist()
    return content


@dataclass(frozen=True)
class Shapes:
    """How Label Studio draws regions.

    Args:
        form: the name of the format, which is that of its folder.
        tag: of the interface.
        name: of that tag.
        regions: gives the name and the value of each region from an image and its classes.
    """

    form: str
    tag: str
    name: str
    regions: Callable[[CocoImage, ClassList], Iterable[tuple[str, dict[str, Any]]]]


def _brushes(image: CocoImage, classes: ClassList) -> Iterator[tuple[str, dict[str, Any]]]:
    """A mask for each class that occurs."""
    labels = labels_of(image, len(classes))
    starts, ends, values = column_runs(labels.T)  # along the rows
    for index, *_ in image.pieces:
        chosen = values == index
        yield classes.names[index], {"format": "rle", "rle": brush_rle(starts[chosen], ends[chosen], labels.size)}


def _polygons(image: CocoImage, classes: ClassList) -> Iterator[tuple[str, dict[str, Any]]]:
    """A polygon for each connected region along its pixel edges, its holes cut open, in percent of width and height."""
    height, width = image.hw
    for region in cut_regions(trace_rings(labels_of(image, len(classes)), len(classes))):
        percents = region.ring * (100 / width, 100 / height)
        yield classes.names[region.label], {"points": percents, "closed": True}


BRUSHES: Final = Shapes("label-studio", "BrushLabels", "brush", _brushes)
POLYGONS: Final = Shapes("label-studio-polygons", "PolygonLabels", "polygon", _polygons)


def write_tasks(path: Path, images: Iterable[CocoImage], classes: ClassList, shapes: Shapes = BRUSHES) -> None:
    """Write the images of a run as tasks, each with its regions as one prediction.

    A task names its picture by a path below the output folder, which Label Studio serves as local storage. Memory
    holds one image at a time.

    Args:
        path: the file to write or to replace.
        images: with the masks of their classes.
        classes: the classes that the masks belong to.
        shapes: how regions are drawn.

    Raises:
        OutputError: if the file cannot be written.
    """

    def write(file: BinaryIO) -> None:
        lead = b"[\n"
        for image in images:
            file.write(lead + _encode(image, classes, shapes))
            lead = b",\n"
        file.write(b"\n]\n" if lead == b",\n" else b"[]\n")

    write_atomically(path, write, durable=True)


def write_interface(path: Path, classes: ClassList, shapes: Shapes = BRUSHES) -> None:
    """Write the labelling interface of a project, with a brush or a polygon for each class.

    Args:
        path: the file to write or to replace.
        classes: the classes, with their colours.
        shapes: how regions are drawn.

    Raises:
        OutputError: if the file cannot be written.
    """
    colours = (f"#{red:02x}{green:02x}{blue:02x}" for red, green, blue in np.asarray(classes.colours).tolist())
    labels = "".join(
        f"    <Label value={quoteattr(name)} background={quoteattr(colour)}/>\n"
        for name, colour in zip(classes.names, colours, strict=True)
    )
    text = (
        '<View>\n  <Image name="image" value="$image" zoom="true"/>\n'
        f'  <{shapes.tag} name="{shapes.name}" toName="image">\n{labels}  </{shapes.tag}>\n</View>\n'
    )
    write_bytes(path, text.encode())


def _encode(image: CocoImage, classes: ClassList, shapes: Shapes) -> bytes:
    """Encode an image as a task."""
    found = list(shapes.regions(image, classes))
    points = [points_text(value["points"], _DECIMALS) for _, value in found if "points" in value]
    regions = [
        _region(number, image.hw, name, {**value, "points": None} if points else value, shapes)
        for number, (name, value) in enumerate(found, 1)
    ]
    photo = _URL.format(shapes.form) + quote(image.photo, errors="surrogateescape")
    task = {"data": {"image": photo}, "predictions": [{"model_version": "densezero", "result": regions}]}
    return fill_in(json.dumps(task), points).encode()


def _region(number: int, hw: tuple[int, int], name: str, value: dict[str, Any], shapes: Shapes) -> dict[str, Any]:
    kind = shapes.tag.lower()
    return {
        "id": f"region-{number}",  # the editor fails with numbers
        "type": kind,
        "from_name": shapes.name,
        "to_name": "image",
        "original_width": hw[1],
        "original_height": hw[0],
        "image_rotation": 0,
        "value": {**value, kind: [name]},
    }
