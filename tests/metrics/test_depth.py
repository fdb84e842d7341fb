import numpy as np
import pytest
from sklearn.metrics import mean_absolute_percentage_error, root_mean_squared_error

from densezero.errors import InputError
from densezero.metrics import DepthSums, depth_scores, mean_depth_scores, sum_depth_errors


def random_depths(seed, hw=(6, 9)):
    generator = np.random.default_rng(seed)
    target = generator.uniform(0.5, 9, hw).astype(np.float32)
    return (target * generator.uniform(0.4, 2.5, hw)).astype(np.float32), target


def test_four_pixels_by_hand():
    target = np.array([[2.0, 4.0], [1.0, 5.0]])
    depth = np.array([[2.0, 5.0], [1.5, 2.0]])
    # Errors 0, 1, 0.5, -3; relative 0, 0.25, 0.5, 0.6; ratios 1, 1.25, 1.5, 2.5, where 1.25 is not below 1.25.
    sums = sum_depth_errors(depth, target)
    assert (sums.pixels, sums.within1, sums.within2, sums.within3) == (4, 1, 3, 3)
    scores = depth_scores(sums)
    assert scores.abs_rel == pytest.approx(1.35 / 4)
    assert scores.rmse_m == pytest.approx((10.25 / 4) ** 0.5)
    assert (scores.delta1, scores.delta2, scores.delta3) == (25, 75, 75)


@pytest.mark.parametrize("seed", range(3))
def test_scores_equal_those_of_scikit_learn(seed):
    depth, target = random_depths(seed)
    scores = depth_scores(sum_depth_errors(depth, target))
    truth, predicted = target.ravel().astype(float), depth.ravel().astype(float)
    assert scores.abs_rel == pytest.approx(mean_absolute_percentage_error(truth, predicted))
    assert scores.rmse_m == pytest.approx(root_mean_squared_error(truth, predicted))
    # a ratio below a factor is a difference of logarithms below its logarithm
    apart = np.abs(np.log2(predicted) - np.log2(truth))
    for power, share in enumerate((scores.delta1, scores.delta2, scores.delta3), 1):
        assert share == pytest.approx(100 * np.mean(apart < power * np.log2(1.25)))
    assert 0 < scores.delta1 < scores.delta2 < scores.delta3 < 100


def test_ignored_pixels_do_not_count_whatever_they_hold():
    depth, target = random_depths(0)
    ignore = np.zeros(target.shape, bool)
    ignore[:2] = True
    expected = sum_depth_errors(depth[2:], target[2:])
    target[0], depth[1] = 0, np.nan
    assert sum_depth_errors(depth, target, ignore) == expected


def test_sums_of_halves_add_to_those_of_the_whole():
    depth, target = random_depths(1)
    whole, added = (
        depth_scores(sum_depth_errors(depth, target)),
        depth_scores(sum_depth_errors(depth[:2], target[:2]) + sum_depth_errors(depth[2:], target[2:])),
    )
    assert vars(added) == pytest.approx(vars(whole))


def test_a_scale_of_both_maps_changes_only_the_metres():
    depth, target = random_depths(2)
    one = depth_scores(sum_depth_errors(depth, target))
    other = depth_scores(sum_depth_errors(2 * depth, 2 * target))
    assert vars(other) == pytest.approx({**vars(one), "rmse_m": 2 * one.rmse_m})


def test_the_mean_over_images_counts_each_image_the_same():
    # One pixel off by 1 m in the first image, three right ones in the second.
    images = [
        sum_depth_errors(np.array([[3.0]]), np.array([[2.0]])),
        sum_depth_errors(np.full((1, 3), 2.0), np.full((1, 3), 2.0)),
        DepthSums(),  # no pixel counts, so it is left out
    ]
    over_images = mean_depth_scores(images)
    assert (over_images.abs_rel, over_images.rmse_m, over_images.delta1, over_images.delta2) == (0.25, 0.5, 50, 100)
    over_pixels = depth_scores(images[0] + images[1])
    assert (over_pixels.abs_rel, over_pixels.rmse_m, over_pixels.delta1) == (0.125, 0.5, 75)


def test_no_pixel_gives_no_number():
    assert all(np.isnan(list(vars(depth_scores(DepthSums())).values())))
    assert all(np.isnan(list(vars(mean_depth_scores([])).values())))


@pytest.mark.parametrize(
    ("depth", "target", "ignore", "message"),
    [
        (np.ones((2, 3)), np.ones((3, 2)), None, "one size"),
        (np.ones((2, 2)), np.array([[1, 1], [1, 0.0]]), None, "true depth"),
        (np.array([[1, np.nan]]), np.ones((1, 2)), None, "predicted depth"),
        (np.ones((2, 2)), np.ones((2, 2)), np.zeros((1, 2), bool), "booleans of shape"),
        (np.ones((2, 2)), np.ones((2, 2)), np.zeros((2, 2), np.uint8), "booleans of shape"),
    ],
)
def test_maps_that_cannot_be_compared_are_refused(depth, target, ignore, message):
    with pytest.raises(InputError, match=message):
        sum_depth_errors(depth, target, ignore)
