import numpy as np
import pytest
import torch

from densezero.errors import FeatureError
from densezero.features import encode_grid, plan_grid
from densezero.images import to_pixels
from tests.engine.conftest import ColourEncoder


def blotches(height, width):
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)


class SmallMemoryEncoder(ColourEncoder):
    """Takes no more patches at once than it has memory for."""

    most_patches = 10_000

    def __init__(self):
        super().__init__()
        self.taken = []
        self.error = torch.OutOfMemoryError("no memory")

    def encode_dense(self, pixels, readout="value"):
        patches = pixels.shape[2] * pixels.shape[3] // self.patch_px**2
        self.taken.append(patches)
        if patches > self.most_patches:
            raise self.error
        return super().encode_dense(pixels, readout)


@pytest.mark.parametrize(
    ("image_hw", "side", "grid_hw"),
    [
        ((480, 640), 98, (74, 98)),  # 73.5 rows: halves go up
        ((640, 480), 98, (98, 74)),
        ((100, 100), 7, (7, 7)),
        ((13, 2000), 98, (1, 98)),  # 0.6 rows
        ((1, 2000), 98, (1, 98)),  # 0.05 rows
        ((300, 400), 1, (1, 1)),
    ],
)
@pytest.mark.parametrize("patch_px", [14, 16])
def test_grids_by_hand_whatever_the_patch(image_hw, side, grid_hw, patch_px):
    plan = plan_grid(image_hw, patch_px, side)
    assert plan.image_hw == image_hw
    assert plan.input_hw == (grid_hw[0] * patch_px, grid_hw[1] * patch_px)


def test_a_picture_of_one_colour_has_that_colours_feature_everywhere():
    encoder = ColourEncoder()
    grid = encode_grid(encoder, np.full((30, 40, 3), (51, 102, 204), np.uint8), grid_side=4)
    expected = (torch.tensor([0.2, 0.4, 0.8]) - 0.5) @ encoder.turn
    torch.testing.assert_close(grid, expected.expand(3, 4, 8))


@pytest.mark.parametrize("image_hw", [(28, 56), (100, 37)])  # the first is not resized
def test_the_model_input_is_that_of_to_pixels_to_the_last_bit(image_hw):
    class Seeing(ColourEncoder):
        def encode_dense(self, pixels, readout="value"):
            self.pixels = pixels
            return super().encode_dense(pixels, readout)

    encoder, rgb = Seeing(), blotches(*image_hw)
    assert len(np.unique(rgb)) == 256
    encode_grid(encoder, rgb, grid_side=4)
    expected = torch.from_numpy(to_pixels(rgb, plan_grid(image_hw, encoder.patch_px, 4)))
    assert torch.equal(encoder.pixels, expected)
    assert (encoder.pixels.dtype, encoder.pixels.is_contiguous()) == (torch.float32, True)


@pytest.mark.parametrize("window", [1, 2, 3, 4, 7, 50])
def test_windows_equal_the_whole_where_a_patch_is_all_that_counts(window):
    rgb = blotches(60, 90)
    whole = encode_grid(ColourEncoder(), rgb, grid_side=12)
    torch.testing.assert_close(encode_grid(ColourEncoder(), rgb, grid_side=12, window_side=window), whole)
    assert whole.shape == (8, 12, 8)


def test_windows_overlap_without_a_seam_weighing_their_middle_most():
    class Numbered(ColourEncoder):
        """Gives every window its number, so that the blend shows the weights."""

        number = -1.0

        def encode_dense(self, pixels, readout="value"):
            self.number += 1
            return torch.full((1, pixels.shape[2] // 14, pixels.shape[3] // 14, 1), self.number)

    # Windows of 4 start at 0 and 2 of 6 columns; the tents 1 2 2 1 meet as (2, 1) and (1, 2).
    grid = encode_grid(Numbered(), blotches(10, 60), grid_side=6, window_side=4)
    torch.testing.assert_close(grid.flatten(), torch.tensor([0, 0, 1 / 3, 2 / 3, 1, 1]))


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA"),
        MemoryError(),
        RuntimeError("MPS backend out of memory (MPS allocated: 9 GB)"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory"),
    ],
)
def test_windows_are_taken_if_the_memory_is_too_small(error):
    encoder = SmallMemoryEncoder()
    encoder.most_patches, encoder.error = 98 * 4, error
    grid = encode_grid(encoder, blotches(4, 196), grid_side=196)
    assert encoder.taken == [4 * 196, 4 * 98, 4 * 98, 4 * 98]
    torch.testing.assert_close(grid, encode_grid(ColourEncoder(), blotches(4, 196), grid_side=196))


def test_an_error_of_memory_is_raised_if_a_window_would_be_no_smaller():
    encoder = SmallMemoryEncoder()
    encoder.most_patches = 5
    with pytest.raises(torch.OutOfMemoryError):
        encode_grid(encoder, blotches(20, 30), grid_side=9)


def test_another_error_of_the_encoder_is_raised():
    encoder = SmallMemoryEncoder()
    encoder.most_patches, encoder.error = 98 * 4, RuntimeError("shapes do not fit")
    with pytest.raises(RuntimeError, match="shapes do not fit"):
        encode_grid(encoder, blotches(4, 196), grid_side=196)


def test_beyond_the_most_patches_windows_are_taken_unasked(monkeypatch):
    monkeypatch.setattr("densezero.features.dense.WHOLE_PATCHES", 50)
    monkeypatch.setattr("densezero.features.dense.WINDOW_SIDE", 4)
    encoder = SmallMemoryEncoder()
    encode_grid(encoder, blotches(10, 10), grid_side=8)
    assert encoder.taken == [16] * 9


def test_a_grid_or_a_window_below_one_patch_is_refused():
    with pytest.raises(FeatureError, match="at least 1 patch along the long side; got 0"):
        plan_grid((10, 10), 14, 0)
    with pytest.raises(FeatureError, match="windows of at least 1 patch; got 0"):
        encode_grid(ColourEncoder(), blotches(10, 10), window_side=0)
