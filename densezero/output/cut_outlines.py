"""One ring for each region, for formats whose polygons hold no holes: the ring goes in to each hole and back.

The way in and the way back are the same horizontal line through the region, so the cut between them has no width.
"""

from collections import defaultdict
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from densezero.output.outlines import EAST, NORTH, SOUTH, WEST, Rings

INSET_PX: Final = 0.004
"""How far programs need outlines inside the region that cut coordinates down to whole pixels, and fill the border too.

It is small beside the region, and larger than the rounding of a share of the image's side in float32.
"""

_Inserts = dict[int, list[tuple[int, int, NDArray[np.floating]]]]
"""By ring: the corner after which a hole's ring comes, minus the y of the cut, and the ring."""


@dataclass(frozen=True)
class CutRegion:
    """A connected region of one label, as one ring.

    Args:
        label: its label.
        area_px: its pixels.
        ring: (N, 2) x, y in pixels from the upper left corner of the image; not closed.
    """

    label: int
    area_px: int
    ring: NDArray[np.floating]


def cut_regions(rings: Rings, inset_px: float = 0.0, min_area_px: int = 1) -> list[CutRegion]:
    """Give every region as one ring, with its holes cut open.

    The shoelace area of a ring is the region's pixel count, and filling it by parity gives the region.

    Args:
        rings: of a label map.
        inset_px: below 0.5; moves every edge into its region. The pixels that an edge runs through are then the border
            pixels of the region.
        min_area_px: smaller regions are left out.

    Returns:
        The regions from top to bottom by the first pixel of each.
    """
    points = rings.corners + inset_px * _inward(rings) if inset_px else rings.corners.astype(np.float64)
    inserts: _Inserts = defaultdict(list)
    holes = np.flatnonzero(rings.areas < 0)
    inner_x, outer_x = (rings.corners[rings.cuts[:, side], 0] for side in (0, 1))
    for hole in holes[np.argsort(-inner_x[holes], kind="stable")].tolist():  # one in which another ends comes later
        inner, outer, y = rings.cuts[hole].tolist()
        first, end = rings.starts[hole], rings.starts[hole + 1]
        way = np.array([[outer_x[hole] + inset_px, y + inset_px], [inner_x[hole] - inset_px, y + inset_px]])
        around = [
            *_stretch(points, inserts, hole, inner + 1, end),
            *_stretch(points, inserts, hole, first, inner + 1),
        ]
        ring = int(np.searchsorted(rings.starts, outer, side="right")) - 1
        inserts[ring].append((outer, -y, np.concatenate([way, *around, way[::-1]])))
    areas, labels = rings.region_areas(), rings.labels.tolist()
    return [
        CutRegion(
            labels[ring],
            areas[ring],
            _without_repeats(points, inserts, ring, rings.starts[ring], rings.starts[ring + 1]),
        )
        for ring in rings.outlines()
        if areas[ring] >= min_area_px
    ]


def _inward(rings: Rings) -> NDArray[np.int64]:
    """(N, 2) for each corner the signs of x and y that lead into its region, which lies on the right of both edges."""
    before = np.roll(rings.headings, 1)
    before[rings.starts[:-1]] = rings.headings[rings.starts[1:] - 1]
    signs = np.zeros((4, 2), np.int64)
    signs[[EAST, SOUTH, WEST, NORTH]] = [[0, 1], [-1, 0], [0, -1], [1, 0]]
    inward: NDArray[np.int64] = signs[before] + signs[rings.headings]
    return inward


def _stretch(
    points: NDArray[np.floating], inserts: _Inserts, ring: int, first: int, end: int
) -> list[NDArray[np.floating]]:
    """The corners ``first`` to ``end`` of a ring, with the rings of the holes that are cut open from there."""
    parts = []
    inside = [insert for insert in inserts.get(ring, []) if first <= insert[0] < end]
    for corner, _, hole in sorted(inside, key=lambda insert: insert[:2]):
        parts += [points[first : corner + 1], hole]
        first = corner + 1
    return [*parts, points[first:end]]


def _without_repeats(
    points: NDArray[np.floating], inserts: _Inserts, ring: int, first: int, end: int
) -> NDArray[np.floating]:
    """A whole ring without points that repeat the one before: a cut may begin in a corner."""
    if ring not in inserts:
        return points[first:end]
    whole = np.concatenate(_stretch(points, inserts, ring, first, end))
    kept: NDArray[np.floating] = whole[(whole != np.roll(whole, 1, axis=0)).any(axis=1)]
    return kept
