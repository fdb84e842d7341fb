"""Writes the regions of an image as GeoJSON in coordinates of the earth."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from densezero.errors import InputError, OutputError
from densezero.images.rasters import Place, load_rasterio, read_place
from densezero.images.sizes import read_hw
from densezero.output.formats import CRS_NAMES
from densezero.output.labels import check_labels
from densezero.output.outlines import trace_regions
from densezero.vocabulary.classes import ClassList

_LONGEST_PX: Final = 64  # a straight edge of a projection is curved in degrees, by 0.1 pixels at 1 km a pixel
_DIGITS: Final = 8  # 1 mm in degrees
_NAMED: Final = 5  # images that a message lists


def encode_geojson(
    labels: NDArray[np.integer], classes: ClassList, source: Path | None, crs: str = CRS_NAMES[0]
) -> bytes:
    """Encode every connected region as a GeoJSON polygon (RFC 7946) along its pixel edges, holes included.

    Args:
        labels: (H, W) class indices; pixels of the ignore value are in no polygon.
        classes: the classes that the indices belong to.
        source: the image, which has a georeference.
        crs: ``"lonlat"`` for longitude and latitude in degrees (WGS 84); ``"image"`` for the coordinates of the image,
            with a ``crs`` member, which is outside the standard and which GDAL and QGIS obey.

    Returns:
        UTF-8 JSON of a FeatureCollection; each feature has the properties ``class_index``, ``class``, ``pixels`` and
        ``fill``, the colour.

    Raises:
        InputError: if rasterio is not installed, or the image has no georeference.
        OutputError: if the labels do not belong to the classes.
    """
    check_labels(labels, len(classes))
    place = None if source is None else read_place(source)
    if place is None or (place.crs is None and crs == "lonlat"):
        what = "georeference" if place is None else "coordinate system, only a position in an unknown one"
        raise InputError(f"expected a georeference for --save geojson, but the image has no {what}; {_advice(place)}")
    regions = trace_regions(labels, len(classes))
    rings = [_with_points_between(ring) for region in regions for ring in region.rings]
    placed = iter(_place_rings(rings, place, crs))
    features = [
        {
            "type": "Feature",
            "properties": {
                "class_index": region.label,
                "class": classes.names[region.label],
                "pixels": region.area_px,
                "fill": "#{:02x}{:02x}{:02x}".format(*map(int, classes.colours[region.label])),
            },
            "geometry": {"type": "Polygon", "coordinates": [next(placed) for _ in region.rings]},
        }
        for region in regions
    ]
    collection = {"type": "FeatureCollection", **(_crs_member(place) if crs == "image" else {}), "features": features}
    return json.dumps(collection, ensure_ascii=False, separators=(",", ":")).encode()


def refuse_images_without_place(paths: Iterable[Path]) -> None:
    """Refuse images that cannot become GeoJSON, before any work starts. Images that cannot be read are passed over.

    Raises:
        InputError: naming the first few of them; or if rasterio is not installed.
    """
    load_rasterio("--save geojson")
    bad = [str(path) for path in paths if not _may_have_place(path)]
    if bad:
        named = ", ".join(bad[:_NAMED]) + (", ..." if len(bad) > _NAMED else "")
        raise InputError(
            f"Expected images with a georeference for --save geojson; {len(bad)} have none ({named}). {_advice(None)}"
        )


def refuse_other_crs(files: Iterable[Path], crs: str) -> None:
    """Refuse to mix polygons in two coordinate systems in one folder.

    Args:
        files: of the run; those that are there are compared by the first one.
        crs: of the run.

    Raises:
        OutputError: if an earlier run wrote another one.
    """
    first = next((file for file in files if file.is_file()), None)
    if first is None:
        return
    with first.open("rb") as content:
        there = CRS_NAMES[b'"crs":' in content.read(200)]
    if there != crs:
        raise OutputError(
            f"{first} was written with --crs {there}; --crs {crs} would mix two coordinate systems. Choose another "
            "--out, or replace the files with --overwrite."
        )


def _may_have_place(path: Path) -> bool:
    try:
        read_hw(path)
    except InputError:
        return True  # reading it says what is wrong
    return read_place(path) is not None


def _advice(place: Place | None) -> str:
    if place is not None:
        return "use --crs image, or give the file a coordinate system, for example by gdal_edit.py -a_srs"
    return "Save polygons for coordinates in pixels, or give GeoTIFFs, or images with a world file beside them."


def _with_points_between(ring: NDArray[np.int64]) -> NDArray[np.int64]:
    """(N, 2) corners of a ring, with more points where an edge crosses every 64th row or column.

    So two regions that share an edge get the same points.
    """
    parts = []
    for start, end in pairwise(ring):
        axis = int(start[0] == end[0])  # along which the edge runs
        low, high = sorted((int(start[axis]), int(end[axis])))
        between = np.arange((low // _LONGEST_PX + 1) * _LONGEST_PX, high, _LONGEST_PX)
        points = np.repeat(start[None], len(between) + 1, axis=0)
        points[1:, axis] = between if start[axis] < end[axis] else between[::-1]
        parts.append(points)
    return np.concatenate([*parts, ring[-1:]])


def _place_rings(rings: Sequence[NDArray[np.int64]], place: Place, crs: str) -> list[list[list[float]]]:
    """The coordinates of closed rings; outlines run against the clock on the map, holes with it."""
    if not rings:
        return []
    corners = np.concatenate(rings)  # (N, 2) columns and rows
    transform = place.transform
    x = transform.a * corners[:, 0] + transform.b * corners[:, 1] + transform.c
    y = transform.d * corners[:, 0] + transform.e * corners[:, 1] + transform.f
    if crs == "lonlat":
        rasterio = load_rasterio("--save geojson")
        x, y = map(np.asarray, rasterio.warp.transform(place.crs, "OGC:CRS84", x, y))
        if not (np.isfinite(x).all() and np.isfinite(y).all()):
            raise InputError(
                "expected an image whose corners have a longitude and latitude; a part lies outside its coordinate "
                "system; use --crs image"
            )
    coordinates = np.stack([x, y], 1).round(_DIGITS)
    ends = np.cumsum([len(ring) for ring in rings])[:-1]
    placed = np.split(coordinates, ends)
    if crs == "lonlat" and place.crs.is_projected and any(np.abs(np.diff(ring[:, 0])).max() > 180 for ring in placed):
        raise InputError(
            "expected an image on one side of the 180th meridian, but this one crosses it; use --crs image"
        )
    turn = -1 if transform.determinant < 0 else 1  # rows run downwards: outlines run with the clock
    return [ring[::turn].tolist() for ring in placed]


def _crs_member(place: Place) -> dict[str, Any]:
    """The coordinate system as GDAL reads it; null where it is not known."""
    if place.crs is None:
        return {"crs": None}
    authority = place.crs.to_authority()
    if authority is None:
        raise InputError(
            "expected a coordinate system with a number, such as EPSG:32632, for --crs image, but the image has one of "
            "its own; leave --crs out, or warp the image to one with a number"
        )
    return {"crs": {"type": "name", "properties": {"name": f"urn:ogc:def:crs:{authority[0]}::{authority[1]}"}}}
