import pytest
import torch
import torch.nn.functional as F

from densezero.engine import Background, Protocol, window_boxes
from densezero.engine import scores as scores_module
from densezero.engine.labelling import LabelRule, class_strips, confidence, label_map
from densezero.engine.scores import BlendedScores, GridScores
from densezero.vocabulary.text_bank import TextBank

TEMPERATURE = 0.01
SIMPLE = Protocol("simple", window_px=None, window_scores="cosine")
SLIDE = Protocol("slide", window_px=28, stride_px=14)


def ovss(threshold=0.0, min_area_share=0.0, scale=40.0):
    background = Background(threshold=threshold)
    return Protocol(
        "scaled", window_px=28, stride_px=14, window_scores="cosine", scale=scale, background=background,
        min_area_share=min_area_share,
    )  # fmt: skip


def bank(class_of, classes=None):
    return TextBank(torch.zeros(len(class_of), 2), torch.tensor(class_of), classes or max(class_of) + 1)


def rule(protocol, class_of, background=None, classes=None):
    return LabelRule(protocol, bank(class_of, classes), background, TEMPERATURE)


def grid(values):
    """A map of one row: a list of scores for each class."""
    return GridScores(torch.tensor(values, dtype=torch.float32)[:, None, :])


def windowed(words, hw=(42, 56), seed=0, softmax=False, spread=0.1):
    windows = window_boxes(*hw, 28, 14)
    grids = spread * torch.randn(len(windows), words, 2, 2, generator=torch.Generator().manual_seed(seed))
    return BlendedScores(grids, windows, hw, softmax)


def at_size(values, hw):
    return F.interpolate(values[None], size=hw, mode="bilinear", align_corners=False)[0]


def sclip(scores, hw, class_of, protocol):
    """SCLIP's postprocess_result in float64: labels, and where no choice hangs on the last digits."""
    total = torch.zeros(len(class_of), *scores.hw, dtype=torch.float64)
    count = torch.zeros(scores.hw, dtype=torch.float64)
    for cosines, (top, left, bottom, right) in zip(scores._grids.double(), scores._windows, strict=True):
        total[:, top:bottom, left:right] += at_size(cosines, (bottom - top, right - left))
        count[top:bottom, left:right] += 1
    logits = at_size(total / count, hw) * protocol.scale
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
    protocol = ovss(threshold, min_area_share)
    scores = windowed(len(class_of))
    expected, clear = sclip(scores, hw, class_of, protocol)
    labels = label_map(scores, hw, rule(protocol, class_of, background=0))
    assert clear.float().mean() > 0.98
    assert torch.equal(labels[clear], expected[clear])
    plain = label_map(scores, hw, rule(ovss(), class_of, background=0))
    assert torch.equal(labels, plain) == (threshold == min_area_share == 0)  # each setting shows in the labels


def test_scaled_probabilities_and_the_threshold_worked_out_by_hand():
    # Softmax of 40 x 0.05 = 2 against two noughts: e^2 / (e^2 + 2) = 0.787; of three equal scores: 0.333.
    scores = grid([[0, 0.0], [0.05, 0.0], [0, 0.0]])
    (strip,) = class_strips(scores, (1, 2), rule(ovss(), [0, 1, 2]))
    torch.testing.assert_close(strip.scores[:, 0, 0], torch.tensor([0.1065, 0.7870, 0.1065]), rtol=0, atol=5e-5)
    for threshold, expected in ((0.3, [1, 0]), (0.78, [1, 0]), (0.79, [0, 0])):
        assert label_map(scores, (1, 2), rule(ovss(threshold), [0, 1, 2], background=0)).tolist() == [expected]


def test_synonyms_share_the_softmax_and_the_best_of_them_counts():
    # Words 1 and 2 are one class: it wins with the better word's 0.6, not with the sum.
    logits = torch.log(torch.tensor([0.25, 0.6, 0.15])) / 40
    (strip,) = class_strips(GridScores(logits[:, None, None]), (1, 1), rule(ovss(), [0, 1, 1]))
    torch.testing.assert_close(strip.scores.flatten(), torch.tensor([0.25, 0.6]))


def test_the_background_takes_pixels_under_the_threshold_whatever_its_index():
    scores = grid([[0.5, 0.0], [0.0, 0.001], [0.0, 0.0]])
    for background in (0, 2):
        labels = label_map(scores, (1, 2), rule(ovss(0.4), [0, 1, 2], background))
        assert labels.tolist() == [[0, background]]


def test_a_threshold_without_a_background_class_changes_nothing():
    assert label_map(grid([[0.0], [0.001]]), (1, 1), rule(ovss(0.9), [0, 1])).tolist() == [[1]]


@pytest.mark.parametrize("softmax", [True, False], ids=["softmax", "cosine"])
def test_with_one_window_the_confidence_is_the_softmax_of_cosine_over_temperature(softmax):
    protocol = Protocol("one", window_px=28, stride_px=28, window_scores="softmax" if softmax else "cosine")
    cosines = 0.03 * torch.randn(1, 4, 2, 2, generator=torch.Generator().manual_seed(2))
    scores = BlendedScores(cosines, window_boxes(28, 28, 28, 28), (28, 28), softmax)
    one = rule(protocol, [0, 1, 2, 3])
    (strip,) = class_strips(scores, (28, 28), one)
    logits = at_size(cosines[0].double(), (28, 28)) / TEMPERATURE
    expected = (torch.exp(logits) / torch.exp(logits).sum(0)).amax(0)
    assert expected.max() - expected.min() > 0.3
    made = confidence(strip.scores, strip.scores.argmax(0), one)
    torch.testing.assert_close(made.double(), expected, rtol=0, atol=1e-4)


def test_the_confidence_is_not_the_nearly_uniform_probability_of_temperature_one():
    probabilities = torch.tensor([0.03, 0.0]).softmax(0)[:, None, None]  # 0.5075 against 0.4925
    # exp(3) / (exp(3) + 1) = 0.9526
    for label, probability in ((0, 0.9526), (1, 0.0474)):
        made = confidence(probabilities, torch.tensor([[label]]), rule(SLIDE, [0, 1]))
        assert made.item() == pytest.approx(probability, abs=1e-4)


@pytest.mark.parametrize("softmax", [True, False], ids=["softmax", "cosine"])
def test_a_class_without_words_is_found_by_the_threshold_alone(softmax):
    # Class 0 has no words; classes 1 and 2 have three between them, as many as there are classes.
    kind = "softmax" if softmax else "cosine"
    scores = windowed(2, softmax=softmax, spread=0.02)
    for threshold in (0.0, 0.8):
        background = Background(threshold=threshold)
        protocol = Protocol("t", window_px=28, stride_px=14, window_scores=kind, background=background)
        found = rule(protocol, [1, 2, 2], background=0, classes=3)
        labels = label_map(scores, (60, 70), found)
        (strip,) = class_strips(scores, (60, 70), found)
        assert not bool(strip.scores.isnan().any())
        expected = 1 + strip.scores[1:].argmax(0)
        expected[confidence(strip.scores, expected, found) < threshold] = 0
        assert torch.equal(labels, expected)
        assert sorted(labels.unique().tolist()) == ([0, 1, 2] if threshold else [1, 2])


def test_a_class_without_words_is_found_by_the_threshold_alone_under_a_scale():
    found = rule(ovss(0.9), [1, 2, 2], background=0, classes=3)
    (strip,) = class_strips(windowed(3), (42, 56), found)
    assert bool((strip.scores[0] == float("-inf")).all())
    labels = label_map(windowed(3), (42, 56), found)
    assert torch.equal(labels == 0, strip.scores[1:].amax(0) < 0.9)
    assert sorted(labels.unique().tolist()) == [0, 1, 2]


def test_small_classes_leave_their_pixels_to_the_next_best():
    # Class 2 wins one pixel in ten; with it dropped, its pixel goes to the class that comes second.
    columns = [[0.9, 0.1, 0.0]] * 5 + [[0.0, 0.9, 0.1]] * 4 + [[0.2, 0.5, 0.9]]
    scores = grid(torch.tensor(columns).T.tolist())
    for share, last in ((0.05, 2), (0.1, 1)):  # a share of exactly the threshold is dropped, as in SCLIP
        protocol = Protocol("s", window_px=None, window_scores="cosine", min_area_share=share)
        assert label_map(scores, (1, 10), rule(protocol, [0, 1, 2])).tolist() == [[0] * 5 + [1] * 4 + [last]]


def test_the_background_neither_counts_as_area_nor_is_dropped():
    # Background wins 8 of 10 pixels, classes 1 and 2 one each: each has half of the area that counts.
    columns = [[0.9, 0.1, 0.0]] * 8 + [[0.0, 0.9, 0.1], [0.0, 0.1, 0.9]]
    scores = grid(torch.tensor(columns).T.tolist())
    for share, last in ((0.4, [1, 2]), (0.5, [0, 0])):
        labels = label_map(scores, (1, 10), rule(ovss(min_area_share=share), [0, 1, 2], background=0))
        assert labels.tolist() == [[0] * 8 + last]


def test_where_every_class_is_small_and_there_is_no_background_none_is_dropped():
    protocol = Protocol("s", window_px=None, window_scores="cosine", min_area_share=0.6)
    assert label_map(grid([[0.9, 0.1], [0.1, 0.9]]), (1, 2), rule(protocol, [0, 1])).tolist() == [[0, 1]]


@pytest.mark.parametrize("softmax", [True, False], ids=["softmax", "cosine"])
@pytest.mark.parametrize(("threshold", "last"), [(0.0, 1), (0.3, 1), (0.4, 0)])
def test_dropped_classes_keep_their_share_of_the_probability(softmax, threshold, last):
    # In the last pixel the small class 2 wins by 0.005, half a temperature: class 1 has 1 / (1 + e^0.5) = 0.378.
    values = torch.tensor([[0.0, 0.9, 0.1]] * 9 + [[0.0, 0.5, 0.505]]).T
    scores = GridScores((values.softmax(0) if softmax else values)[:, None, :])
    kind, background = "softmax" if softmax else "cosine", Background(threshold=threshold)
    protocol = Protocol("s", window_px=28, stride_px=14, window_scores=kind, background=background, min_area_share=0.2)
    assert label_map(scores, (1, 10), rule(protocol, [0, 1, 2], 0)).tolist() == [[1] * 9 + [last]]


def test_a_permutation_of_the_classes_permutes_the_labels():
    order = torch.tensor([3, 1, 0, 2])  # place of the new class in the old list
    scores = windowed(4)
    permuted = BlendedScores(scores._grids[:, order], scores._windows, scores.hw, softmax=False)
    for protocol in (SIMPLE, ovss()):
        straight = label_map(scores, (50, 60), rule(protocol, [0, 1, 2, 3]))
        assert torch.equal(order[label_map(permuted, (50, 60), rule(protocol, [0, 1, 2, 3]))], straight)


@pytest.mark.parametrize("protocol", [SIMPLE, ovss(0.3, 0.1), SLIDE], ids=["simple", "ovss", "slide"])
@pytest.mark.parametrize("hw", [(90, 70), (11, 200), (1, 1)])
def test_labels_do_not_depend_on_the_height_of_the_strips(protocol, hw, monkeypatch):
    class_of = [0, 1, 2, 3] if protocol.scale is None else [0, 1, 2, 3, 3]
    scores = windowed(len(class_of), softmax=protocol is SLIDE)
    choose = rule(protocol, class_of, background=0)
    whole = label_map(scores, hw, choose)
    for strip_bytes in (1, 5_000, 9_000):
        monkeypatch.setattr(scores_module, "STRIP_BYTES", strip_bytes)
        assert torch.equal(label_map(scores, hw, choose), whole)
