from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from densezero.engine import Background, Segmenter, find_protocol, window_boxes
from densezero.engine.labelling import class_scores, label_map
from densezero.engine.score_map import ScoreMap
from densezero.images import read_rgb
from densezero.vocabulary import load_templates
from tests.conftest import SHARED
from tests.engine.conftest import ColourEncoder
from tests.engine.score_maps import (
    TEMPERATURE,
    at_size,
    one_row,
    oracle,
    oracle_scores,
    protocol_of,
    rule_of,
    whole_map,
    windowed,
)  # fmt: skip

CASES, CASES_A_TEST = 2000, 100
MOST_CLASSES = 300


def labels_of(scores, hw, rule):
    return label_map(scores, hw, rule).long()


def random_case(seed):
    """A random map, image size and rule: 1 to 300 classes, whole or windows, synonyms, equal classes, thresholds."""
    random = np.random.default_rng(seed)
    kind = ("whole", "cosine", "softmax", "scaled")[seed % 4]
    classes = int(random.choice([1, 2, 3, 5, 8, 21, 59, 150, MOST_CLASSES], p=[0.12] * 7 + [0.1, 0.06]))
    synonyms = kind == "scaled" and classes < 60 and random.random() < 0.6
    class_of = sorted([*range(classes), *(random.integers(0, classes, classes).tolist() if synonyms else [])])
    if classes > 1 and random.random() < 0.2:  # a class without words
        missing = int(random.integers(0, classes))
        class_of = [index for index in class_of if index != missing]
    channels = len(class_of) if kind == "scaled" else len(set(class_of))
    spread = float(random.choice([0.01, 0.1, 0.3]))
    if kind == "whole":
        rows, columns = random.integers(1, 12, 2).tolist()
        generator = torch.Generator().manual_seed(seed)
        scores = whole_map(spread * torch.randn(rows, columns, channels, generator=generator))
    else:
        map_hw = tuple(random.integers(1, 60 if channels < 100 else 35, 2).tolist())
        patches = int(random.integers(1, 4))
        scores = windowed(
            channels, map_hw, seed, kind == "softmax", spread, 28, int(random.choice([7, 14, 28])), patches
        )
    if channels > 1 and random.random() < 0.3:  # two equal classes
        scores.grids[..., int(random.integers(0, channels))] = scores.grids[..., int(random.integers(0, channels))]
    hw = tuple(random.integers(1, 70 if channels < 100 else 35, 2).tolist())
    threshold = float(random.choice([0.0, 0.0, 0.1, 0.3, 0.6]))
    area = float(random.choice([0.0, 0.0, 0.0, 0.02, 0.1]))
    protocol = protocol_of(kind == "softmax", 40.0 if kind == "scaled" else None, threshold, area)
    background = int(random.integers(0, classes)) if random.random() < 0.7 else None
    return scores, hw, rule_of(protocol, class_of, background, classes)


@pytest.mark.parametrize("first", range(0, CASES, CASES_A_TEST))
def test_labels_equal_the_dense_oracle_except_at_near_ties(first):
    unclear = pixels = 0
    for seed in range(first, first + CASES_A_TEST):
        scores, hw, rule = random_case(seed)
        labels, (expected, clear) = labels_of(scores, hw, rule), oracle(scores, hw, rule)
        assert torch.equal(labels[clear], expected[clear]), f"case {seed}"
        unclear, pixels = unclear + int((~clear).sum()), pixels + clear.numel()
    assert unclear < 0.2 * pixels


@pytest.mark.parametrize("protocol", ["tips-slide", "tips-simple", "ovss"])
@pytest.mark.parametrize("threshold", [0.0, 0.3])
def test_labels_of_sample_photographs_equal_the_dense_oracle(protocol, threshold):
    photographs = sorted((SHARED / "samples").rglob("*.jpg"))[::25]
    if not photographs:
        pytest.skip("the sample photographs are not here")
    chosen = replace(find_protocol(protocol), background=Background(threshold=threshold))
    names = [f"class {index}" for index in range(59)]
    segmenter = Segmenter(ColourEncoder(temperature=0.1), names, chosen, load_templates("plain"))
    for path in photographs:
        rgb = read_rgb(path)
        (scored,) = segmenter.score([segmenter.prepare(rgb)])
        expected, clear = oracle(scored.scores, scored.image_hw, segmenter.rule)
        assert clear.float().mean() > 0.98
        assert np.array_equal(segmenter.segment(rgb).labels[clear.numpy()], expected.numpy()[clear.numpy()]), path


def sclip(scores, hw, class_of, protocol):
    """SCLIP's postprocess_result in float64: labels, and where the choice is clear."""
    logits = oracle_scores(scores, hw, torch.float64) * protocol.scale
    words = torch.exp(logits) / torch.exp(logits).sum(0)
    classes = max(class_of) + 1
    probs = torch.stack([words[[row for row, k in enumerate(class_of) if k == c]].amax(0) for c in range(classes)])
    best = probs.topk(2, dim=0).values
    clear = best[0] - best[1] > 1e-5
    if protocol.min_area_share:
        predictions = F.one_hot(probs.argmax(0), classes)
        area = predictions[:, :, 1:].sum((0, 1))
        probs[1:] *= (area > protocol.min_area_share * area.sum()).double()[:, None, None]
    labels = probs.argmax(0)
    labels[probs.amax(0) < protocol.background.threshold] = 0
    clear &= (probs.amax(0) - protocol.background.threshold).abs() > 1e-5
    return labels, clear


@pytest.mark.parametrize("hw", [(42, 56), (20, 31), (90, 77)])
@pytest.mark.parametrize(("threshold", "min_area_share"), [(0, 0), (0.4, 0), (0, 0.15), (0.4, 0.15)])
@pytest.mark.parametrize("class_of", [[0, 1, 2, 3, 4], [0, 0, 0, 1, 2, 2, 3, 4]], ids=["plain", "synonyms"])
def test_labels_equal_the_training_free_papers_in_float64(class_of, threshold, min_area_share, hw):
    protocol = protocol_of(scale=40.0, threshold=threshold, min_area_share=min_area_share)
    scores = windowed(len(class_of))
    expected, clear = sclip(scores, hw, class_of, protocol)
    labels = labels_of(scores, hw, rule_of(protocol, class_of, background=0))
    assert clear.float().mean() > 0.98
    assert torch.equal(labels[clear], expected[clear])
    plain = labels_of(scores, hw, rule_of(protocol_of(scale=40.0), class_of, background=0))
    assert torch.equal(labels, plain) == (threshold == min_area_share == 0)  # each setting shows in the labels


def test_scaled_probabilities_and_the_threshold_worked_out_by_hand():
    # Softmax of 40 x 0.05 = 2 against two zeros: e^2 / (e^2 + 2) = 0.787; of three equal scores: 0.333.
    scores = one_row([[0, 0.0], [0.05, 0.0], [0, 0.0]])
    made = class_scores(scores, (1, 2), rule_of(protocol_of(scale=40.0), [0, 1, 2]))
    np.testing.assert_allclose(made[:, 0, 0], [0.1065, 0.7870, 0.1065], rtol=0, atol=5e-5)
    for threshold, expected in ((0.3, [1, 0]), (0.78, [1, 0]), (0.79, [0, 0])):
        protocol = protocol_of(scale=40.0, threshold=threshold)
        assert label_map(scores, (1, 2), rule_of(protocol, [0, 1, 2], background=0)).tolist() == [expected]


def test_synonyms_share_the_softmax_and_the_best_of_them_counts():
    # Words 1 and 2 are one class: it wins with the better word's 0.6, not with the sum.
    logits = torch.log(torch.tensor([0.25, 0.6, 0.15])) / 40
    made = class_scores(one_row(logits[:, None].tolist()), (1, 1), rule_of(protocol_of(scale=40.0), [0, 1, 1]))
    np.testing.assert_allclose(made.ravel(), [0.25, 0.6], rtol=1e-6)


def test_the_background_takes_pixels_under_the_threshold_whatever_its_index():
    scores = one_row([[0.5, 0.0], [0.0, 0.001], [0.0, 0.0]])
    for background in (0, 2):
        labels = label_map(scores, (1, 2), rule_of(protocol_of(scale=40.0, threshold=0.4), [0, 1, 2], background))
        assert labels.tolist() == [[0, background]]


def test_the_last_class_takes_unknown_pixels_and_the_background_keeps_its_own():
    # Softmax of 40 x (0.5, 0, 0) is sure; of 40 x (0, 0.001, 0) it is 0.338. In the third pixel the background wins.
    scores = one_row([[0.5, 0.0, 0.0], [0.0, 0.001, 0.5], [0.0, 0.0, 0.0]])
    protocol = replace(protocol_of(scale=40.0), background=Background(("wall",), unknown=0.4))
    labels = label_map(scores, (1, 3), rule_of(protocol, [0, 1, 2], background=1, classes=4))
    assert labels.tolist() == [[0, 3, 1]]


def test_the_class_unknown_counts_as_no_small_class():
    # Each class has half of the pixels, at most the share 0.6: none is dropped, with and without the class unknown.
    scores = one_row([[0.9, 0.1], [0.1, 0.9]])
    protocol = replace(protocol_of(scale=40.0, min_area_share=0.6), background=Background(unknown=0.6))
    assert label_map(scores, (1, 2), rule_of(protocol, [0, 1], classes=3)).tolist() == [[0, 1]]


def test_a_threshold_without_a_background_class_changes_nothing():
    rule = rule_of(protocol_of(scale=40.0, threshold=0.9), [0, 1])
    assert label_map(one_row([[0.0], [0.001]]), (1, 1), rule).tolist() == [[1]]


@pytest.mark.parametrize("softmax", [True, False], ids=["softmax", "cosine"])
def test_with_one_window_the_confidence_is_the_softmax_of_cosine_over_temperature(softmax):
    grid = 0.03 * torch.randn(1, 2, 2, 4, generator=torch.Generator().manual_seed(2))
    scores = ScoreMap(grid, window_boxes(28, 28, 28, 28), (28, 28), softmax)
    logits = at_size(grid[0].permute(2, 0, 1).double(), (28, 28)) / TEMPERATURE
    expected = (torch.exp(logits) / torch.exp(logits).sum(0)).amax(0)
    assert expected.max() - expected.min() > 0.3
    for threshold in (0.4, 0.6, 0.9):
        labels = label_map(scores, (28, 28), rule_of(protocol_of(softmax, None, threshold), [0, 1, 2, 3, 4], 4, 5))
        clear = (expected - threshold).abs() > 1e-4
        assert 0 < (labels == 4).float().mean() < 1
        assert torch.equal((labels == 4)[clear], (expected < threshold)[clear])


def test_the_confidence_is_not_the_nearly_uniform_probability_of_temperature_one():
    # Cosines 0.03 and 0 over the temperature 0.01: exp(3) / (exp(3) + 1) = 0.9526. Their softmax is 0.5075 to 0.4925.
    grid = torch.tensor([0.03, 0.0])[None, None, None]
    scores = ScoreMap(grid, window_boxes(1, 1, 1, 1), (1, 1), softmax=True)
    for threshold, expected in ((0.952, 0), (0.953, 2)):
        rule = rule_of(protocol_of(True, None, threshold), [0, 1], background=2, classes=3)
        assert label_map(scores, (1, 1), rule).item() == expected


@pytest.mark.parametrize("scale", [None, 40.0])
@pytest.mark.parametrize("softmax", [True, False], ids=["softmax", "cosine"])
def test_a_class_without_words_is_found_by_the_threshold_alone(softmax, scale):
    if softmax and scale:
        pytest.skip("a scale is applied to cosines")
    # Class 0 has no words; classes 1 and 2 have three between them, as many as there are classes.
    class_of = [1, 2, 2]
    scores = windowed(3, spread=0.1) if scale else windowed(2, softmax=softmax, spread=0.02)
    for threshold in (0.0, 0.8):
        rule = rule_of(protocol_of(softmax, scale, threshold), class_of, background=0, classes=3)
        labels, made = label_map(scores, (60, 70), rule).numpy(), class_scores(scores, (60, 70), rule)
        assert (made[0] == -np.inf).all() and np.isfinite(made[1:]).all()
        assert np.array_equal(labels[labels > 0], (1 + made[1:].argmax(0))[labels > 0])
        assert sorted(np.unique(labels).tolist()) == ([0, 1, 2] if threshold else [1, 2])


def test_small_classes_leave_their_pixels_to_the_next_best():
    # Class 2 wins one pixel in ten; with it dropped, its pixel goes to the class that comes second.
    columns = [[0.9, 0.1, 0.0]] * 5 + [[0.0, 0.9, 0.1]] * 4 + [[0.2, 0.5, 0.9]]
    scores = one_row(torch.tensor(columns).T.tolist())
    for share, last in ((0.05, 2), (0.1, 1)):  # a share of exactly the threshold is dropped, as in SCLIP
        rule = rule_of(protocol_of(min_area_share=share), [0, 1, 2])
        assert label_map(scores, (1, 10), rule).tolist() == [[0] * 5 + [1] * 4 + [last]]


def test_the_background_neither_counts_as_area_nor_is_dropped():
    # Background wins 8 of 10 pixels, classes 1 and 2 one each: each has half of the area that counts.
    columns = [[0.9, 0.1, 0.0]] * 8 + [[0.0, 0.9, 0.1], [0.0, 0.1, 0.9]]
    scores = one_row(torch.tensor(columns).T.tolist())
    for share, last in ((0.4, [1, 2]), (0.5, [0, 0])):
        rule = rule_of(protocol_of(scale=40.0, min_area_share=share), [0, 1, 2], background=0)
        assert label_map(scores, (1, 10), rule).tolist() == [[0] * 8 + last]


def test_where_every_class_is_small_and_there_is_no_background_none_is_dropped():
    rule = rule_of(protocol_of(min_area_share=0.6), [0, 1])
    assert label_map(one_row([[0.9, 0.1], [0.1, 0.9]]), (1, 2), rule).tolist() == [[0, 1]]


@pytest.mark.parametrize("threshold", [0.0, 0.1])
def test_where_every_class_is_small_the_background_takes_all_even_without_words(threshold):
    # As in SCLIP, where the probability of dropped classes becomes 0 and class 0 is what remains.
    protocol = protocol_of(scale=40.0, threshold=threshold, min_area_share=0.6)
    scores = one_row([[0.9, 0.1], [0.1, 0.9]])
    for background, class_of in ((0, [1, 2]), (2, [0, 1])):
        labels = label_map(scores, (1, 2), rule_of(protocol, class_of, background, classes=3))
        assert labels.tolist() == [[background, background]]


@pytest.mark.parametrize(("threshold", "last"), [(0.0, 1), (0.3, 1), (0.4, 0)])
def test_dropped_classes_keep_their_share_of_the_probability(threshold, last):
    # In the last pixel the small class 2 wins by 0.005, half a temperature: class 1 has 1 / (1 + e^0.5) = 0.378.
    scores = one_row(torch.tensor([[0.0, 0.9, 0.1]] * 9 + [[0.0, 0.5, 0.505]]).T.tolist())
    rule = rule_of(protocol_of(threshold=threshold, min_area_share=0.2), [0, 1, 2], 0)
    assert label_map(scores, (1, 10), rule).tolist() == [[1] * 9 + [last]]


def test_a_permutation_of_the_classes_permutes_the_labels():
    order = torch.tensor([3, 1, 0, 2])  # place of the new class in the old list
    for softmax, scale in ((False, None), (True, None), (False, 40.0)):
        scores = windowed(4, softmax=softmax)
        permuted = ScoreMap(scores.grids[..., order].contiguous(), scores.windows, scores.hw, softmax)
        rule = rule_of(protocol_of(softmax, scale), [0, 1, 2, 3])
        assert torch.equal(order[labels_of(permuted, (50, 60), rule)], labels_of(scores, (50, 60), rule))


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_labels_and_scores_do_not_depend_on_the_threads(threads):
    scores, rule = windowed(4), rule_of(protocol_of(scale=40.0, threshold=0.3, min_area_share=0.1), [0, 1, 2, 3], 0)
    expected = labels_of(scores, (90, 70), rule).numpy(), class_scores(scores, (90, 70), rule)
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        made = labels_of(scores, (90, 70), rule).numpy(), class_scores(scores, (90, 70), rule)
    finally:
        torch.set_num_threads(before)
    assert all(np.array_equal(*pair) for pair in zip(made, expected, strict=True))


def test_labelling_leaves_the_scores_as_they_were():
    scores = windowed(4)
    before = scores.grids.clone()
    rule = rule_of(protocol_of(scale=40.0, threshold=0.3, min_area_share=0.1), [0, 1, 2, 3], 0)
    label_map(scores, (90, 70), rule)
    class_scores(scores, (90, 70), rule)
    assert torch.equal(scores.grids, before)


def test_the_first_of_equal_classes_wins_every_pixel():
    for channels in (2, 9, 40, 301):
        for softmax in (True, False):
            scores = windowed(1, softmax=softmax)
            grids = scores.grids.expand(-1, -1, -1, channels).contiguous()
            same = ScoreMap(grids, scores.windows, scores.hw, softmax)
            rule = rule_of(protocol_of(softmax), list(range(channels)))
            assert int(label_map(same, (90, 70), rule).max()) == 0
