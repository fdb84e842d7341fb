"""Outlines of label regions along the pixel edges, exact to the pixel.

Each directed pixel edge has its region on its right hand, so it is named by where it starts and where it heads:
``vertex * 4 + heading``, headings 0 east, 1 south, 2 west, 3 north, x to the right and y down. At each vertex the
next edge is found by looking at the two pixels ahead. Then the edges of all rings are put in order at once.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

EAST, SOUTH, WEST, NORTH = range(4)


@dataclass(frozen=True)
class Region:
    """A connected region of one label: pixels that share an edge, not only a corner."""

    label: int
    area_px: int
    rings: list[NDArray[np.int64]]
    """Closed rings of (x, y) pixel corners: the outer one first, then the holes; first point repeated at the end."""


@dataclass(frozen=True)
class Rings:
    """All outlines and holes of a label map, R rings of N corners, by the first edge of each. A ring may touch itself.

    Args:
        labels: (R,) label of the region on the right hand.
        areas: (R,) shoelace area in pixels, positive for outlines and negative for holes.
        corners: (N, 2) x, y of the vertices where a ring turns, one ring after the other, not closed.
        headings: (N,) of the edge that starts at each corner.
        starts: (R + 1,) the first corner of each ring, and N.
        cuts: (R, 3) where each hole meets its region to the left of its leftmost edge: the corner before that edge, the
            corner before the edge on the left, and the y of the upper ends of both edges. Nothing for outlines.
        owners: (R,) the outline that each hole lies in; of outlines, themselves.
    """

    labels: NDArray[np.int32]
    areas: NDArray[np.int64]
    corners: NDArray[np.int64]
    headings: NDArray[np.int64]
    starts: NDArray[np.int64]
    cuts: NDArray[np.int64]
    owners: NDArray[np.int64]

    def outlines(self) -> list[int]:
        """The rings that are outlines, from top to bottom by the first pixel of each."""
        outlines: list[int] = np.flatnonzero(self.areas > 0).tolist()
        return outlines

    def region_areas(self) -> list[int]:
        """(R,) pixels of the region of each outline."""
        areas: list[int] = np.bincount(self.owners, weights=self.areas).astype(np.int64).tolist()
        return areas


def trace_regions(labels: NDArray[np.integer], n_labels: int) -> list[Region]:
    """Outline every connected region of a label map along its pixel edges.

    Args:
        labels: (H, W) class indices; values of ``n_labels`` and above belong to no region.
        n_labels: how many label values count.

    Returns:
        The regions, as ``regions_of`` gives them.
    """
    return regions_of(trace_rings(labels, n_labels))


def regions_of(rings: Rings) -> list[Region]:
    """Give the regions of a label map, each with its outline and its holes.

    The shoelace area of the outer ring is positive and that of a hole negative; together they are the pixel count. No
    ring touches itself: where a hole meets the outline in a corner, both pass through that corner.

    Args:
        rings: of the label map.

    Returns:
        The regions from top to bottom by the first pixel of each.
    """
    touching = _touching(rings)
    parts: dict[int, list[NDArray[np.int64]]] = {outline: [] for outline in rings.outlines()}
    corners = np.split(rings.corners, rings.starts[1:-1])
    for ring in [*parts, *np.flatnonzero(rings.areas < 0).tolist()]:
        points = corners[ring]
        closed = [np.concatenate([points, points[:1]])] if ring not in touching else _simple_rings(points)
        parts[int(rings.owners[ring])] += closed
    areas, values = rings.region_areas(), rings.labels.tolist()
    return [Region(values[outline], areas[outline], part) for outline, part in parts.items()]


def trace_rings(labels: NDArray[np.integer], n_labels: int) -> Rings:
    """Outline every connected region of a label map by rings that may touch themselves in a corner.

    Args:
        labels: (H, W) class indices; values of ``n_labels`` and above belong to no region.
        n_labels: how many label values count.
    """
    padded = np.full((labels.shape[0] + 2, labels.shape[1] + 2), -1, dtype=np.int32)
    padded[1:-1, 1:-1] = np.where(labels < n_labels, labels.astype(np.int32), -1)
    columns = labels.shape[1] + 1
    edges = _directed_edges(padded)
    ring, order = _walk(_successors(padded, edges))
    place = np.empty_like(order)  # of each edge in its ring's order
    place[order] = np.arange(len(order))
    vertex, heading, ring = edges[order] // 4, edges[order] % 4, ring[order]
    first = np.flatnonzero(np.diff(ring, prepend=-1))
    before = np.roll(heading, 1)
    before[first] = heading[np.append(first[1:], len(heading))[: len(first)] - 1]
    turns = np.flatnonzero(heading != before)  # the first edge of a ring is always one
    x = vertex % columns
    areas = np.bincount(ring, x * ((heading == SOUTH).astype(np.int64) - (heading == NORTH))).astype(np.int64)
    cuts = _cuts(edges, place, vertex, heading, ring, areas, columns)
    owners = np.where(areas > 0, np.arange(len(areas)), ring[cuts[:, 1]])
    while (areas[owners] < 0).any():  # beside a hole that lies in the same outline, further left
        owners = owners[owners]
    cuts[:, :2] = np.searchsorted(turns, cuts[:, :2], side="right") - 1
    return Rings(
        labels=_pixel_ahead(padded, vertex[first], heading[first], right=True),
        areas=areas,
        corners=np.stack([x[turns], vertex[turns] // columns], axis=1),
        headings=heading[turns],
        starts=np.append(np.searchsorted(turns, first), len(turns)),
        cuts=cuts,
        owners=owners,
    )


def _directed_edges(padded: NDArray[np.int32]) -> NDArray[np.int64]:
    """Sorted ids of all directed edges that have a region on their right and something else on their left."""
    here, above = padded[1:, 1:], padded[:-1, 1:]
    left, above_left = padded[1:, :-1], padded[:-1, :-1]
    right_hand = (here, left, above_left, above)  # of an edge that leaves this vertex heading E, S, W, N
    left_hand = (above, here, left, above_left)
    found = [
        np.flatnonzero((inner != outer) & (inner >= 0)) * 4 + heading
        for heading, (inner, outer) in enumerate(zip(right_hand, left_hand, strict=True))
    ]
    return np.sort(np.concatenate(found))


def _successors(padded: NDArray[np.int32], edges: NDArray[np.int64]) -> NDArray[np.int64]:
    """For each edge the position, in ``edges``, of the one that continues its ring."""
    columns = padded.shape[1] - 1
    vertex, heading = edges // 4, edges % 4
    label = _pixel_ahead(padded, vertex, heading, right=True)
    end = vertex + np.array([1, columns, -1, -columns])[heading]
    same_right = _pixel_ahead(padded, end, heading, right=True) == label
    same_left = _pixel_ahead(padded, end, heading, right=False) == label
    # right unless the region goes on there (regions that only share a corner stay apart), else straight, else left
    turn = np.where(~same_right, 1, np.where(same_left, 3, 0))
    following: NDArray[np.int64] = np.searchsorted(edges, end * 4 + (heading + turn) % 4)
    return following


def _pixel_ahead(
    padded: NDArray[np.int32], vertex: NDArray[np.int64], heading: NDArray[np.int64], *, right: bool
) -> NDArray[np.int32]:
    """The label of the pixel ahead of a vertex, to the right or to the left of the heading."""
    columns = padded.shape[1] - 1
    down = np.array([1, 1, 0, 0] if right else [0, 1, 1, 0])[heading]
    along = np.array([1, 0, 0, 1] if right else [1, 1, 0, 0])[heading]
    values: NDArray[np.int32] = padded[vertex // columns + down, vertex % columns + along]
    return values


def _walk(successors: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Find the rings by pointer doubling: after k rounds every edge has looked at the 2**k edges that follow it.

    Returns:
        (E,) ring of each edge, the rings by their first edge; and all edges, each ring from its first edge on.
    """
    lowest, jump = np.arange(len(successors)), successors
    while not np.array_equal(lower := np.minimum(lowest, lowest[jump]), lowest):
        lowest, jump = lower, jump[jump]
    here = np.arange(len(successors))
    is_last = successors == lowest
    jump, ahead = np.where(is_last, here, successors), (~is_last).astype(np.int64)  # steps to the last edge
    while not is_last[jump].all():
        ahead, jump = ahead + ahead[jump], jump[jump]
    _, ring, lengths = np.unique(lowest, return_inverse=True, return_counts=True)
    order = np.empty_like(here)
    order[(np.cumsum(lengths) - 1)[ring] - ahead] = here
    return ring, order


def _cuts(
    edges: NDArray[np.int64],
    place: NDArray[np.int64],
    vertex: NDArray[np.int64],
    heading: NDArray[np.int64],
    ring: NDArray[np.int64],
    areas: NDArray[np.int64],
    columns: int,
) -> NDArray[np.int64]:
    """The leftmost edge of each hole, and the edge at the left end of the run of pixels beside it.

    Both belong to the same region. The edge on the left is on the outline, or on a hole that reaches further left.

    Returns:
        (R, 3) places of both edges, and y of their upper ends; of outlines, nothing.
    """
    cuts = np.zeros((len(areas), 3), np.int64)
    south = np.flatnonzero((heading == SOUTH) & (areas[ring] < 0))
    south = south[np.argsort(vertex[south] % columns, kind="stable")]
    hole, leftmost = np.unique(ring[south], return_index=True)
    inner = south[leftmost]
    north = np.flatnonzero(edges % 4 == NORTH)  # an edge going north from (x, y + 1) is the left side of pixel (x, y)
    outer = place[north[np.searchsorted(edges[north] // 4 - columns, vertex[inner]) - 1]]
    cuts[hole] = np.column_stack([inner, outer, vertex[inner] // columns])
    return cuts


def _touching(rings: Rings) -> set[int]:
    """The rings that pass through a vertex twice."""
    ring = np.repeat(np.arange(len(rings.areas)), np.diff(rings.starts))
    x, y = rings.corners.T
    vertex = y * (x.max(initial=0) + 1) + x
    order = np.lexsort((vertex, ring))
    is_twice = (np.diff(vertex[order]) == 0) & (np.diff(ring[order]) == 0)
    return set(ring[order][1:][is_twice].tolist())


def _simple_rings(points: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """Closed rings without a repeated vertex, an outline first: a ring that touches itself is parted in that corner."""
    pairs = [(x, y) for x, y in points.tolist()]
    rings: list[NDArray[np.int64]] = []
    path: list[tuple[int, int]] = []
    place: dict[tuple[int, int], int] = {}
    for pair in [*pairs, pairs[0]]:
        if pair in place:
            loop = path[place[pair] :]
            rings.append(np.array([*loop, pair], dtype=np.int64))
            for left in loop:
                del place[left]
            path = path[: len(path) - len(loop)]
        place[pair] = len(path)
        path.append(pair)
    return sorted(rings, key=lambda ring: _shoelace(ring) < 0)


def _shoelace(ring: NDArray[np.int64]) -> int:
    """Twice the signed area of a closed ring: positive for outlines, negative for holes."""
    x, y = ring[:, 0], ring[:, 1]
    return int(np.sum(x[:-1] * y[1:] - x[1:] * y[:-1]))
