import cv2
import numpy as np
import pytest

from densezero.errors import InputError
from densezero.metrics import count_boundaries


def eroded_strip(mask, width):
    """The published definition, mask by mask: the mask less its erosion, the image's border being a contour."""
    padded = cv2.copyMakeBorder(mask.astype(np.uint8), 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    eroded = cv2.erode(padded, np.ones((3, 3), np.uint8), iterations=width)[1:-1, 1:-1]
    return mask & ~eroded.astype(bool)


def blobs(seed, hw=(60, 90), classes=4):
    noise = np.random.default_rng(seed).normal(size=(classes, *hw)).astype(np.float32)
    return np.stack([cv2.GaussianBlur(layer, (0, 0), 6) for layer in noise]).argmax(0).astype(np.uint8)


@pytest.mark.parametrize("width", [1, 2, 5, None])
def test_boundary_counts_equal_the_erosion_of_every_mask(width):
    labels, target = blobs(0), blobs(1)
    target[10:14, 20:40] = 255
    counts = count_boundaries(labels, target, 4, width_px=width)
    distance = width or round(0.02 * np.hypot(60, 90))
    kept = target != 255
    for index in range(4):
        truth = eroded_strip((target == index) & kept, distance)
        predicted = eroded_strip((labels == index) & kept, distance)
        assert counts.truth[index] == truth.sum()
        assert counts.predicted[index] == predicted.sum()
        assert counts.hits[index] == (truth & predicted).sum()
        assert counts.per_class[index] == pytest.approx(100 * (truth & predicted).sum() / (truth | predicted).sum())


def test_half_a_pixel_of_width_goes_to_the_even_number_as_in_the_authors_code():
    target = np.zeros((375, 500), np.uint8)  # a diagonal of 625, of which 2 % are 12.5
    counts = count_boundaries(target, target, 1)
    assert counts.truth[0] == eroded_strip(target == 0, 12).sum() == 375 * 500 - (375 - 24) * (500 - 24)


def test_a_square_by_hand():
    target = np.zeros((7, 7), np.uint8)
    target[1:6, 1:6] = 1  # 5 x 5, whose strip of width 1 is its rim of 16
    shifted = np.roll(target, 1, axis=1)  # its rim shares two runs of 4 and, between them, nothing
    counts = count_boundaries(shifted, target, 2, width_px=1)
    assert (counts.truth[1], counts.predicted[1], counts.hits[1]) == (16, 16, 8)
    assert counts.per_class[1] == pytest.approx(100 * 8 / 24)


def test_equal_maps_score_a_hundred_and_images_add_up():
    first, second = blobs(2), blobs(3)
    assert count_boundaries(first, first, 4).mean == 100
    one, two = count_boundaries(first, second, 4), count_boundaries(second, first, 4)
    both = one + two
    np.testing.assert_array_equal(both.hits, one.hits + two.hits)
    np.testing.assert_array_equal(one.truth, two.predicted)


def test_a_class_that_is_nowhere_is_absent():
    counts = count_boundaries(np.zeros((5, 5), np.uint8), np.zeros((5, 5), np.uint8), 3)
    assert np.isnan(counts.per_class[1:]).all()
    assert counts.mean == 100


def test_an_image_smaller_than_its_strips_is_all_boundary():
    counts = count_boundaries(np.zeros((2, 2), np.uint8), np.zeros((2, 2), np.uint8), 1, width_px=3)
    assert counts.truth.tolist() == [4]


def test_maps_of_two_sizes_are_refused():
    with pytest.raises(InputError, match="one size"):
        count_boundaries(np.zeros((2, 2), np.uint8), np.zeros((2, 3), np.uint8), 1)
