"""The region vote: the pixels of a region share the mean of their scores, and so one label."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from densezero.engine import Background, Segmenter, find_protocol
from densezero.engine.labelling import class_scores, label_map
from densezero.engine.presets import PROTOCOLS
from densezero.engine.protocol import Grid, Pamr
from densezero.engine.score_map import ScoreMap, vote
from densezero.errors import InputError
from tests.engine.score_maps import one_row, oracle_scores, protocol_of, rule_of, whole_map, windowed

WORDS = ["red", "green", "blue", "grey"]


def labels_of(scores, regions, rule, hw):
    voted = vote(scores, None if regions is None else np.array(regions, np.int32))
    return label_map(voted, hw, rule).tolist()


def slow_vote(values, regions):
    """The mean of each region by loops, values (K, H, W) float64."""
    channels, height, width = values.shape
    result = values.clone()
    for region in set(np.unique(regions).tolist()) - {0}:
        places = [(y, x) for y in range(height) for x in range(width) if regions[y, x] == region]
        for channel in range(channels):
            total = 0.0
            for y, x in places:
                total += float(values[channel, y, x])
            for y, x in places:
                result[channel, y, x] = total / len(places)
    return result


def blobs(hw, count, seed=0):
    """Random connected regions 1 to count and 0: each pixel belongs to the nearest of some points."""
    random = np.random.default_rng(seed)
    points = random.random((count + 1, 2)) * hw
    rows, columns = np.indices(hw)
    distance = (rows[..., None] - points[:, 0]) ** 2 + (columns[..., None] - points[:, 1]) ** 2
    return distance.argmin(-1).astype(np.int32)


def test_two_regions_and_a_pixel_outside_by_hand():
    scores = one_row([[0.9, 0.1, 0.2, 0.3, 0.4], [0.1, 0.5, 0.6, 0.0, 0.1]])
    rule = rule_of(protocol_of(), [0, 1])
    assert labels_of(scores, None, rule, (1, 5)) == [[0, 1, 1, 0, 0]]
    # region 1: means 0.5 and 0.3; region 2: means 0.25 and 0.3; the last pixel keeps 0.4 and 0.1
    assert labels_of(scores, [[1, 1, 2, 2, 0]], rule, (1, 5)) == [[0, 0, 1, 1, 0]]
    voted = vote(scores, np.array([[1, 1, 2, 2, 0]], np.int32))
    expected = torch.tensor([[0.5, 0.5, 0.25, 0.25, 0.4], [0.3, 0.3, 0.3, 0.3, 0.1]])
    assert torch.allclose(voted.compute_all((1, 5))[0].T, expected, atol=1e-7)


def test_a_small_mask_on_a_large_one_gets_its_own_label(colour_encoder, rgb):
    large, small = np.ones((60, 80), bool), np.zeros((60, 80), bool)
    small[20:40, 20:60] = True
    segmenter = Segmenter(colour_encoder, WORDS, keep_scores=True)
    image = rgb(60, 80)
    for masks in ([large, small], [small, large]):  # the order does not matter
        scores = segmenter.segment(image, masks).scores()
        assert len(np.unique(scores[:, small], axis=1).T) == 1
        assert len(np.unique(scores[:, ~small], axis=1).T) == 1
        own = segmenter.segment(image).scores().astype(np.float64)
        assert np.allclose(scores[:, small][:, 0], own[:, small].mean(1), atol=1e-6)
        assert np.allclose(scores[:, ~small][:, 0], own[:, ~small].mean(1), atol=1e-6)


@pytest.mark.parametrize("seed", range(24))
def test_it_equals_loops_over_the_pixels(seed):
    random = np.random.default_rng(seed)
    channels, softmax = int(random.choice([1, 2, 5, 40])), bool(seed % 2)
    hw = tuple(random.integers(1, 40, 2).tolist())
    scores = windowed(channels, tuple(random.integers(1, 60, 2).tolist()), seed, softmax)
    regions = blobs(hw, int(random.integers(1, 9)), seed)
    expected = slow_vote(oracle_scores(scores, hw, torch.float64), regions)
    voted = vote(scores, regions).compute_all(hw).permute(2, 0, 1)
    assert torch.allclose(voted.double(), expected, atol=2e-6)
    rule = rule_of(protocol_of(softmax), list(range(channels)))
    labels = label_map(vote(scores, regions), hw, rule)
    top = expected.topk(min(2, channels), dim=0).values
    is_clear = (top[0] - top[-1] > 1e-5) | (channels == 1)
    assert (labels.long() == expected.argmax(0))[is_clear].all()
    assert is_clear.float().mean() > 0.5 or channels == 1


def test_regions_of_single_pixels_change_nothing():
    scores, hw = windowed(6, softmax=True), (30, 44)
    regions = np.arange(1, 30 * 44 + 1, dtype=np.int32).reshape(hw)
    assert torch.equal(vote(scores, regions).compute_all(hw), scores.compute_all(hw))


def test_no_region_changes_nothing():
    scores, hw = windowed(6), (30, 44)
    assert torch.equal(vote(scores, np.zeros(hw, np.int32)).compute_all(hw), scores.compute_all(hw))
    assert vote(scores, None) is scores


def test_one_region_over_all_gives_one_label():
    scores, hw, rule = windowed(6, spread=0.5), (30, 44), rule_of(protocol_of(), list(range(6)))
    assert len(label_map(scores, hw, rule).unique()) > 1
    assert len(label_map(vote(scores, np.ones(hw, np.int32)), hw, rule).unique()) == 1


def test_permuting_the_classes_permutes_the_result():
    scores, hw, rule = windowed(7), (30, 44), rule_of(protocol_of(), list(range(7)))
    regions, order = blobs(hw, 12), torch.randperm(7, generator=torch.Generator().manual_seed(1))
    turned = replace(scores, grids=scores.grids[..., order].contiguous())
    labels = label_map(vote(scores, regions), hw, rule).long()
    assert torch.equal(order[label_map(vote(turned, regions), hw, rule).long()], labels)


def test_the_numbers_of_the_regions_do_not_matter():
    scores, hw = windowed(5), (30, 44)
    regions = blobs(hw, 6)
    other = np.where(regions == 0, 0, 7 - regions).astype(np.int32)
    assert torch.equal(vote(scores, regions).compute_all(hw), vote(scores, other).compute_all(hw))


@pytest.mark.parametrize("softmax", [False, True])
def test_one_and_two_threads_give_the_same_bits(softmax):
    scores, hw = windowed(150, (60, 80), softmax=softmax), (230, 310)
    regions = blobs(hw, 20)
    assert len(scores.plan_tiles(hw)) > 20
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        one = vote(scores, regions)
        torch.set_num_threads(2)
        for _ in range(5):
            assert torch.equal(vote(scores, regions).means[1:], one.means[1:])
        rule = rule_of(protocol_of(softmax), list(range(150)))
        two = label_map(vote(scores, regions), hw, rule)
        torch.set_num_threads(1)
        assert torch.equal(label_map(one, hw, rule), two)
    finally:
        torch.set_num_threads(before)


def test_tiles_are_added_in_one_order_whichever_is_done_first(monkeypatch):
    """The small numbers in the middle are lost beside the large ones, unless these cancel each other first."""
    scores = one_row([[1e17] * 64 + [1.0] * 64 + [-1e17] * 64, [0.0] * 192])
    regions, tiles = np.ones((1, 192), np.int32), scores.plan_tiles((1, 192))
    assert len(tiles) == 3
    means = []
    for order in ([0, 1, 2], [0, 2, 1], [2, 1, 0]):
        monkeypatch.setattr(ScoreMap, "for_each_tile", lambda _, work, hw, order=order: [work(tiles[k]) for k in order])
        means.append(vote(scores, regions).means[1].tolist())
    assert means == [means[0]] * 3


def test_the_threshold_comes_after_the_vote():
    """One pixel is sure and two are not; together they are sure enough, or not."""
    rule = rule_of(protocol_of(scale=1.0, threshold=0.6), [0, 1, 2], background=0)
    scores = one_row([[-9.0] * 3, [3.0, 0.1, 0.1], [0.0, 0.0, 0.0]])
    assert labels_of(scores, None, rule, (1, 3)) == [[1, 0, 0]]
    assert labels_of(scores, [[1, 1, 1]], rule, (1, 3)) == [[1, 1, 1]]  # softmax(1.07, 0) = 0.74
    strict = rule_of(protocol_of(scale=1.0, threshold=0.8), [0, 1, 2], background=0)
    assert labels_of(scores, None, strict, (1, 3)) == [[1, 0, 0]]
    assert labels_of(scores, [[1, 1, 1]], strict, (1, 3)) == [[0, 0, 0]]


def test_the_smallest_area_comes_after_the_vote():
    """Alone, class 1 covers a quarter and is dropped; by the vote it covers all."""
    rule = rule_of(protocol_of(min_area_share=0.3), [0, 1])
    scores = one_row([[0.2, 0.2, 0.2, 0.2], [0.9, 0.1, 0.1, 0.1]])
    assert labels_of(scores, None, rule, (1, 4)) == [[0, 0, 0, 0]]
    assert labels_of(scores, [[1, 1, 1, 1]], rule, (1, 4)) == [[1, 1, 1, 1]]


def test_class_scores_are_voted_too():
    scores, hw = windowed(5), (30, 44)
    regions, rule = blobs(hw, 6), rule_of(protocol_of(), list(range(5)))
    voted = vote(scores, regions)
    assert np.array_equal(class_scores(voted, hw, rule).argmax(0), label_map(voted, hw, rule).numpy())


@pytest.mark.parametrize("name", PROTOCOLS)
@pytest.mark.parametrize("refine", ["own", Grid(), Pamr()])
def test_every_protocol_gives_a_region_one_label(colour_encoder, rgb, name, refine):
    protocol = replace(find_protocol(name), short_side_px=112)
    if refine != "own":
        protocol = replace(protocol, refine=refine)
    image, regions = rgb(90, 130), blobs((90, 130), 7)
    segmenter = Segmenter(colour_encoder, WORDS, protocol)
    labels, own = segmenter.segment(image, regions).labels, segmenter.segment(image).labels
    for region in range(1, 8):
        assert len(np.unique(labels[regions == region])) == 1
    assert (labels != own).any()
    if not segmenter.protocol.min_area_share:
        assert np.array_equal(labels[regions == 0], own[regions == 0])


def test_a_background_by_threshold_runs_with_regions(colour_encoder, rgb):
    protocol = replace(find_protocol("tips-slide"), short_side_px=112, background=Background(threshold=0.9))
    labels = Segmenter(colour_encoder, WORDS, protocol).segment(rgb(90, 130), blobs((90, 130), 7)).labels
    assert len(np.unique(labels)) <= 5


@pytest.mark.parametrize(
    ("regions", "sentence"),
    [
        (np.zeros((80, 60), int), r"size of the image, 60 × 80 \(height × width\); got 80 × 60"),
        (np.zeros((60, 80)), "whole numbers"),
        (np.zeros((60, 80, 3), int), "whole numbers"),
        (np.full((60, 80), -1), "number -1. Set pixels in no region to 0"),
        ([np.ones((60, 80), bool), np.ones((6, 8), bool)], "mask 2 of 2 to have the size of the image"),
        ([np.zeros((60, 80), bool)], "mask 1 of 1 is empty"),
        ([np.ones((60, 80))], "item 1 of 1 is float64"),
        ("masks", "got str"),
        (7, "got int"),
    ],
)
def test_regions_that_cannot_be_used_are_refused_before_the_model_runs(colour_encoder, rgb, regions, sentence):
    segmenter = Segmenter(colour_encoder, WORDS)
    colour_encoder.encode_dense = None
    with pytest.raises(InputError, match=sentence):
        segmenter.segment(rgb(60, 80), regions)


def test_a_map_of_another_kind_is_not_changed():
    scores = whole_map(torch.rand(3, 4, 5))
    before = scores.grids.clone()
    vote(scores, np.ones((30, 40), np.int32)).compute_all((30, 40))
    assert torch.equal(scores.grids, before)
