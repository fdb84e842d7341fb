"""Polygons of the regions as GeoJSON in pixel coordinates."""

import json

import numpy as np
from numpy.typing import NDArray

from densezero.output.labels import check_labels
from densezero.output.outlines import Rings, regions_of, trace_rings
from densezero.output.points_text import fill_in, points_text
from densezero.vocabulary.classes import ClassList


def encode_polygons(labels: NDArray[np.integer], classes: ClassList, rings: Rings | None = None) -> bytes:
    """Encode every connected region as a GeoJSON polygon along its pixel edges, holes included.

    Coordinates are pixels and no degrees: x to the right, y down, (0, 0) the upper left corner of the image, so the
    first pixel is the square from (0, 0) to (1, 1). A polygon's area is its pixel count; polygons of neighbours share
    their edges and leave no gap.

    Args:
        labels: (H, W) class indices; pixels of the ignore value are in no polygon.
        classes: the classes that the indices belong to.
        rings: the outlines of these labels, where they are known.

    Returns:
        UTF-8 JSON of a FeatureCollection with ``width`` and ``height``; each feature has the properties
        ``class_index``, ``class`` and ``area`` in pixels.

    Raises:
        OutputError: the labels do not belong to the classes.
    """
    check_labels(labels, len(classes))
    names = classes.names
    regions = regions_of(rings or trace_rings(labels, len(classes)))
    features = [
        {
            "type": "Feature",
            "properties": {
                "class_index": region.label,
                "class": names[region.label],
                "area": region.area_px,
            },
            "geometry": {"type": "Polygon", "coordinates": None},
        }
        for region in regions
    ]
    height, width = labels.shape
    collection = {"type": "FeatureCollection", "width": width, "height": height, "features": features}
    text = json.dumps(collection, ensure_ascii=False, separators=(",", ":"))
    coordinates = (f"[{','.join(map(points_text, region.rings))}]" for region in regions)
    return fill_in(text, coordinates, '"coordinates":null').encode()
