import numpy as np
import pytest
from sklearn.metrics import accuracy_score, jaccard_score

from densezero.metrics import count_pairs, iou_scores


def test_scores_worked_out_by_hand():
    # Class 0: 2 hits of 2 + 1 + 1; class 1: 3 hits of 3 + 1 + 1; class 2: 1 hit of 1.
    scores = iou_scores(np.array([[2, 1, 0], [1, 3, 0], [0, 0, 1]]))
    np.testing.assert_allclose(scores.per_class, [50, 60, 100])
    assert scores.miou == pytest.approx(70)
    assert scores.pixel_accuracy == pytest.approx(75)


def test_scores_agree_with_scikit_learn():
    random = np.random.default_rng(0)
    target, labels = random.integers(0, 9, (30, 40)), random.integers(0, 9, (30, 40))
    labels[:20] = target[:20]
    scores = iou_scores(count_pairs(labels, target, 9))
    expected = 100 * jaccard_score(target.ravel(), labels.ravel(), average=None)
    np.testing.assert_allclose(scores.per_class, expected, rtol=1e-12)
    assert scores.miou == pytest.approx(expected.mean())
    assert scores.pixel_accuracy == pytest.approx(100 * accuracy_score(target.ravel(), labels.ravel()))


def test_a_class_that_is_nowhere_is_shown_as_absent_and_left_out_of_the_mean():
    scores = iou_scores(np.array([[1, 0, 1], [0, 0, 0], [0, 0, 2]]))
    np.testing.assert_allclose(scores.per_class, [50, np.nan, 200 / 3])
    assert scores.miou == pytest.approx((50 + 200 / 3) / 2)


def test_a_class_that_is_predicted_but_never_true_counts_with_nought():
    scores = iou_scores(np.array([[1, 1], [0, 0]]))
    assert scores.per_class.tolist() == [50, 0]
    assert scores.miou == 25


def test_a_class_that_is_true_but_never_predicted_counts_with_nought():
    assert iou_scores(np.array([[1, 0], [1, 0]])).per_class.tolist() == [50, 0]


def test_the_mean_of_the_images_scores_is_another_number_than_the_score_of_the_sum():
    # First image: 9 of 10 pixels right, one class; second image: 1 pixel of class 0 right, 1 of class 1 wrong.
    first, second = np.array([[9, 1], [0, 0]]), np.array([[1, 0], [1, 0]])
    of_sum = iou_scores(first + second).miou  # (10 / 12 + 0 / 2) / 2
    of_images = (iou_scores(first).miou + iou_scores(second).miou) / 2  # ((0.9 + 0) / 2 + (0.5 + 0) / 2) / 2
    assert of_sum == pytest.approx(100 * 10 / 24)
    assert of_images == pytest.approx(35)


def test_a_permutation_of_the_classes_permutes_the_scores():
    counts = np.random.default_rng(3).integers(0, 50, (6, 6))
    order = np.random.default_rng(4).permutation(6)
    straight, permuted = iou_scores(counts), iou_scores(counts[np.ix_(order, order)])
    np.testing.assert_array_equal(permuted.per_class, straight.per_class[order])
    assert permuted.miou == pytest.approx(straight.miou)
    assert permuted.pixel_accuracy == straight.pixel_accuracy


def test_twice_the_same_images_give_the_same_scores():
    counts = np.random.default_rng(3).integers(0, 50, (6, 6))
    assert iou_scores(2 * counts).miou == pytest.approx(iou_scores(counts).miou)


def test_without_any_pixel_every_score_is_absent():
    scores = iou_scores(np.zeros((3, 3), np.int64))  # a warning would fail the test
    assert np.isnan([scores.miou, scores.pixel_accuracy, *scores.per_class]).all()


def test_counts_of_billions_stay_exact():
    counts = np.array([[3 * 10**12, 10**12], [0, 0]])
    assert iou_scores(counts).per_class.tolist() == [75, 0]


def test_accuracies_and_frequency_weighting_by_hand():
    # Truth: class 0 has 3 pixels, 2 right; class 1 has 4, 3 right; class 2 has 1, right.
    scores = iou_scores(np.array([[2, 1, 0], [1, 3, 0], [0, 0, 1]]))
    assert scores.mean_accuracy == pytest.approx(100 * (2 / 3 + 3 / 4 + 1) / 3)
    assert scores.frequency_weighted_iou == pytest.approx((3 * 50 + 4 * 60 + 1 * 100) / 8)


def test_a_class_without_truth_has_no_accuracy():
    scores = iou_scores(np.array([[1, 1], [0, 0]]))
    assert scores.mean_accuracy == 50
    assert scores.frequency_weighted_iou == 50
