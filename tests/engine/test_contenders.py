"""Channels that cannot win are left out: the labels stay those of all channels, to the last one."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from densezero.engine import contenders
from densezero.engine.compiled import demand
from densezero.engine.contenders import Contest
from densezero.engine.corners import Axis
from densezero.engine.scores import GridScores
from densezero.engine.squares import SIDE
from densezero.engine.upsample import Span, axis_blend
from tests.engine.maps import SIZES, agreeing, labels_of, labels_of_all_channels, smooth, whole_image, windowed


@pytest.fixture(params=[0, contenders.FEW], ids=["tile by tile", "few at once"], autouse=True)
def few(request, monkeypatch):
    """Every tile is compared once more, or only those where many channels are near; without compiled loops."""
    monkeypatch.setattr(demand, "pays", lambda hw: False)
    monkeypatch.setattr(contenders, "FEW", request.param)


def contenders_of(scores, hw, allowed=None):
    """Row and column of each square, with its contenders."""
    first, groups = Contest(scores, hw, allowed).outcome()
    found = {(row, column): [int(first[row, column])] for row, column in np.ndindex(*first.shape)}
    for squares, channels in groups:
        for row, column, some in zip(squares.rows.tolist(), squares.columns.tolist(), channels.tolist(), strict=True):
            found[row, column] = sorted(set(some))
    return found


@pytest.mark.parametrize("hw", SIZES)
@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("words", [1, 2, 40])
def test_labels_equal_those_of_all_channels_to_the_last_one(words, seed, hw):
    maps = [whole_image(words, seed), windowed(words, seed), windowed(words, seed, softmax=False, stride=56)]
    for scores in maps:
        assert torch.equal(labels_of(scores, hw), labels_of_all_channels(scores, hw))


def test_labels_of_a_whole_image_equal_torch_but_for_ties_in_the_last_digit():
    scores = whole_image(60)
    whole = F.interpolate(scores.rows(0, 9)[None], size=(300, 400), mode="bilinear", align_corners=False)[0]
    best = whole.topk(2, dim=0)
    clear = best.values[0] - best.values[1] > 1e-6
    assert clear.float().mean() > 0.999
    assert torch.equal(labels_of(scores, (300, 400))[clear], best.indices[0][clear])


@pytest.mark.parametrize("make", [whole_image, agreeing])
def test_most_channels_are_left_out_of_a_smooth_image(make):
    found = contenders_of(make(100), (200, 300))
    assert sum(map(len, found.values())) / len(found) < 10


@pytest.mark.parametrize("make", [whole_image, agreeing, windowed])
def test_every_channel_that_wins_somewhere_is_a_contender_there(make):
    scores = make(60)
    labels = labels_of_all_channels(scores, (200, 300))
    for (row, column), some in contenders_of(scores, (200, 300)).items():
        winners = labels[row * SIDE :][:SIDE, column * SIDE :][:, :SIDE].unique()
        assert set(winners.tolist()) <= set(some)


def test_every_square_has_its_place():
    for hw in SIZES:
        first, _ = Contest(windowed(3), hw).outcome()
        assert first.shape == (-(-hw[0] // SIDE), -(-hw[1] // SIDE))


def test_contenders_worked_out_by_hand():
    # Two patches side by side. The first channel leads at the left and the second at the right, each 0.8 behind at the
    # other: their mixture lags 0.4 at both. The third lags 0.28 and wins the middle; the fourth lags more than 0.4.
    grid = torch.tensor([[0.9, 0.1], [0.1, 0.9], [0.62, 0.62], [0.45, 0.4]])[:, None, :]
    assert contenders_of(GridScores(grid), (8, 8)) == {(0, 0): [0, 1, 2]}
    assert labels_of(GridScores(grid), (1, 8)).tolist() == [[0, 0, 0, 2, 2, 1, 1, 1]]


def test_where_one_channel_leads_everywhere_it_is_alone():
    grid = smooth(5, 6, 6)
    grid[3] = grid.amax(0) + 0.01
    assert all(some == [3] for some in contenders_of(GridScores(grid), (80, 80)).values())
    assert bool((labels_of(GridScores(grid), (80, 80)) == 3).all())


def test_channels_that_are_not_allowed_win_nowhere():
    scores = whole_image(6)
    allowed = torch.tensor([True, False, True, True, False, True])
    assert all(allowed[some].all() for some in contenders_of(scores, (70, 90), allowed).values())


def test_scores_that_are_no_numbers_keep_every_channel():
    grid = torch.full((3, 2, 2), torch.nan)
    assert labels_of(GridScores(grid), (9, 9)).shape == (9, 9)


def test_equal_scores_go_to_the_first_class():
    assert bool((labels_of(GridScores(torch.full((4, 3, 3), 0.5)), (40, 40)) == 0).all())


@pytest.mark.parametrize(
    ("name", "value"),
    [("TILE", 2), ("TILE", 4), ("MANY", 0), ("BAND_LAGS", 1), ("GROUP_SCORES", 1)],
)
def test_labels_do_not_depend_on_the_size_of_the_steps(name, value, monkeypatch):
    scores = windowed(30)
    expected = labels_of_all_channels(scores, (131, 190))
    monkeypatch.setattr(contenders, name, value)
    assert torch.equal(labels_of(scores, (131, 190)), expected)


def test_blocks_of_a_whole_image_begin_where_it_comes_to_the_next_patch():
    # Four patches over 40 pixels: their centres lie at 4.5, 14.5, 24.5 and 34.5.
    axis = Axis(patches=4, begin=0, length=40, map_px=40, image_px=40)
    assert axis.blocks(8) == [Span(0, 5), Span(5, 15), Span(15, 25), Span(25, 35), Span(35, 40)]
    assert [axis.corners(block) for block in axis.blocks(8)] == [
        Span(0, 1),
        Span(0, 2),
        Span(1, 3),
        Span(2, 4),
        Span(3, 4),
    ]
    assert axis.blocks(11) == [Span(0, 5), Span(5, 25), Span(25, 40)]


def test_blocks_beside_a_window_have_no_corners_in_it():
    # A window of 20 pixels from pixel 20 on, on a map of 40 that is shown at twice its size.
    axis = Axis(patches=2, begin=20, length=20, map_px=40, image_px=80)
    assert [axis.corners(block) for block in (Span(0, 20), Span(36, 39), Span(41, 48), Span(41, 79))] == [
        Span(0, 0),
        Span(0, 0),
        Span(0, 1),
        Span(0, 2),
    ]


@pytest.mark.parametrize("axis", [Axis(7, 0, 97, 97, 97), Axis(5, 3, 60, 75, 110), Axis(4, 0, 40, 64, 30)])
def test_corners_hold_every_patch_that_a_pixel_is_blended_from(axis):
    for block in axis.blocks(8):
        on_map = sources_in_use(block, axis.map_px, axis.image_px)
        inside = [px - axis.begin for px in on_map if 0 <= px - axis.begin < axis.length]
        needed = sources_in_use(Span(min(inside), max(inside) + 1), axis.patches, axis.length) if inside else set()
        assert needed <= set(range(*axis.corners(block)))


def sources_in_use(targets, sources, length):
    plan = axis_blend(targets, sources, length)
    low, high = plan.low + plan.span.start, plan.high + plan.span.start
    return {*low.tolist(), *high[plan.share > 0].tolist()}
