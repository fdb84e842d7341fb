import numpy as np
import pytest
import torch
from scipy.signal import lfilter

from densezero.engine.score_map import ScoreMap
from densezero.images import Window
from densezero.jobs.places import OutputFolder
from densezero.jobs.smoothing import STATE, read_state, smooth, write_state

TWO_WINDOWS = [Window(0, 0, 4, 4), Window(0, 3, 4, 7)]
CPU = torch.device("cpu")


def map_of(grids, windows=None, hw=None, softmax=False):
    grids = torch.as_tensor(np.asarray(grids, np.float32))
    windows = windows or [Window(0, 0, *grids.shape[1:3])]
    return ScoreMap(grids, windows, hw or tuple(grids.shape[1:3]), softmax)


def random_map(seed, softmax=False):
    grids = np.random.default_rng(seed).uniform(-1, 1, (2, 2, 2, 3))  # two windows of 2 x 2 patches, 3 channels
    return map_of(grids, TWO_WINDOWS, (4, 7), softmax)


def test_two_and_three_frames_worked_out_by_hand():
    first, second = map_of([[[[1.0, 0.0]]]]), map_of([[[[0.0, 1.0]]]])
    after_two = smooth(second, first, 0.25)
    assert after_two.grids.flatten().tolist() == [0.25, 0.75]  # 0.75 x (0, 1) + 0.25 x (1, 0)
    after_three = smooth(first, after_two, 0.25)
    assert after_three.grids.flatten().tolist() == [0.8125, 0.1875]  # 0.75 x (1, 0) + 0.25 x (0.25, 0.75)


@pytest.mark.parametrize("weight", [0.0, 0.3, 0.5, 0.95])
def test_a_recursive_filter_of_scipy_gives_the_same(weight):
    frames = [random_map(seed) for seed in range(6)]
    signal = np.stack([frame.grids.numpy() for frame in frames]).astype(float)  # (T, N, gh, gw, K)
    expected, _ = lfilter([1 - weight], [1, -weight], signal, axis=0, zi=weight * signal[:1])
    state = None
    for frame, wanted in zip(frames, expected, strict=True):
        state = smooth(frame, state, weight)
        np.testing.assert_allclose(state.grids.numpy(), wanted, atol=1e-6)


@pytest.mark.parametrize("weight", [0.1, 0.5, 0.9, 0.999])
def test_a_film_that_stands_still_keeps_its_scores_to_the_bit(weight):
    frame, state = random_map(1), None
    for _ in range(20):
        state = smooth(frame, state, weight)
    assert torch.equal(state.grids, frame.grids)


def test_permuted_channels_give_permuted_scores():
    order = [2, 0, 1]
    frames = [random_map(seed) for seed in (1, 2)]
    turned = [map_of(frame.grids[..., order], TWO_WINDOWS, (4, 7)) for frame in frames]
    assert torch.equal(smooth(*turned, 0.4).grids, smooth(*frames, 0.4).grids[..., order])


def test_without_a_softmax_the_pixels_are_smoothed_as_the_patches_are():
    now, before = random_map(1), random_map(2)
    pixels = smooth(now, before, 0.4).compute_all((9, 15))
    expected = 0.6 * now.compute_all((9, 15)) + 0.4 * before.compute_all((9, 15))
    assert torch.allclose(pixels, expected, atol=1e-6)


def test_the_softmax_of_each_window_comes_after_the_smoothing():
    now, before = random_map(1, softmax=True), random_map(2, softmax=True)
    plain = map_of(0.6 * now.grids + 0.4 * before.grids, TWO_WINDOWS, (4, 7), softmax=True)
    assert torch.allclose(smooth(now, before, 0.4).compute_all(), plain.compute_all(), atol=1e-6)
    probabilities = 0.6 * now.compute_all() + 0.4 * before.compute_all()
    assert not torch.allclose(plain.compute_all(), probabilities, atol=1e-3)


def test_a_frame_of_another_size_begins_anew():
    now, before = map_of(np.ones((1, 2, 3, 2))), map_of(np.zeros((1, 3, 2, 2)))
    assert smooth(now, before, 0.5) is now
    wider = map_of(np.zeros((1, 2, 3, 2)), [Window(0, 0, 4, 6)], (4, 6))
    assert smooth(now, wider, 0.5) is now


def test_a_state_comes_back_to_the_bit_for_its_own_request_only(tmp_path):
    folder, state = OutputFolder(tmp_path), random_map(3, softmax=True)
    assert read_state(folder, "request", CPU) is None
    write_state(folder, "request", "film/000026", state)
    assert [file.name for file in tmp_path.iterdir()] == [STATE]
    following, again = read_state(folder, "request", CPU)
    assert following == "film/000026"
    assert torch.equal(again.grids, state.grids)
    assert (again.windows, again.hw, again.softmax) == (state.windows, state.hw, True)
    assert read_state(folder, "another", CPU) is None
    (tmp_path / STATE).write_bytes((tmp_path / STATE).read_bytes()[:100])
    assert read_state(folder, "request", CPU) is None
