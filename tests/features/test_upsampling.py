import numpy as np
import pytest
import torch
import torch.nn.functional as F

from densezero.errors import FeatureError
from densezero.features import upsample, upsampling


def picture(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def values(rows, columns, planes=2, seed=0):
    return np.random.default_rng(seed).random((rows, columns, planes)).astype(np.float32)


def test_nearest_repeats_patches():
    grid = values(3, 4)
    assert np.array_equal(upsample(grid, picture(6, 12), "nearest"), grid.repeat(2, 0).repeat(3, 1))


def test_bilinear_by_hand_and_by_torch():
    line = np.array([[0.0, 1.0]], np.float32)
    assert upsample(line, picture(1, 4), "bilinear")[0].tolist() == [0, 0.25, 0.75, 1]
    grid = values(3, 4)
    planes = torch.from_numpy(grid).permute(2, 0, 1)[None]
    expected = F.interpolate(planes, size=(7, 9), mode="bilinear", align_corners=False)[0].permute(1, 2, 0)
    assert np.allclose(upsample(grid, picture(7, 9)), expected.numpy())


def guided_slowly(grid, rgb):
    """The definition, pixel by pixel."""
    rows, columns = grid.shape[:2]
    small = upsampling.resize_rgb(rgb, (rows, columns)) / 255
    out = np.zeros((*rgb.shape[:2], grid.shape[2]))
    for i in range(rgb.shape[0]):
        for j in range(rgb.shape[1]):
            y, x = (i + 0.5) * rows / rgb.shape[0] - 0.5, (j + 0.5) * columns / rgb.shape[1] - 0.5
            total = 0
            for down in range(-2, 3):
                for right in range(-2, 3):
                    r, c = round(y) + down, round(x) + right
                    inside = min(max(r, 0), rows - 1), min(max(c, 0), columns - 1)
                    unlike = ((small[inside] - rgb[i, j] / 255) ** 2).sum()
                    log = max(-unlike / (2 * 0.1**2), -14) - ((r - y) ** 2 + (c - x) ** 2) / (2 * 0.8**2)
                    out[i, j] += np.exp(log) * grid[inside]
                    total += np.exp(log)
            out[i, j] /= total
    return out


def test_guided_equals_its_definition():
    grid, rgb = values(3, 4), picture(9, 13)
    assert np.allclose(upsample(grid, rgb, "guided"), guided_slowly(grid, rgb), atol=1e-5)


def test_guided_strips_equal_the_whole(monkeypatch):
    grid, rgb = values(5, 4), picture(31, 23)
    whole = upsample(grid, rgb, "guided")
    monkeypatch.setattr(upsampling, "_STRIP_PX", 40)
    assert np.allclose(upsample(grid, rgb, "guided"), whole, atol=1e-6)


@pytest.mark.parametrize("how", ["nearest", "bilinear", "guided"])
def test_nothing_leaves_the_range_and_a_constant_stays(how):
    grid = values(4, 4)
    raised = upsample(grid, picture(30, 20), how)
    assert raised.shape == (30, 20, 2)
    assert grid.min() - 1e-6 <= raised.min() <= raised.max() <= grid.max() + 1e-6
    assert np.allclose(upsample(np.full((4, 4), 0.3, np.float32), picture(30, 20), how), 0.3)


def test_guided_puts_the_edge_where_the_image_has_it():
    rgb = np.zeros((40, 40, 3), np.uint8)
    rgb[:, 23:] = 255  # within a patch of ten pixels
    grid = np.tile(np.array([0, 0, 1, 1], np.float32), (4, 1))
    guided, smooth = upsample(grid, rgb, "guided"), upsample(grid, rgb, "bilinear")
    assert abs(guided[20, 24] - guided[20, 21]) > 3 * abs(smooth[20, 24] - smooth[20, 21])


def test_an_unknown_way_is_refused():
    with pytest.raises(FeatureError, match="Did you mean 'guided'"):
        upsample(values(2, 2), picture(4, 4), "guide")
