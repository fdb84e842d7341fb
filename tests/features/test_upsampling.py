import numpy as np
import pytest
import torch
import torch.nn.functional as F

from densezero.errors import FeatureError
from densezero.features import UPSAMPLERS, upsample


def values_of(*shape):
    return np.random.default_rng(0).random(shape, np.float32)


def picture(height, width):
    return np.random.default_rng(1).integers(0, 256, (height, width, 3), np.uint8)


def slow_gaussian(values, hw):
    """The mean over 5 x 5 patches around each pixel, borders repeated, by distance alone."""
    rows, columns = values.shape
    out = np.zeros(hw)
    for py, px in np.ndindex(*hw):
        y, x = (py + 0.5) * rows / hw[0] - 0.5, (px + 0.5) * columns / hw[1] - 0.5
        total = weights = 0.0
        for gy in range(round(y) - 2, round(y) + 3):
            for gx in range(round(x) - 2, round(x) + 3):
                weight = np.exp(-((gy - y) ** 2 + (gx - x) ** 2) / (2 * 0.8**2))
                total += weight * values[min(max(gy, 0), rows - 1), min(max(gx, 0), columns - 1)]
                weights += weight
        out[py, px] = total / weights
    return out


def test_two_values_made_four_by_hand():
    values = np.array([[0.0], [1.0]], np.float32)
    assert upsample(values, "bilinear", hw=(4, 1)).ravel().tolist() == [0, 0.25, 0.75, 1]
    assert upsample(values, "nearest", hw=(4, 1)).ravel().tolist() == [0, 0, 1, 1]


def test_nearest_repeats_patches_and_bilinear_equals_torch():
    values = values_of(4, 5, 3)
    repeated = values.repeat(3, axis=0).repeat(2, axis=1)
    assert np.array_equal(upsample(values, "nearest", hw=(12, 10)), repeated)
    planes = torch.from_numpy(values).permute(2, 0, 1)[None]
    expected = F.interpolate(planes, size=(17, 23), mode="bilinear")[0].permute(1, 2, 0).numpy()
    np.testing.assert_allclose(upsample(values, "bilinear", hw=(17, 23)), expected, atol=1e-6)


@pytest.mark.parametrize("how", UPSAMPLERS)
def test_every_way_keeps_the_shape_the_range_and_a_constant(how):
    rgb, values = picture(19, 27), values_of(4, 6)
    made = upsample(values, how, rgb=rgb)
    assert made.shape == (19, 27)
    assert values.min() - 1e-6 <= made.min() <= made.max() <= values.max() + 1e-6
    np.testing.assert_allclose(upsample(values[..., None], how, rgb=rgb)[..., 0], made)
    np.testing.assert_allclose(upsample(np.full((4, 6, 2), 0.3, np.float32), how, rgb=rgb), 0.3, atol=1e-6)


def test_a_guide_of_one_colour_leaves_the_distance_alone():
    values = values_of(4, 6)
    # No pixel of 12 x 22 lies halfway between two patches, where rounding would choose the 5 x 5.
    made = upsample(values, "guided", rgb=np.full((12, 22, 3), 90, np.uint8))
    np.testing.assert_allclose(made, slow_gaussian(values, (12, 22)), atol=1e-5)


def test_an_edge_of_the_guide_stays_sharp_where_bilinear_makes_a_ramp():
    values = np.repeat(np.array([[0, 0, 1, 1]], np.float32), 4, axis=0)
    rgb = np.zeros((32, 32, 3), np.uint8)
    rgb[:, 16:] = 255
    guided, ramp = (upsample(values, how, rgb=rgb)[16] for how in ("guided", "bilinear"))
    assert guided[:16].max() < 0.02
    assert guided[16:].min() > 0.98
    assert ((ramp > 0.1) & (ramp < 0.9)).sum() >= 6


def test_strips_equal_the_whole(monkeypatch):
    values, rgb = values_of(4, 6, 3), picture(23, 31)
    whole = upsample(values, "guided", rgb=rgb)
    for pixels in (1, 31 * 5):
        monkeypatch.setattr("densezero.features.upsampling._STRIP_PX", pixels)
        np.testing.assert_allclose(upsample(values, "guided", rgb=rgb), whole, atol=1e-6)


@pytest.mark.parametrize("how", ["nearest", "bilinear"])
def test_a_size_alone_is_enough_without_a_guide(how):
    values = values_of(4, 6, 3)
    assert np.array_equal(upsample(values, how, hw=(19, 27)), upsample(values, how, rgb=picture(19, 27)))


def test_bilinear_is_the_way_where_none_is_named():
    values = values_of(4, 6)
    assert np.array_equal(upsample(values, hw=(9, 8)), upsample(values, "bilinear", hw=(9, 8)))


@pytest.mark.parametrize("how", UPSAMPLERS)
def test_arrays_that_cannot_be_written_or_run_backwards_give_the_same(how):
    values, rgb = values_of(4, 6, 3), picture(19, 27)
    expected = upsample(values, how, rgb=rgb)
    backwards = np.ascontiguousarray(values[::-1])[::-1], np.ascontiguousarray(rgb[:, ::-1])[:, ::-1]
    assert np.array_equal(upsample(backwards[0], how, rgb=backwards[1]), expected)
    for array in (values, rgb):
        array.flags.writeable = False  # a warning of torch would be an error
    assert np.array_equal(upsample(values, how, rgb=rgb), expected)
    doubled = upsample(values.astype(np.float64), how, rgb=rgb)
    assert doubled.dtype == np.float32 and np.array_equal(doubled, expected)


@pytest.mark.parametrize(
    ("how", "given", "message"),
    [
        ("guided", {}, 'Expected rgb, the image whose edges "guided" follows; got none'),
        ("guided", {"hw": (4, 4)}, 'Expected rgb, the image whose edges "guided" follows; got none'),
        ("bilinear", {}, r"Expected a size to upsample to; got none. Pass hw=\(height, width\), or rgb"),
        ("bilinear", {"hw": (4, 4), "rgb": picture(4, 4)}, "either hw or rgb, whose size is taken; got both"),
        ("nearest", {"hw": (0, 4)}, r"at least 1 pixel each; got \(0, 4\)"),
        ("nearest", {"hw": (4,)}, r"hw as \(height, width\) of at least 1 pixel each; got \(4,\)"),
        ("nearest", {"rgb": picture(4, 4)[..., 0]}, r"uint8 of shape \(H, W, 3\); got uint8 of shape \(4, 4\)"),
        ("guided", {"rgb": picture(4, 4) / 255}, r"got float64 of shape \(4, 4, 3\)"),
    ],
)
def test_a_size_or_a_guide_that_is_missing_or_wrong_is_refused(how, given, message):
    with pytest.raises(FeatureError, match=message):
        upsample(values_of(2, 2), how, **given)


def test_an_unknown_way_is_refused_with_the_nearest():
    with pytest.raises(FeatureError, match=r"got 'guide'.*Did you mean 'guided'"):
        upsample(values_of(2, 2), "guide", rgb=picture(4, 4))
