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
        N detections: ``xyxy`` boxes of the first and last pixels, ``mask`` (N, H, W), ``class_id`` and
        ``data["class_name"]``.

    Raises:
        InputError: if the library supervision is not installed.
    """
    try:
        from supervision import Detections, mask_to_xyxy
    except ImportError:
        raise InputError(
            "Converting to supervision needs the library supervision, which is not installed. Install it: "
            "pip install supervision"
        ) from None
    present = np.unique(labels)
    present = present[present < len(classes)]  # (N,)
    masks = labels[None] == present[:, None, None]  # (N, H, W)
    return Detections(
        xyxy=mask_to_xyxy(masks).astype(np.float32),
        mask=masks,
        class_id=present.astype(int),
        data={"class_name": np.array([classes.names[index] for index in present], dtype=str)},
    )
