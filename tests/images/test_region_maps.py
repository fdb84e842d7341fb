import numpy as np
import pytest
import torch

from densezero.errors import InputError
from densezero.images.region_maps import large_first, paint, region_map

HW = (3, 4)


def mask(*places):
    result = np.zeros(HW, bool)
    for place in places:
        result[place] = True
    return result


def test_numbers_are_kept_apart_and_counted_from_one():
    given = np.array([[0, 7, 7, 300], [0, 0, 2, 2], [9, 9, 9, 0]])
    assert region_map(given, HW).tolist() == [[0, 2, 2, 4], [0, 0, 1, 1], [3, 3, 3, 0]]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int32, np.int64, np.uint64])
def test_every_type_of_whole_numbers_works(dtype):
    given = np.array([[0, 7, 7, 200], [0, 0, 2, 2], [9, 9, 9, 0]], dtype)
    found = region_map(given, HW)
    assert found.dtype == np.int32
    assert found.max() == 4


@pytest.mark.parametrize("seed", range(20))
def test_it_equals_a_dictionary_of_numbers(seed):
    random = np.random.default_rng(seed)
    given = random.choice(random.integers(0, 2 ** int(random.integers(1, 60)), 9), HW)
    if seed % 2:
        given.flat[0] = 0
    number = {value: index for index, value in enumerate(sorted(set(given.ravel().tolist()) - {0}), 1)}
    expected = [[number.get(value, 0) for value in row] for row in given.tolist()]
    assert region_map(given, HW).tolist() == expected


def test_without_a_zero_every_pixel_is_in_a_region():
    assert region_map(np.full(HW, 5), HW).tolist() == np.ones(HW, int).tolist()


def test_small_masks_lie_on_top_of_large_ones():
    large, small, tiny = mask(np.s_[:2]), mask(np.s_[1:, 1:3]), mask((1, 1))
    expected = [[1, 1, 1, 1], [1, 3, 2, 1], [0, 2, 2, 0]]
    for given in ([large, small, tiny], [tiny, small, large], [small, tiny, large]):
        assert region_map(given, HW).tolist() == expected


def test_of_two_masks_of_one_size_the_later_is_on_top():
    assert region_map([mask(np.s_[0, :2]), mask(np.s_[0, 1:3])], HW)[0].tolist() == [1, 2, 2, 0]


def test_one_mask_and_a_stack_of_masks_are_masks():
    assert region_map(mask((0, 0)), HW).sum() == 1
    assert region_map(np.stack([mask((0, 0)), mask((0, 1))]), HW).max() == 2


def test_tensors_are_taken_too():
    assert region_map(torch.tensor(mask((0, 0))), HW).sum() == 1
    assert region_map([torch.tensor(mask((0, 0)))], HW).sum() == 1
    assert region_map(torch.full(HW, 3), HW).max() == 1


def test_no_mask_is_no_region():
    assert region_map([], HW).tolist() == np.zeros(HW, int).tolist()


def test_what_a_user_gave_is_not_changed():
    given = np.array([[0, 7, 7, 300], [0, 0, 2, 2], [9, 9, 9, 0]])
    before = given.copy()
    region_map(given, HW)
    assert np.array_equal(given, before)


def test_an_error_names_the_mask():
    with pytest.raises(InputError, match="mask 2 of 3 is empty"):
        region_map([mask((0, 0)), mask(), mask((1, 1))], HW)


def test_paint_and_large_first_by_hand():
    assert large_first([1, 5, 5, 9]) == [3, 1, 2, 0]
    assert paint([mask((0, 0), (0, 1)), mask((0, 1))], HW)[0].tolist() == [1, 2, 0, 0]
