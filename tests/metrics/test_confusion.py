import numpy as np
import pytest
from sklearn.metrics import confusion_matrix

from densezero.errors import InputError
from densezero.metrics import count_pairs

INTEGERS = (np.uint8, np.uint16, np.int16, np.int64)


def random_pair(classes=7, hw=(40, 50), seed=0, dtype=np.uint8):
    random = np.random.default_rng(seed)
    return random.integers(0, classes, hw, dtype), random.integers(0, classes, hw, dtype)


def test_pairs_counted_by_hand():
    target = np.array([[0, 0, 1], [1, 2, 255]])
    labels = np.array([[0, 1, 1], [1, 0, 2]])
    assert count_pairs(labels, target, classes=3).tolist() == [[1, 1, 0], [0, 2, 0], [1, 0, 0]]


@pytest.mark.parametrize("dtype", INTEGERS)
def test_counts_agree_with_scikit_learn(dtype):
    labels, target = random_pair(dtype=dtype)
    target[:5] = 255
    kept = target != 255
    expected = confusion_matrix(target[kept], labels[kept], labels=range(7))
    made = count_pairs(labels, target, classes=7)
    assert made.dtype == np.int64
    assert np.array_equal(made, expected)


def test_byte_labels_do_not_overflow():
    labels, target = np.full((1, 2), 200, np.uint8), np.full((1, 2), 199, np.uint8)
    assert count_pairs(labels, target, classes=254)[199, 200] == 2


def test_two_byte_labels_do_not_overflow():
    labels, target = np.full((1, 2), 299, np.uint16), np.full((1, 2), 298, np.uint16)
    made = count_pairs(labels, target, classes=300, ignore=65535)
    assert (made[298, 299], made.sum()) == (2, 2)


def test_labels_and_target_may_be_of_different_types():
    labels, target = np.array([[1, 0]], np.uint8), np.array([[255, 1]], np.int64)
    assert count_pairs(labels, target, classes=2).tolist() == [[0, 0], [1, 0]]


def test_the_merge_of_halves_equals_the_whole():
    labels, target = random_pair()
    halves = count_pairs(labels[:13], target[:13], 7) + count_pairs(labels[13:], target[13:], 7)
    assert np.array_equal(halves, count_pairs(labels, target, 7))


def test_ignored_pixels_do_not_count():
    labels, target = random_pair()
    target[:, 10:30] = 255
    labels[:, 10:20] = 99  # whatever is predicted there
    assert count_pairs(labels, target, 7).sum() == 40 * 30
    cut = np.r_[0:10, 30:50]
    assert np.array_equal(count_pairs(labels, target, 7), count_pairs(labels[:, cut], target[:, cut], 7))


def test_another_value_may_mean_ignore():
    labels, target = np.array([[0, 1]]), np.array([[0, -1]])
    assert count_pairs(labels, target, classes=2, ignore=-1).tolist() == [[1, 0], [0, 0]]
    assert count_pairs(labels, np.array([[0, 1]]), classes=2, ignore=1).tolist() == [[1, 0], [0, 0]]


def test_an_image_of_ignored_pixels_counts_nothing():
    assert not count_pairs(np.zeros((2, 2), np.uint8), np.full((2, 2), 255, np.uint8), 3).any()


def test_a_permutation_of_the_classes_permutes_rows_and_columns():
    labels, target = random_pair()
    order = np.random.default_rng(1).permutation(7)  # new index of each class
    permuted = count_pairs(order[labels], order[target], 7)
    assert np.array_equal(permuted[np.ix_(order, order)], count_pairs(labels, target, 7))


def test_sizes_that_differ_are_refused():
    with pytest.raises(InputError, match=r"\(2, 3\) and \(3, 2\)"):
        count_pairs(np.zeros((2, 3), int), np.zeros((3, 2), int), 2)


@pytest.mark.parametrize(("label", "truth", "blamed"), [(3, 0, "labels"), (255, 0, "labels"), (0, 3, "target")])
def test_a_value_that_is_no_class_is_refused(label, truth, blamed):
    for dtype in (np.uint8, np.int64):
        with pytest.raises(InputError, match=rf"{blamed} in 0\.\.2 .* got {max(label, truth)}\."):
            count_pairs(np.array([[label]], dtype), np.array([[truth]], dtype), classes=3)


def test_a_negative_value_is_refused():
    with pytest.raises(InputError, match="got -1"):
        count_pairs(np.array([[-1, 0]]), np.array([[1, 1]]), classes=3)


def test_scores_in_place_of_labels_are_refused():
    with pytest.raises(InputError, match="labels as integers; got float64"):
        count_pairs(np.array([[0.7]]), np.array([[0]]), classes=3)
    with pytest.raises(InputError, match="target as integers; got bool"):
        count_pairs(np.array([[0]]), np.array([[True]]), classes=3)


def test_the_quick_count_of_bytes_equals_the_plain_one():
    random = np.random.default_rng(2)
    labels, target = random.integers(0, 150, (2, 400, 700)).astype(np.uint8)
    target[random.random(target.shape) < 0.1] = 255
    plain = count_pairs(labels.astype(np.int64), target.astype(np.int64), 150)
    assert np.array_equal(count_pairs(labels, target, 150), plain)
    assert np.array_equal(count_pairs(labels[::2, ::3], target[::2, ::3], 150, ignore=-1 % 256), count_pairs(
        labels[::2, ::3].astype(np.int32), target[::2, ::3].astype(np.int32), 150))  # fmt: skip


def test_labels_of_ignored_pixels_may_be_anything():
    labels, target = np.array([[9, 1]], np.uint8), np.array([[255, 1]], np.uint8)
    assert count_pairs(labels, target, 3).tolist() == [[0, 0, 0], [0, 1, 0], [0, 0, 0]]
