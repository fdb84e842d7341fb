"""Polygons of the regions as GeoJSON in pixel coordinates."""

import json

import numpy as np
from numpy.typing import NDArray

from densezero.output.labels import check_labels
from densezero.output.outlines import trace_regions
from densezero.vocabulary.classes import ClassList


def encode_polygons(labels: NDArray[np.integer], classes: ClassList) -> bytes:
    """Encode every connected region as a GeoJSON polygon along its pixel edges, holes included.

    Coordinates are pixels and no degrees: x to the right, y down, (0, 0) the upper left corner of the image, so the
    first pixel is the square from (0, 0) to (1, 1). A polygon's area is its pixel count; polygons of neighbours share
    their edges and leave no gap.

    Args:
        labels: (H, W) class indices; pixels of the ignore value are in no polygon.
        classes: the classes that the indices belong to.

    Returns:
        UTF-8 JSON of a FeatureCollection with ``width`` and ``height``; each feature has the properties
        ``class_index``, ``class`` and ``area`` in pixels.

    Raises:
        OutputError: the labels do not belong to the classes.
    """
    check_labels(labels, len(classes))
    names = classes.names
    features = [
        {
            "type": "Feature",
            "properties": {
                "class_index": region.label,
                "class": names[region.label],
                "area": region.area_px,
            },
            "geometry": {"type": "Polygon", "coordinates": [ring.tolist() for ring in region.rings]},
        }
        for region in trace_regions(labels, len(classes))
    ]
    height, width = labels.shape
    collection = {"type": "FeatureCollection", "width": width, "height": height, "features": features}
    return json.dumps(collection, ensure_ascii=False, separators=(",", ":")).encode()
