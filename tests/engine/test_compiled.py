"""Labels by compiled loops: those of all channels to the last one; and labels without the loops where they can't be."""

import itertools
import subprocess
import sys

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from densezero.engine import compiled, kernels, labelling, window_boxes
from densezero.engine.compiled import PAYS_FROM, Demand, compiled_channels, demand
from densezero.engine.corners import Axis
from densezero.engine.scores import BlendedScores, GridScores
from densezero.engine.upsample import Span, axis_blend
from tests.engine.maps import SIZES, agreeing, labels_of, labels_of_all_channels, smooth, whole_image, windowed

MAPS = {
    "whole": whole_image,
    "softmax": windowed,
    "cosine": lambda words, seed=0: windowed(words, seed, softmax=False, stride=56),
    "agreeing": lambda words, seed=0: agreeing(words),
}


@pytest.fixture
def noted(monkeypatch):
    """What is too close to call for the loops: (3, n), row, column and channel."""
    found = []
    settle = compiled._settle
    monkeypatch.setattr(compiled, "_settle", lambda close, *more: (found.append(close), settle(close, *more)))
    return found


@pytest.fixture
def numba_anew():
    """Whether numba works is found out anew, and once more after the test."""
    compiled.load_kernels.cache_clear()
    yield
    compiled.load_kernels.cache_clear()


@pytest.mark.parametrize("hw", [*SIZES, (75, 96), (20, 31)])
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("words", [1, 2, 40])
@pytest.mark.parametrize("name", MAPS)
def test_channels_are_those_of_all_to_the_last_one(name, words, seed, hw):
    scores = MAPS[name](words, seed)
    found = compiled_channels(scores, hw)
    assert found is not None
    assert torch.equal(found.long(), labels_of_all_channels(scores, hw))


def test_a_label_is_the_class_of_its_channel(monkeypatch):
    scores = windowed(30)
    monkeypatch.setattr(demand, "pays", lambda hw: True)
    monkeypatch.setattr(labelling, "Contest", None)  # is not asked
    assert torch.equal(labels_of(scores, (131, 190)), labels_of_all_channels(scores, (131, 190)))


def test_channels_worked_out_by_hand(noted):
    # Two patches over 8 pixels lie at 1.5 and 5.5. Between them the first channel falls from 1 to 0, the second rises
    # from 0 to 1 and the third stays at 0.56: it wins from 1.5 + 4 x 0.44 = 3.26 to 3.74, which is no pixel's place,
    # until it is raised to 0.65: then from 2.9 to 4.1, at pixels 3 and 4.
    grid = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.56, 0.56]])[:, None, :]
    assert compiled_channels(GridScores(grid), (1, 8)).tolist() == [[0, 0, 0, 0, 1, 1, 1, 1]]
    grid[2] = 0.65
    assert compiled_channels(GridScores(grid), (1, 8)).tolist() == [[0, 0, 0, 2, 2, 1, 1, 1]]
    assert not any(close.numel() for close in noted)


def test_equal_scores_go_to_the_first_channel(noted):
    # Over 9 pixels the fifth lies halfway between the patches, where both channels have 0.5.
    grid = torch.tensor([[0.0, 1.0], [1.0, 0.0]])[:, None, :]
    assert compiled_channels(GridScores(grid), (1, 9)).tolist() == [[1, 1, 1, 1, 0, 0, 0, 0, 0]]
    assert noted[0].tolist() == [[0, 0], [4, 4], [0, 1]]


@pytest.mark.parametrize("name", MAPS)
def test_few_pixels_of_a_smooth_image_are_too_close_to_call(name, noted):
    compiled_channels(MAPS[name](100), (400, 500))
    pixels = noted[0][:2].unique(dim=1).shape[1]
    assert pixels < 0.01 * 400 * 500


def test_pixels_that_are_too_close_are_compared_as_without_the_loops(monkeypatch, noted):
    scores = windowed(40)
    monkeypatch.setattr(compiled, "MARGIN", 0.002)
    monkeypatch.setattr(compiled, "LEAST_ROOM", 10**6)
    found = compiled_channels(scores, (131, 190))
    assert noted[0].shape[1] > 1000
    assert torch.equal(found.long(), labels_of_all_channels(scores, (131, 190)))


def test_a_class_given_twice_is_left_to_the_way_without_loops(monkeypatch):
    grid = smooth(3, 9, 12).repeat(2, 1, 1)
    assert compiled_channels(GridScores(grid), (200, 300)) is None
    monkeypatch.setattr(demand, "pays", lambda hw: True)
    assert torch.equal(labels_of(GridScores(grid), (200, 300)), labels_of_all_channels(GridScores(grid), (200, 300)))


@pytest.mark.parametrize("worst", [1.02, -1.02, torch.nan])
def test_exponentials_of_what_is_no_cosine_are_left_to_the_way_without_loops(worst):
    windows = window_boxes(75, 96, 56, 21)
    grids = torch.stack([smooth(5, 8, 8, seed) for seed in range(len(windows))])
    grids[1, 2, 3, 4] = worst
    assert compiled_channels(BlendedScores(grids, windows, (75, 96), softmax=True), (75, 96)) is None
    grids[1, 2, 3, 4] = 1
    assert compiled_channels(BlendedScores(grids, windows, (75, 96), softmax=True), (75, 96)) is not None


def test_the_exponential_of_a_cosine():
    cosines = np.linspace(-compiled.LARGEST, compiled.LARGEST, 1001, dtype=np.float32)
    found = np.array([kernels._exponential(cosine) for cosine in cosines])
    np.testing.assert_allclose(found, np.exp(cosines.astype(np.float64)), rtol=4e-7)


def test_channels_that_are_not_allowed_win_nowhere():
    scores = windowed(6)
    allowed = torch.tensor([True, False, True, True, False, True])
    found = compiled_channels(scores, (70, 90), allowed).long()
    masked = scores.resized(Span(0, 70), Span(0, 90), (70, 90)).masked_fill(~allowed[:, None, None], -1)
    assert torch.equal(found, masked.argmax(0))


def test_scores_that_are_no_numbers_do_no_harm():
    grid = smooth(5, 4, 4)
    grid[2, 1, 1] = torch.nan
    assert compiled_channels(GridScores(grid), (33, 40)).unique().max() < 5
    grid[:] = torch.nan
    assert labels_of(GridScores(grid), (9, 9)).shape == (9, 9)


@pytest.mark.parametrize(("name", "value"), [("BAND", 1), ("BAND", 100), ("CLOSE_SCORES", 1), ("LEAST_ROOM", 10**5)])
def test_channels_do_not_depend_on_the_size_of_the_steps(name, value, monkeypatch):
    scores = windowed(30)
    monkeypatch.setattr(compiled, name, value)
    assert torch.equal(compiled_channels(scores, (131, 190)).long(), labels_of_all_channels(scores, (131, 190)))


@pytest.mark.parametrize("stride", [56, 19])
def test_a_mixture_is_the_map(stride):
    # Each window upsampled by torch, through the function and times its weight: the sum is the map.
    for softmax in (True, False):
        scores = windowed(7, softmax=softmax, stride=stride)
        patches, exponential, weights = scores.mixture
        total = torch.zeros(7, 75, 96)
        for grid, weight, box in zip(patches, weights, window_boxes(75, 96, 56, stride), strict=True):
            window = F.interpolate(grid.permute(2, 0, 1)[None], size=56, mode="bilinear", align_corners=False)[0]
            total[:, box.top : box.bottom, box.left : box.right] += (window.exp() if exponential else window) * weight
        torch.testing.assert_close(total, scores.part(Span(0, 75), Span(0, 96)))
        assert exponential is softmax


def test_steps_worked_out_by_hand():
    # A map of 20 pixels at twice its size; its window reaches from pixel 10 on and has 2 patches, at 12 and 17 of the
    # map (2 and 7 of the window's pixels). Pixel p of the image lies at p / 2 - 0.25 of the map.
    steps = compiled._steps_along(kernels, (Axis(2, 10, 10, 20, 40),))
    assert steps.pieces[steps.squares].tolist() == [0, 16, 32, 40]
    assert steps.held[:, 0].tolist() == [[0, 0], [0, 2], [0, 2]]
    assert steps.begins.tolist() == [10]
    assert steps.sources[:, :4].tolist() == [[0, 0, 0, 1], [1, 1, 1, 2]]
    assert steps.share[:4].tolist() == [0, 0.25, 0.75, 0.25]
    # Pixel 19 is the first that hangs on the window; 33 and 34 hang on its pixels 6 and 7, either side of a patch.
    assert steps.pieces.tolist() == [0, 8, 16, 19, 24, 32, 33, 35, 40]
    assert steps.reach[:, 0].tolist() == [[0, 0], [0, 0], [0, 0], [0, 3], [1, 7], [5, 7], [6, 8], [7, 10]]


AXES = [(Axis(8, 0, 56, 75, 97), Axis(8, 19, 56, 75, 97)), (Axis(8, 19, 56, 75, 40),), (Axis(9, 0, 300, 300, 300),)]


@pytest.mark.parametrize("axes", AXES)
def test_a_square_holds_every_patch_that_its_pixels_are_blended_from(axes):
    steps = compiled._steps_along(kernels, axes)
    for index, axis in enumerate(axes):
        upsampling = axis_blend(Span(0, axis.length), axis.patches, axis.length)
        low, high = upsampling.low + upsampling.span.start, upsampling.high + upsampling.span.start
        for square, (start, end) in enumerate(itertools.pairwise(steps.pieces[steps.squares])):
            on_map = {*steps.sources[0, start:end].tolist(), *steps.sources[1, start:end].tolist()}
            inside = [place - axis.begin for place in on_map if 0 <= place - axis.begin < axis.length]
            needed = {*low[inside].tolist(), *high[inside].tolist()} if inside else set()
            first, count = steps.held[square, index].tolist()
            assert needed <= set(range(first, first + count))
            assert count <= (max(needed) - min(needed) + 1 if needed else 0)


def test_the_loops_pay_once_enough_was_labelled_without_them():
    fresh, half = Demand(), (PAYS_FROM // 2000, 1000)
    assert [fresh.pays(half) for _ in range(4)] == [False, False, True, True]


def test_small_images_need_no_loops():
    fresh = Demand()
    assert not any(fresh.pays((48, 64)) for _ in range(10_000))
    assert fresh.pixels == 0


def test_the_loops_are_not_loaded_before_they_pay(monkeypatch):
    monkeypatch.setattr(demand, "pixels", 0)
    monkeypatch.setattr(compiled, "load_kernels", lambda: pytest.fail("loaded"))
    labels_of(windowed(9), (300, 400))
    monkeypatch.setattr(demand, "pixels", PAYS_FROM)
    with pytest.raises(pytest.fail.Exception, match="loaded"):
        labels_of(windowed(9), (300, 400))


TROUBLE = {
    "numba is missing": lambda patch: patch.setattr(compiled, "find_spec", lambda name: None),
    "told not to compile": lambda patch: patch.setattr("numba.config.DISABLE_JIT", 1),
    "no place to keep what is compiled": lambda patch: refuse(patch, RuntimeError("no locator available")),
    "no room on the disk": lambda patch: refuse(patch, OSError(28, "No space left on device")),
    "loops that are wrong": lambda patch: patch.setattr(kernels, "label_squares", label_all_by_the_first),
}


def label_all_by_the_first(first, last, field, down, across, channels, close):
    channels[:] = 0
    return 0


def refuse(patch, error):
    def fail(*_):
        raise error

    patch.setattr(kernels, "label_squares", fail)


@pytest.mark.usefixtures("numba_anew")
@pytest.mark.parametrize("trouble", TROUBLE)
def test_where_the_loops_cannot_work_labels_come_all_the_same(trouble, monkeypatch):
    monkeypatch.setattr(demand, "pixels", PAYS_FROM)
    TROUBLE[trouble](monkeypatch)
    assert compiled_channels(whole_image(5), (40, 50)) is None
    assert torch.equal(labels_of(whole_image(5), (400, 500)), labels_of_all_channels(whole_image(5), (400, 500)))


def test_a_numba_that_refuses_this_numpy_is_left_alone(tmp_path):
    (tmp_path / "numba").mkdir()
    (tmp_path / "numba" / "__init__.py").write_text("raise ImportError('Numba needs NumPy 2.4 or less')")
    probe = "from densezero.engine.compiled import load_kernels; assert load_kernels() is None"
    subprocess.run([sys.executable, "-c", f"import sys; sys.path.insert(0, {str(tmp_path)!r}); {probe}"], check=True)


@pytest.mark.usefixtures("numba_anew")
def test_the_loops_work_here():
    assert compiled.load_kernels() is kernels
