import numpy as np
import pytest
from pycocotools import mask as coco_mask

from densezero.errors import InputError
from densezero.images.region_maps import region_map
from densezero.output.run_lengths import decode_counts
from densezero.regions.run_lengths import read_masks


def compressed(mask, as_text=True):
    runs = coco_mask.encode(np.asfortranarray(mask.astype(np.uint8)))
    return {"size": list(mask.shape), "counts": runs["counts"].decode() if as_text else runs["counts"]}


def uncompressed(mask):
    flat = np.concatenate([[0], mask.T.ravel().astype(int), [0]])
    edges = np.flatnonzero(np.diff(flat)).tolist()
    return {"size": list(mask.shape), "counts": np.diff([0, *edges, mask.size]).tolist()}


def random_masks(seed):
    random = np.random.default_rng(seed)
    hw = tuple(random.integers(1, 50, 2).tolist())
    masks = [random.random(hw) < share for share in random.random(5)]
    return hw, [mask for mask in masks if mask.any()]


def test_run_lengths_by_hand():
    """Down the columns: two pixels outside, three inside, one outside."""
    runs = {"size": [2, 3], "counts": [2, 3, 1]}
    assert read_masks([runs], (2, 3)).tolist() == [[0, 1, 1], [0, 1, 0]]


@pytest.mark.parametrize("seed", range(30))
def test_masks_of_pycocotools_come_back(seed):
    hw, masks = random_masks(seed)
    expected = region_map(masks, hw)
    for encode in (compressed, uncompressed, lambda mask: compressed(mask, as_text=False)):
        found = read_masks([encode(mask) for mask in masks], hw)
        assert np.array_equal(region_map(found, hw), expected)


@pytest.mark.parametrize("seed", range(30))
def test_counts_are_those_of_pycocotools(seed):
    _, masks = random_masks(seed)
    for mask in masks:
        counts = decode_counts(compressed(mask)["counts"]).tolist()
        expected = uncompressed(mask)["counts"]
        assert counts == expected[: len(counts)]
        assert sum(expected[len(counts) :]) == 0  # pycocotools leaves out a last run of no pixels


def test_counts_of_a_large_mask_have_several_digits():
    mask = np.zeros((3000, 1001), bool)
    mask[:, 500] = True
    assert decode_counts(compressed(mask)["counts"]).tolist() == [1_500_000, 3000, 1_500_000]


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_polygons_are_drawn_as_pycocotools_draws_them():
    polygons = [[1.5, 1.5, 20.2, 3.0, 10.0, 18.5], [22, 2, 28, 2, 28, 9, 22, 9]]
    runs = coco_mask.merge(coco_mask.frPyObjects(polygons, 20, 30))
    assert np.array_equal(read_masks([polygons], (20, 30)) == 1, coco_mask.decode(runs) == 1)


def test_large_masks_first_and_small_ones_overwrite():
    large, small = np.ones((4, 5), bool), np.zeros((4, 5), bool)
    small[1:3, 1:3] = True
    for masks in ([large, small], [small, large]):
        assert np.array_equal(read_masks([compressed(mask) for mask in masks], (4, 5)), np.where(small, 2, 1))


def test_no_mask_is_a_map_without_regions():
    assert read_masks([], (2, 3)).tolist() == [[0, 0, 0], [0, 0, 0]]


WHOLE = np.ones((4, 5), bool)


@pytest.mark.parametrize(
    ("segmentation", "sentence"),
    [
        (compressed(np.ones((5, 4), bool)), r"mask 2 of 2 to have the size of the image, 4 × 5 .*; got 5 × 4"),
        ({"size": [4, 5], "counts": [20]}, "mask 2 of 2 is empty"),
        ({"size": [4, 5], "counts": [3, 4]}, "add up to 7 of 20 pixels"),
        ({"size": [4, 5], "counts": [3, 4, 100]}, "add up to 107 of 20 pixels"),
        ({"size": [4, 5], "counts": [-3, 23]}, "add up to"),
        ({"size": [4, 5], "counts": []}, "add up to 0 of 20 pixels"),
        ({"size": [4, 5], "counts": [3.5, 16.5]}, "whole numbers"),
        ({"size": [4, 5], "counts": ""}, "no compressed run lengths"),
        ({"size": [4, 5], "counts": "é"}, "cannot be read"),
        ({"size": [4, 5], "counts": "\x00"}, "no compressed run lengths"),
        ({"size": [4, 5], "counts": "o" * 5}, "no compressed run lengths"),
        ({"size": [4, 5], "counts": "o" * 30 + "0"}, "too large"),
        ({"size": [4], "counts": [20]}, "cannot be read"),
        ({"counts": [20]}, "cannot be read"),
        ([], "three points"),
        ([[1, 1, 2, 2]], "three points"),
        ([1, 1, 2, 2, 3, 3], "three points"),
        ([[1, 1, 2, 2, 3, 3, 4]], "three points"),
        ([["a"] * 6], "cannot be read"),
        ([[1e12, 0, 3, 0, 3, 3]], "far outside"),  # pycocotools would need all memory
        ([[float("nan")] * 6], "far outside"),
        ([[1, 1, 1, 1, 1, 1]], "mask 2 of 2 is empty"),
        (None, "cannot be read"),
        ("masks", "cannot be read"),
        (7, "cannot be read"),
    ],
)
def test_a_mask_that_cannot_be_used_is_named(segmentation, sentence):
    with pytest.raises(InputError, match=sentence) as raised:
        read_masks([compressed(WHOLE), segmentation], (4, 5))
    assert "mask 2 of 2" in str(raised.value)


@pytest.mark.parametrize("seed", range(200))
def test_damaged_text_is_a_sentence_or_a_whole_mask(seed):
    random = np.random.default_rng(seed)
    text = list(compressed(random.random((9, 7)) < 0.5)["counts"])
    text[int(random.integers(len(text)))] = chr(int(random.integers(48, 112)))
    try:
        found = read_masks(
            [{"size": [9, 7], "counts": "".join(text[: int(random.integers(1, len(text) + 1))])}], (9, 7)
        )
    except InputError:
        return
    assert set(np.unique(found).tolist()) <= {0, 1}
