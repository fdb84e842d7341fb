"""One ring for each region, filled as each program fills it, gives the region."""

import cv2
import numpy as np
import pytest
from PIL import Image, ImageDraw
from pycocotools import mask as coco_mask

from densezero.output.cut_outlines import INSET_PX, cut_regions
from densezero.output.outlines import trace_rings
from tests.output.scenes import scene_labels
from tests.output.test_polygons import filled_by_parity, shoelace

HW = (45, 60)


def by_parity(ring, hw):
    return filled_by_parity([np.concatenate([ring, ring[:1]]).astype(int)], hw)


def by_pycocotools(ring, hw):
    return coco_mask.decode(coco_mask.frPyObjects([ring.ravel().tolist()], *hw))[..., 0] > 0


def by_pillow(ring, hw):
    """As LabelMe draws."""
    image = Image.new("L", hw[::-1])
    ImageDraw.Draw(image).polygon([tuple(point) for point in ring.tolist()], outline=1, fill=1)
    return np.array(image) > 0


def by_opencv(ring, hw):
    """As Ultralytics draws: shares of the sides in float32, cut down to whole pixels."""
    canvas = np.zeros(hw, np.uint8)
    shares = (ring / hw[::-1]).round(8).astype(np.float32)
    cv2.fillPoly(canvas, [(shares * hw[::-1]).astype(np.int32)], 1)
    return canvas > 0


@pytest.fixture(params=["blobs", "noise", "holes", "checkers", "scene", "nothing"])
def labels(request, blob_labels):
    random = np.random.default_rng(2)
    return {
        "blobs": blob_labels(HW, 4),
        "noise": random.choice(np.array([0, 1, 2, 255], np.uint8), HW),
        "holes": (random.random(HW) > 0.1).astype(np.uint8),
        "checkers": (np.indices(HW).sum(0) % 2).astype(np.uint8),
        "scene": scene_labels(5),
        "nothing": np.full(HW, 255, np.uint8),
    }[request.param]


# decode() of pycocotools hands NumPy an array type that has not yet learnt its newest keyword
@pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")
@pytest.mark.parametrize(
    ("fill", "inset_px"),
    [(by_parity, 0), (by_pycocotools, 0), (by_pycocotools, INSET_PX), (by_pillow, INSET_PX), (by_opencv, INSET_PX)],
)
def test_filled_rings_are_the_labels(labels, fill, inset_px):
    back = np.full(labels.shape, 255, np.uint8)
    for region in cut_regions(trace_rings(labels, 5), inset_px):
        mask = fill(region.ring, labels.shape)
        assert mask.sum() == region.area_px
        assert (back[mask] == 255).all()
        back[mask] = region.label
    np.testing.assert_array_equal(back, labels)


def test_areas_are_pixels_and_almost_so_with_an_inset(labels):
    rings = trace_rings(labels, 5)
    for exact, inset in zip(cut_regions(rings), cut_regions(rings, INSET_PX), strict=True):
        areas = [shoelace(np.concatenate([region.ring, region.ring[:1]])) for region in (exact, inset)]
        assert areas[0] == exact.area_px == inset.area_px
        assert 0.98 * areas[0] < areas[1] < areas[0]


def test_small_regions_are_left_out(labels):
    every = [region.area_px for region in cut_regions(trace_rings(labels, 5))]
    some = [region.area_px for region in cut_regions(trace_rings(labels, 5), min_area_px=4)]
    assert some == [area for area in every if area >= 4]


def test_two_holes_in_a_row_by_hand():
    """The ring goes from the left edge to the first hole, around it, on to the second hole, and back."""
    labels = np.ones((3, 5), np.uint8)
    labels[1, [1, 3]] = 255
    (region,) = cut_regions(trace_rings(labels, 2))
    assert region.ring.tolist() == [
        [0, 0], [5, 0], [5, 3], [0, 3], [0, 1],
        [1, 1], [1, 2], [2, 2], [2, 1],
        [3, 1], [3, 2], [4, 2], [4, 1], [3, 1],
        [2, 1], [1, 1], [0, 1],
    ]  # fmt: skip


def test_an_inset_moves_every_edge_into_its_region():
    labels = np.array([[0, 1, 1], [0, 0, 1]], np.uint8)
    _, region = cut_regions(trace_rings(labels, 2), 0.25)
    assert region.ring.tolist() == [[1.25, 0.25], [2.75, 0.25], [2.75, 1.75], [2.25, 1.75], [2.25, 0.75], [1.25, 0.75]]
