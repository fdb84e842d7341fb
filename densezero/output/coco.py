"""COCO run-length masks: one JSON list per image, one entry per class that occurs."""

import json
from typing import Any

import numpy as np
from numpy.typing import NDArray

from densezero.output.labels import check_labels
from densezero.vocabulary.classes import ClassList


def encode_coco(labels: NDArray[np.integer], classes: ClassList) -> bytes:
    """Encode the mask of each class that occurs as a compressed COCO run-length mask.

    ``category_id`` is the class index, counted from 0. ``pycocotools.mask.decode(entry["segmentation"])`` gives the
    mask back; with an ``image_id`` added to each entry, the list is what ``COCO.loadRes`` takes.

    Args:
        labels: (H, W) class indices; pixels of the ignore value are in no mask.
        classes: the classes that the indices belong to.

    Returns:
        UTF-8 JSON: a list of ``{category_id, category_name, segmentation: {size: [H, W], counts}, area, bbox,
        iscrowd}``, in the order of the class index; ``area`` in pixels, ``bbox`` as x, y, width, height in pixels.

    Raises:
        OutputError: the labels do not belong to the classes.
    """
    check_labels(labels, len(classes))
    starts, ends, values = _column_runs(labels)
    names = classes.names
    entries = []
    for index in np.unique(values[values < len(classes)]):
        chosen = values == index
        entries.append(_entry(int(index), names[index], starts[chosen], ends[chosen], labels.shape))
    return json.dumps(entries, ensure_ascii=False).encode()


def _column_runs(labels: NDArray[np.integer]) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.integer]]:
    """Starts, ends (exclusive) and labels of the runs, down the columns as COCO counts them."""
    flat = labels.T.ravel()
    inner = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    starts = np.concatenate([[0], inner])
    return starts, np.append(inner, flat.size), flat[starts]


def _entry(
    index: int, name: str, starts: NDArray[np.int64], ends: NDArray[np.int64], hw: tuple[int, ...]
) -> dict[str, Any]:
    """The COCO entry of one class from its runs."""
    from pycocotools import mask as coco_mask  # every run imports this module, few write the format

    height, width = hw
    edges = np.stack([starts, ends], axis=1).ravel()
    counts = np.diff(edges, prepend=0, append=height * width).tolist()  # outside, inside, outside, ...
    if counts[-1] == 0:  # as pycocotools has it, so that equal masks are equal text
        counts.pop()
    mask = coco_mask.frPyObjects({"size": [height, width], "counts": counts}, height, width)
    return {
        "category_id": index,
        "category_name": name,
        "segmentation": {"size": [height, width], "counts": mask["counts"].decode("ascii")},
        "area": int((ends - starts).sum()),
        "bbox": [float(side) for side in coco_mask.toBbox(mask)],
        "iscrowd": 0,
    }
