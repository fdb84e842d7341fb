"""COCO instances: every connected region of a class as an object of its own, in one file for the whole run."""

import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from densezero.atomic import write_atomically
from densezero.output.coco_json import (
    CocoImage,
    Piece,
    annotation_of,
    categories_of,
    category_ids,
    encode_masks,
    image_of,
    labels_of,
    write_sections,
)
from densezero.output.cut_outlines import cut_regions
from densezero.output.formats import MIN_AREA_PX, OBJECT_FORMATS, RUN_FORMATS
from densezero.output.outlines import trace_rings
from densezero.output.run_lengths import column_runs
from densezero.vocabulary.classes import ClassList

OBJECT_FILES: Final = tuple(RUN_FORMATS[name] for name in OBJECT_FORMATS)
_SAYS_AREA: Final = "px or more"


def write_instances(
    path: Path,
    images: Callable[[], Iterable[CocoImage]],
    classes: ClassList,
    min_area_px: int = MIN_AREA_PX,
    as_polygons: bool = False,
) -> None:
    """Write the connected regions of many images as one file; memory holds one image at a time.

    Pixels that share an edge are connected, pixels that share only a corner are not. Holes stay holes; in polygons they
    are cut open. The ids are those of ``write_coco``.

    Args:
        path: the file to write or to replace.
        images: gives all images with the masks of their classes, each time it is called.
        classes: the classes that the masks belong to.
        min_area_px: smaller regions are left out.
        as_polygons: write a polygon for each region, not run lengths.

    Raises:
        OutputError: if the file cannot be written.
    """
    ids = category_ids(classes)
    encode = polygon_pieces if as_polygons else region_pieces

    def regions() -> Iterator[tuple[int, tuple[int, int], Piece]]:
        for number, image in enumerate(images(), 1):
            for piece in encode(labels_of(image, len(classes)), len(classes), min_area_px):
                yield number, image.hw, piece

    def write(file: BinaryIO) -> None:
        annotations = (annotation_of(count, *region, ids) for count, region in enumerate(regions(), 1))
        write_sections(
            file,
            f"objects by densezero: connected regions of {min_area_px} {_SAYS_AREA}",
            {
                "categories": categories_of(classes, ids),
                "images": (image_of(number, image) for number, image in enumerate(images(), 1)),
                "annotations": annotations,
            },
        )

    write_atomically(path, write, durable=True)


def region_pieces(labels: NDArray[np.integer], n_classes: int, min_area_px: int) -> list[Piece]:
    """Encode every connected region of a label map.

    Args:
        labels: (H, W) class indices; pixels of other values are in no region.
        n_classes: C, the number of classes.
        min_area_px: smaller regions are left out.

    Returns:
        The regions by class, and those of a class from top to bottom by their first pixel.

    Example:
        >>> regions = region_pieces(np.array([[0, 1, 0], [0, 1, 1]], np.uint8), 2, min_area_px=2)
        >>> [(index, area, box) for index, _, area, box in regions]
        [(0, 2, [0.0, 0.0, 1.0, 2.0]), (1, 3, [1.0, 0.0, 2.0, 2.0])]
    """
    numbers, classes_of = _number_regions(labels, n_classes)
    starts, ends, values = column_runs(numbers)
    areas = np.bincount(values, ends - starts, minlength=len(classes_of) + 1)
    kept = areas >= min_area_px
    kept[0] = False  # no class
    inside = kept[values]
    masks = (np.cumsum(kept) - 1)[values[inside]]
    classes = [index for index, is_kept in zip(classes_of, kept[1:].tolist(), strict=True) if is_kept]
    return encode_masks(starts[inside], ends[inside], masks, classes, labels.shape)


def polygon_pieces(labels: NDArray[np.integer], n_classes: int, min_area_px: int) -> list[Piece]:
    """Encode every connected region of a label map as one polygon along its pixel edges, its holes cut open.

    Args:
        labels: (H, W) class indices; pixels of other values are in no region.
        n_classes: C, the number of classes.
        min_area_px: smaller regions are left out.

    Returns:
        The regions from top to bottom by their first pixel.

    Example:
        >>> polygon_pieces(np.array([[0, 1, 0], [0, 1, 1]], np.uint8), 2, min_area_px=3)
        [[1, [[1, 0, 2, 0, 2, 1, 3, 1, 3, 2, 1, 2]], 3, [1.0, 0.0, 2.0, 2.0]]]
    """
    pieces = []
    for region in cut_regions(trace_rings(labels, n_classes), min_area_px=min_area_px):
        box = [*region.ring.min(axis=0).tolist(), *np.ptp(region.ring, axis=0).tolist()]
        pieces.append([region.label, [region.ring.astype(np.int64).ravel().tolist()], region.area_px, box])
    return pieces


def min_area_of(path: Path) -> int | None:
    """Read the ``min_area_px`` that a file of ``write_instances`` was made with; None for any other file."""
    try:
        with path.open("rb") as file:
            about = json.loads(file.readline().decode().rstrip().rstrip(",") + "}")
        words = str(about["info"]["description"]).split()
        return int(words[words.index("px") - 1])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _number_regions(labels: NDArray[np.integer], n_classes: int) -> tuple[NDArray[np.int32], list[int]]:
    """(H, W) numbers of the regions from 1, 0 for no class; and the class of each region."""
    numbers = np.zeros(labels.shape, np.int32)
    classes_of: list[int] = []
    for index in np.unique(labels[labels < n_classes]).tolist():
        mask = labels == index
        rows, columns = _extent(mask.any(1)), _extent(mask.any(0))
        inside = mask[rows, columns]
        count, found = cv2.connectedComponents(inside.astype(np.uint8), connectivity=4)
        numbers[rows, columns][inside] = found[inside] + len(classes_of)
        classes_of += [index] * (count - 1)
    return numbers, classes_of


def _extent(has: NDArray[np.bool_]) -> slice:
    places = np.flatnonzero(has)
    return slice(int(places[0]), int(places[-1]) + 1)
