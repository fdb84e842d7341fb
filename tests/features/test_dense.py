import numpy as np
import pytest
import torch

from densezero.errors import FeatureError
from densezero.features import dense, encode_grid, plan_grid
from tests.features.fakes import MeanColours


@pytest.fixture
def rgb():
    return np.random.default_rng(0).integers(0, 256, (40, 56, 3), np.uint8)


def test_the_long_side_has_as_many_patches_as_asked_and_the_ratio_stays():
    assert plan_grid((480, 640), 14).input_hw == (74 * 14, 98 * 14)  # 480 / 640 * 98 = 73.5, rounded up
    assert plan_grid((640, 480), 14).input_hw == (98 * 14, 74 * 14)
    assert plan_grid((500, 500), 16).input_hw == (1568, 1568)


def test_encoders_of_different_patches_share_a_grid():
    for hw in ((333, 500), (1, 1), (13, 2000)):
        grids = {tuple(side // patch for side in plan_grid(hw, patch).input_hw) for patch in (14, 16, 32)}
        assert len(grids) == 1
        assert min(grids.pop()) >= 1


def test_windows_equal_the_whole_for_an_encoder_without_positions(rgb):
    whole = encode_grid(MeanColours(), rgb, "patch", grid_side=14)
    windows = encode_grid(MeanColours(), rgb, "patch", grid_side=14, window_side=5)
    assert whole.shape == (10, 14, 8)
    assert torch.allclose(whole, windows, atol=1e-6)


def test_the_middle_of_a_window_weighs_most():
    assert dense._tent((3, 4))[..., 0].tolist() == [[1, 2, 2, 1], [2, 4, 4, 2], [1, 2, 2, 1]]


def test_too_many_patches_are_encoded_in_windows(rgb, monkeypatch):
    monkeypatch.setattr(dense, "WHOLE_PATCHES", 100)
    monkeypatch.setattr(dense, "WINDOW_SIDE", 6)
    encoder = MeanColours()
    encode_grid(encoder, rgb, "patch", grid_side=14)
    assert max(max(hw) for hw in encoder.seen) == 6 * 4


def test_a_device_without_memory_for_the_whole_gets_windows(rgb, monkeypatch):
    monkeypatch.setattr(dense, "WINDOW_SIDE", 6)

    class Small(MeanColours):
        def encode_dense(self, pixels, readout="value"):
            if pixels.shape[-1] > 24:
                raise torch.OutOfMemoryError
            return super().encode_dense(pixels, readout)

    small = encode_grid(Small(), rgb, "patch", grid_side=14)
    assert torch.allclose(small, encode_grid(MeanColours(), rgb, "patch", grid_side=14), atol=1e-6)


def test_no_patch_and_no_window_are_refused(rgb):
    with pytest.raises(FeatureError, match="at least 1 patch"):
        encode_grid(MeanColours(), rgb, "patch", grid_side=0)
    with pytest.raises(FeatureError, match="windows"):
        encode_grid(MeanColours(), rgb, "patch", grid_side=4, window_side=0)
