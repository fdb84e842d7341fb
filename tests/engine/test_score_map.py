import math

import pytest
import torch
import torch.nn.functional as F

from densezero.engine import window_boxes
from densezero.engine.score_map import ScoreMap
from tests.engine.score_maps import at_size, oracle_scores, whole_map, windowed


def assemble(scores, hw):
    """All tiles of an image put together: (K, H, W); NaN where no tile is."""
    whole = torch.full((*hw, scores.grids.shape[3]), torch.nan)
    for tile in scores.plan_tiles(hw):
        part = whole[tile.rows.pixels, tile.columns.pixels]
        assert bool(part.isnan().all()), "tiles do not overlap"
        whole[tile.rows.pixels, tile.columns.pixels] = scores.compute(tile)
    return whole.permute(2, 0, 1)


def test_overlapping_windows_are_averaged_by_hand():
    windows = window_boxes(1, 3, side=2, stride=1)  # columns 0-1 and 1-2
    scores = ScoreMap(torch.tensor([1.0, 5.0]).reshape(2, 1, 1, 1), windows, (1, 3), softmax=False)
    assert scores.compute_all().flatten().tolist() == [1, 3, 5]


def test_softmax_is_taken_in_each_window_and_then_averaged():
    windows = window_boxes(1, 3, side=2, stride=1)
    grids = torch.tensor([[0.0, math.log(3)], [0.0, 0.0]]).reshape(2, 1, 1, 2)
    made = ScoreMap(grids, windows, (1, 3), softmax=True).compute_all()[0].T
    # Softmax of the mean logit would give 1 / (1 + 3 ** 0.5) = 0.366 for the first class in the middle.
    torch.testing.assert_close(made, torch.tensor([[0.25, 0.375, 0.5], [0.75, 0.625, 0.5]]))


def test_windows_that_cover_once_equal_each_window_alone():
    scores = windowed(3, hw=(28, 42), side=14, stride=14)
    made = scores.compute_all().permute(2, 0, 1)
    for grid, box in zip(scores.grids, scores.windows, strict=True):
        alone = at_size(grid.permute(2, 0, 1), (14, 14))
        torch.testing.assert_close(made[:, box.top : box.bottom, box.left : box.right], alone, rtol=0, atol=1e-6)


@pytest.mark.parametrize("softmax", [True, False], ids=["softmax", "cosine"])
@pytest.mark.parametrize("hw", [(42, 56), (97, 130), (5, 7), (64, 1), (1, 90), (300, 41), (1, 1)])
def test_tiles_cover_the_image_once_and_equal_the_dense_way(softmax, hw):
    scores = windowed(5, softmax=softmax)
    expected = oracle_scores(scores, hw, torch.float64)
    torch.testing.assert_close(assemble(scores, hw).double(), expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("hw", [(33, 47), (131, 140), (3, 4), (200, 2)])
def test_a_patch_grid_is_resized_in_one_step(hw):
    grid = 0.2 * torch.randn(9, 12, 4, generator=torch.Generator().manual_seed(0))
    expected = at_size(grid.permute(2, 0, 1).double(), hw)
    torch.testing.assert_close(assemble(whole_map(grid), hw).double(), expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("softmax", [True, False], ids=["softmax", "cosine"])
def test_scores_do_not_depend_on_the_size_of_the_tiles(softmax, monkeypatch):
    scores, hw = windowed(4, softmax=softmax), (90, 70)
    made = assemble(scores, hw)
    for columns, values in ((1, 1), (11, 4 * 9 * 11), (70, 2**25)):
        monkeypatch.setattr("densezero.engine.score_map.CPU_TILE", (columns, values))
        torch.testing.assert_close(assemble(scores, hw), made, rtol=0, atol=1e-7)


@pytest.mark.parametrize(("channels", "th", "tw"), [(21, 195, 64), (150, 27, 64), (847, 8, 64)])
def test_the_scores_of_a_tile_take_about_a_megabyte(channels, th, tw):
    (first, *_) = windowed(channels).plan_tiles((512, 683))
    assert (first.rows.pixels, first.columns.pixels) == (slice(0, th), slice(0, tw))


@pytest.mark.parametrize("hw", [(20, 20), (3, 500), (500, 3)])
def test_an_image_smaller_than_its_map_needs_few_of_its_rows(hw):
    scores = whole_map(torch.randn(100, 120, 5, generator=torch.Generator().manual_seed(0)))
    for tile in scores.plan_tiles(hw):
        for axis in tile:
            targets = axis.pixels.stop - axis.pixels.start
            assert axis.map_length <= 2 * targets
            assert max(part.within_tile.stop for part in axis.windows.values()) == axis.map_length


def test_a_permutation_of_the_classes_permutes_the_scores():
    order = torch.tensor([3, 1, 0, 2])
    for softmax in (True, False):
        scores = windowed(4, softmax=softmax)
        permuted = ScoreMap(scores.grids[..., order].contiguous(), scores.windows, scores.hw, softmax)
        torch.testing.assert_close(assemble(permuted, (50, 60)), assemble(scores, (50, 60))[order], rtol=0, atol=1e-7)


def test_one_window_over_all_equals_the_grid_resized_once():
    grid = torch.randn(4, 4, 6, generator=torch.Generator().manual_seed(0))
    one = ScoreMap(grid[None], window_boxes(56, 56, 56, 56), (56, 56), softmax=False)
    expected = F.interpolate(grid.permute(2, 0, 1)[None], (56, 56), mode="bilinear", align_corners=False)[0]
    torch.testing.assert_close(one.compute_all().permute(2, 0, 1), expected, rtol=0, atol=1e-6)
    torch.testing.assert_close(assemble(whole_map(grid), (56, 56)), expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("step", [(1, 1), (4, 6), (5, 3), (42, 56)])
def test_pooled_cosines_equal_the_means_of_the_dense_map(step):
    scores = windowed(5)  # 42 x 56 in windows of 28 every 14 pixels, of which some overlap four times
    expected = F.avg_pool2d(oracle_scores(scores, scores.hw, torch.float64), step)
    torch.testing.assert_close(scores.pool(step).permute(2, 0, 1).double(), expected, rtol=0, atol=1e-6)
    uneven = windowed(2, hw=(45, 70), side=28, stride=20, patches=3)
    expected = F.avg_pool2d(oracle_scores(uneven, uneven.hw, torch.float64), step)
    torch.testing.assert_close(uneven.pool(step).permute(2, 0, 1).double(), expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("hw", [(90, 70), (20, 30)])
def test_all_scores_of_an_image_are_those_of_its_tiles(hw):
    scores = windowed(3)
    torch.testing.assert_close(scores.compute_all(hw).permute(2, 0, 1), assemble(scores, hw), rtol=0, atol=0)
