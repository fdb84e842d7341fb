import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from densezero.errors import InputError
from densezero.metrics import AngleCounts, count_angles, normal_scores


def turned(angles_deg):
    """(1, N, 3) vectors at angles from the third axis."""
    radians = np.radians(angles_deg)
    return np.stack([np.sin(radians), np.zeros_like(radians), np.cos(radians)], -1)[None]


def random_normals(seed, hw=(7, 8)):
    return np.random.default_rng(seed).normal(size=(*hw, 3))


def test_five_angles_by_hand():
    angles = np.array([0.0, 10.0, 20.0, 25.0, 90.0])
    scores = normal_scores(count_angles(turned(angles), turned(np.zeros(5))))
    assert scores.mean_deg == pytest.approx(29)
    assert scores.median_deg == pytest.approx(20, abs=0.011)
    assert (scores.within_11_25, scores.within_22_5, scores.within_30) == (40, 60, 80)


def test_the_median_of_an_even_number_lies_between_the_middle_two():
    scores = normal_scores(count_angles(turned(np.array([1.0, 4.0, 8.0, 100.0])), turned(np.zeros(4))))
    assert scores.median_deg == pytest.approx(6, abs=0.011)


@pytest.mark.parametrize("seed", range(3))
def test_angles_equal_those_of_rotations_by_scipy(seed):
    generator = np.random.default_rng(seed)
    truth = random_normals(seed)
    vectors = generator.uniform(0, 1.2, (*truth.shape[:2], 1)) * truth[..., [1, 2, 0]]
    axes = np.cross(truth, vectors)  # a rotation about this axis is by the angle between the vectors
    angles = generator.uniform(1, 60, truth.shape[:2])
    units = axes / np.linalg.norm(axes, axis=-1, keepdims=True)
    spins = Rotation.from_rotvec(np.radians(angles.ravel())[:, None] * units.reshape(-1, 3))
    predicted = spins.apply(truth.reshape(-1, 3)).reshape(truth.shape)
    scores = normal_scores(count_angles(predicted, truth))
    assert scores.mean_deg == pytest.approx(angles.mean())
    assert scores.median_deg == pytest.approx(np.median(angles), abs=0.011)
    assert scores.within_22_5 == pytest.approx(100 * np.mean(angles < 22.5))


def test_a_common_rotation_and_the_lengths_change_nothing():
    predicted, truth = random_normals(4), random_normals(5)
    spin = Rotation.from_euler("xyz", [20, 50, 70], degrees=True)
    moved = [3 * spin.apply(normals.reshape(-1, 3)).reshape(normals.shape) for normals in (predicted, truth)]
    expected = normal_scores(count_angles(predicted, truth))
    assert vars(normal_scores(count_angles(*moved))) == pytest.approx(vars(expected), abs=0.011)


def test_opposite_vectors_are_180_degrees_apart():
    truth = random_normals(6)
    scores = normal_scores(count_angles(-truth, truth))
    assert scores.mean_deg == pytest.approx(180, abs=1e-4)
    assert scores.median_deg == pytest.approx(180, abs=0.011)


def test_counts_of_halves_add_to_those_of_the_whole():
    predicted, truth = random_normals(7), random_normals(8)
    added = count_angles(predicted[:3], truth[:3]) + count_angles(predicted[3:], truth[3:])
    whole = count_angles(predicted, truth)
    assert added.pixels == whole.pixels == 56
    assert vars(normal_scores(added)) == pytest.approx(vars(normal_scores(whole)))


def test_ignored_pixels_do_not_count_whatever_they_hold():
    predicted, truth = random_normals(9), random_normals(10)
    ignore = np.zeros(truth.shape[:2], bool)
    ignore[:, 3] = True
    expected = count_angles(np.delete(predicted, 3, 1), np.delete(truth, 3, 1))
    truth[:, 3], predicted[0, 3] = 0, np.nan
    found = count_angles(predicted, truth, ignore)
    assert (found.total_deg, found.within) == (pytest.approx(expected.total_deg), expected.within)
    assert np.array_equal(found.histogram, expected.histogram)


def test_no_pixel_gives_no_number():
    assert all(np.isnan(list(vars(normal_scores(AngleCounts())).values())))


@pytest.mark.parametrize(
    ("normals", "target", "message"),
    [
        (np.ones((2, 2, 3)), np.ones((2, 3, 3)), "one size"),
        (np.ones((2, 2)), np.ones((2, 2)), r"\(H, W, 3\)"),
        (np.ones((1, 1, 3)), np.zeros((1, 1, 3)), "true normal"),
        (np.full((1, 1, 3), np.inf), np.ones((1, 1, 3)), "predicted normal"),
    ],
)
def test_maps_that_cannot_be_compared_are_refused(normals, target, message):
    with pytest.raises(InputError, match=message):
        count_angles(normals, target)
