import json
from itertools import pairwise

import cv2
import numpy as np
import pytest

from densezero.output.outlines import trace_regions
from densezero.output.polygons import encode_polygons


def shoelace(ring):
    x, y = np.asarray(ring, dtype=float).T
    return float(np.sum(x[:-1] * y[1:] - x[1:] * y[:-1]) / 2)


def filled_by_parity(rings, hw):
    """The pixels inside, by the parity of the upright edges to their left."""
    crossings = np.zeros((hw[0], hw[1] + 1), dtype=int)
    for ring in rings:
        for (x0, y0), (x1, y1) in pairwise(ring):
            if x0 == x1:
                crossings[min(y0, y1) : max(y0, y1), x0] += 1
    return np.cumsum(crossings, axis=1)[:, :-1] % 2 == 1


def filled_by_opencv(rings, hw):
    """The pixels whose centre lies inside, drawn four times larger by OpenCV."""
    canvas = np.zeros((hw[0] * 4 + 1, hw[1] * 4 + 1), dtype=np.uint8)
    cv2.fillPoly(canvas, [np.asarray(ring[:-1], dtype=np.int32) * 4 for ring in rings], 1)
    return canvas[2::4, 2::4] > 0


@pytest.mark.parametrize("fill", [filled_by_parity, filled_by_opencv])
@pytest.mark.parametrize("kind", ["blobs", "noise", "checkers"])
def test_filled_polygons_are_the_labels(classes_of, blob_labels, fill, kind):
    hw = (45, 60)
    labels = {
        "blobs": blob_labels(hw, 4),
        "noise": np.random.default_rng(2).choice(np.array([0, 1, 2, 255], np.uint8), hw),
        "checkers": (np.indices(hw).sum(0) % 2).astype(np.uint8),
    }[kind]
    back = np.full(hw, 255, dtype=np.uint8)
    covered = 0
    for feature in json.loads(encode_polygons(labels, classes_of(["sky", "sea", "sand", "boat"])))["features"]:
        rings, properties = feature["geometry"]["coordinates"], feature["properties"]
        inside = fill(rings, hw)
        back[inside] = properties["class_index"]
        assert properties["area"] == inside.sum() == sum(shoelace(ring) for ring in rings)
        covered += properties["area"]
    np.testing.assert_array_equal(back, labels)
    assert covered == (labels != 255).sum()


@pytest.mark.parametrize("seed", range(4))
def test_rings_are_closed_simple_and_turn_at_each_point(seed):
    labels = np.random.default_rng(seed).integers(0, 2, (30, 30)).astype(np.uint8)
    for region in trace_regions(labels, 2):
        outline, *holes = region.rings
        assert shoelace(outline) > 0
        assert all(shoelace(hole) < 0 for hole in holes)
        for ring in region.rings:
            assert ring[0].tolist() == ring[-1].tolist()
            assert len({tuple(point) for point in ring.tolist()}) == len(ring) - 1
            steps = np.diff(np.vstack([ring, ring[1]]), axis=0)
            assert ((steps != 0).sum(axis=1) == 1).all()
            assert ((steps[1:] * steps[:-1]).sum(axis=1) == 0).all()


@pytest.mark.parametrize("seed", range(4))
def test_regions_are_the_connected_components(seed):
    labels = np.random.default_rng(seed).integers(0, 3, (40, 40)).astype(np.uint8)
    regions = trace_regions(labels, 3)
    for value in range(3):
        _, _, stats, _ = cv2.connectedComponentsWithStats((labels == value).astype(np.uint8), connectivity=4)
        areas = [region.area_px for region in regions if region.label == value]
        assert sorted(areas) == sorted(stats[1:, cv2.CC_STAT_AREA].tolist())


def test_a_frame_in_a_frame_by_hand(classes_of):
    labels = np.full((5, 5), 1, dtype=np.uint8)
    labels[1:4, 1:4] = 0
    labels[2, 2] = 1
    frame, inner, core = json.loads(encode_polygons(labels, classes_of(["hole", "frame"])))["features"]
    assert frame["geometry"]["coordinates"] == [
        [[0, 0], [5, 0], [5, 5], [0, 5], [0, 0]],
        [[1, 1], [1, 4], [4, 4], [4, 1], [1, 1]],
    ]
    assert [part["properties"]["area"] for part in (frame, inner, core)] == [16, 8, 1]
    assert [part["properties"]["class"] for part in (frame, inner, core)] == ["frame", "hole", "frame"]
    assert core["geometry"]["coordinates"] == [[[2, 2], [3, 2], [3, 3], [2, 3], [2, 2]]]


def test_a_single_pixel_is_a_square(classes_of):
    collection = json.loads(encode_polygons(np.zeros((1, 1), np.uint8), classes_of(["sky"])))
    assert (collection["type"], collection["width"], collection["height"]) == ("FeatureCollection", 1, 1)
    assert collection["features"][0]["geometry"] == {
        "type": "Polygon",
        "coordinates": [[[0, 0], [1, 0], [1, 1], [0, 1], [0, 0]]],
    }


def test_an_image_without_any_class_has_no_polygon(classes_of):
    assert json.loads(encode_polygons(np.full((3, 4), 255, np.uint8), classes_of(["sky"])))["features"] == []


def test_two_holes_in_a_row_belong_to_one_region():
    labels = np.ones((3, 5), dtype=np.uint8)
    labels[1, [1, 3]] = 0
    plate = trace_regions(labels, 2)[0]
    assert (plate.label, plate.area_px) == (1, 13)
    assert [shoelace(ring) for ring in plate.rings] == [15, -1, -1]
