"""Outlines of label regions along the pixel edges, exact to the pixel.

Each directed pixel edge has its region on its right hand, so it is named by where it starts and where it heads:
``vertex * 4 + heading``, headings 0 east, 1 south, 2 west, 3 north, x to the right and y down. At each vertex the
next edge is found by looking at the two pixels ahead, for all edges at once; the rings are then walked.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_EAST, _SOUTH, _WEST, _NORTH = range(4)


@dataclass(frozen=True)
class Region:
    """A connected region of one label: pixels that share an edge, not only a corner."""

    label: int
    area_px: int
    rings: list[NDArray[np.int64]]
    """Closed rings of (x, y) pixel corners: the outer one first, then the holes; first point repeated at the end."""


def trace_regions(labels: NDArray[np.integer], n_labels: int) -> list[Region]:
    """Outline every connected region of a label map along its pixel edges.

    The shoelace area of the outer ring is positive and that of a hole negative; together they are the pixel count. No
    ring touches itself: where a hole meets the outline in a corner, both pass through that corner.

    Args:
        labels: (H, W) class indices; values of ``n_labels`` and above belong to no region.
        n_labels: how many label values count.

    Returns:
        The regions from top to bottom by the first pixel of each.
    """
    padded = np.full((labels.shape[0] + 2, labels.shape[1] + 2), -1, dtype=np.int32)
    padded[1:-1, 1:-1] = np.where(labels < n_labels, labels.astype(np.int32), -1)
    edges = _directed_edges(padded)
    ring_of_edge, rings = _walk(_successors(padded, edges))
    columns = labels.shape[1] + 1
    corners = [_corners(edges[ring], columns) for ring in rings]
    areas = [_shoelace(points) for points in corners]
    owners = _owners(edges, ring_of_edge, areas, columns)
    return _assemble(padded, edges, rings, corners, areas, owners)


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


def _walk(successors: NDArray[np.int64]) -> tuple[NDArray[np.int64], list[NDArray[np.int64]]]:
    """The ring number of each edge, and each ring's edges in order; rings by their first edge."""
    following = successors.tolist()  # a list is several times faster than an array, one by one
    ring_of_edge = [-1] * len(following)
    rings: list[NDArray[np.int64]] = []
    for first in range(len(following)):
        ring, edge = [], first
        while ring_of_edge[edge] < 0:
            ring_of_edge[edge] = len(rings)
            ring.append(edge)
            edge = following[edge]
        if ring:
            rings.append(np.array(ring, dtype=np.int64))
    return np.array(ring_of_edge, dtype=np.int64), rings


def _corners(ring: NDArray[np.int64], columns: int) -> NDArray[np.int64]:
    """(N, 2) x, y of the vertices where a ring turns, in order and not closed."""
    heading = ring % 4
    vertex = ring[heading != np.roll(heading, 1)] // 4
    return np.stack([vertex % columns, vertex // columns], axis=1)


def _shoelace(points: NDArray[np.int64]) -> int:
    """Signed area in pixels: positive for outlines, negative for holes."""
    x, y = points[:, 0], points[:, 1]
    return int(np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y)) // 2


def _owners(
    edges: NDArray[np.int64], ring_of_edge: NDArray[np.int64], areas: list[int], columns: int
) -> dict[int, int]:
    """The outline that each hole lies in.

    From the leftmost point of a hole, the run of pixels to its left starts at an edge of the same region: on the
    outline, or on a hole that reaches further left and so has its owner already.
    """
    vertex, heading = edges // 4, edges % 4
    starts = np.flatnonzero(heading == _NORTH)  # an edge going north from (x, y + 1) is the left side of pixel (x, y)
    start_pixel = vertex[starts] - columns
    downs = np.flatnonzero((heading == _SOUTH) & (np.array(areas)[ring_of_edge] < 0))
    downs = downs[np.argsort(vertex[downs] % columns, kind="stable")]
    run_start = starts[np.searchsorted(start_pixel, vertex[downs], side="left") - 1]
    owners: dict[int, int] = {}
    for hole, found in zip(ring_of_edge[downs].tolist(), ring_of_edge[run_start].tolist(), strict=True):
        if hole not in owners:
            owners[hole] = found if areas[found] > 0 else owners[found]
    return owners


def _assemble(
    padded: NDArray[np.int32],
    edges: NDArray[np.int64],
    rings: list[NDArray[np.int64]],
    corners: list[NDArray[np.int64]],
    areas: list[int],
    owners: dict[int, int],
) -> list[Region]:
    """Regions from outlines and the holes that they own."""
    first = edges[[ring[0] for ring in rings]] if rings else edges
    labels = _pixel_ahead(padded, first // 4, first % 4, right=True)
    total = dict(enumerate(areas))
    parts = {outer: _simple_rings(corners[outer]) for outer, area in enumerate(areas) if area > 0}
    for hole, outer in owners.items():
        parts[outer] += _simple_rings(corners[hole])
        total[outer] += areas[hole]
    return [Region(int(labels[outer]), total[outer], _outline_first(parts[outer])) for outer in parts]


def _simple_rings(points: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """Closed rings without a repeated vertex: a ring that touches itself in a corner is parted there."""
    pairs = [(int(x), int(y)) for x, y in points]
    if len(set(pairs)) == len(pairs):
        return [np.concatenate([points, points[:1]])]
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
    return rings


def _outline_first(rings: list[NDArray[np.int64]]) -> list[NDArray[np.int64]]:
    """The one ring of positive area, then the holes."""
    return sorted(rings, key=lambda ring: _shoelace(ring[:-1]) < 0)
