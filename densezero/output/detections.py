"""A label map as ``supervision.Detections``. The only module that imports supervision."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from densezero.errors import InputError
from densezero.vocabulary.classes import ClassList

if TYPE_CHECKING:
    from supervision import Detections


def to_detections(labels: NDArray[np.integer], classes: ClassList) -> Detections:
    """Convert a label map: one detection for each class that occurs.

    Args:
        labels: (H, W) class indices.
        classes: the C classes.

    Returns:
        Detections with ``xyxy`` boxes in pixels (right and bottom edges excluded), ``mask`` (N, H, W), ``class_id``, and
        ``data["class_name"]``.

    Raises:
        InputError: if the library supervision is not installed.
    """
    try:
        from supervision import Detections
    except ImportError:
        raise InputError(
            "Converting to supervision needs the library supervision, which is not installed. Install it: "
            "pip install supervision"
        ) from None
    present = np.unique(labels)
    present = present[present < len(classes)]
    masks = labels[None] == present[:, None, None]  # (N, H, W)
    boxes = [_box(mask) for mask in masks]
    return Detections(
        xyxy=np.array(boxes, dtype=np.float32).reshape(-1, 4),
        mask=masks,
        class_id=present.astype(int),
        data={"class_name": np.array([classes.names[index] for index in present], dtype=str)},
    )


def _box(mask: NDArray[np.bool_]) -> tuple[int, int, int, int]:
    """(left, top, right, bottom) of the True pixels, right and bottom excluded."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1
