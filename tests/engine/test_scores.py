import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from sklearn.metrics.pairwise import cosine_similarity

from densezero.engine import Protocol, cosine, dense_scores, scoring, window_boxes
from densezero.engine import scores as scores_module
from densezero.engine.labelling import LabelRule, class_strips, label_map
from densezero.engine.scores import BlendedScores, GridScores, strips
from densezero.engine.scoring import score_maps
from densezero.engine.upsample import Span
from densezero.errors import InputError
from densezero.vocabulary.text_bank import TextBank

WORDS = 6
SLIDES = [Protocol("slide", window_px=56, stride_px=42, window_scores=kind) for kind in ("softmax", "cosine")]
WHOLE = Protocol("whole", window_px=None, window_scores="cosine")


def text_vectors(words=WORDS, seed=3):
    return torch.randn(words, 8, generator=torch.Generator().manual_seed(seed))


def bank_of(text, class_of=None, classes=None):
    class_of = torch.arange(len(text)) if class_of is None else torch.tensor(class_of)
    return TextBank(F.normalize(text, dim=-1), class_of, classes or len(text))


def naive_slide(encoder, pixels, text, protocol):
    """The sliding window as the notebook writes it, in float64: (C, h, w)."""
    h, w = pixels.shape[-2:]
    total = torch.zeros(len(text), h, w, dtype=torch.float64)
    count = torch.zeros(h, w, dtype=torch.float64)
    units = text.double() / text.double().norm(dim=-1, keepdim=True)
    for top, left, bottom, right in window_boxes(h, w, protocol.window_px, protocol.stride_px):
        features = encoder.encode_dense(pixels[:, :, top:bottom, left:right])[0].double()  # (gh, gw, D)
        features = features / features.norm(dim=-1, keepdim=True)
        grid = torch.einsum("hwd,cd->chw", features, units)
        hw = (bottom - top, right - left)
        scores = F.interpolate(grid[None], size=hw, mode="bilinear", align_corners=False)[0]
        if protocol.window_scores == "softmax":
            scores = torch.exp(scores) / torch.exp(scores).sum(0)
        total[:, top:bottom, left:right] += scores
        count[top:bottom, left:right] += 1
    return total / count


def blended(windows, hw, softmax=True, words=WORDS):
    grids = torch.randn(len(windows), words, 4, 4, generator=torch.Generator().manual_seed(1))
    return BlendedScores(grids, windows, hw, softmax)


def test_cosines_worked_out_by_hand():
    features = torch.tensor([[[[3.0, 4.0], [0.0, -2.0]]]])  # (1, 1, 2, 2)
    made = cosine(features, torch.tensor([[5.0, 0.0], [1.0, 1.0], [0.0, 0.5]]))
    half = 2**-0.5
    assert made.shape == (1, 3, 1, 2)
    expected = torch.tensor([[0.6, 0.0], [1.4 * half, -half], [0.8, -1.0]])
    torch.testing.assert_close(made[0, :, 0], expected)


def test_cosines_agree_with_scikit_learn():
    features, text = torch.randn(2, 3, 5, 8), text_vectors()
    theirs = cosine_similarity(features.reshape(-1, 8).numpy(), text.numpy()).reshape(2, 3, 5, WORDS)
    np.testing.assert_allclose(cosine(features, text).permute(0, 2, 3, 1).numpy(), theirs, atol=1e-6)


def test_a_feature_of_length_nought_has_cosine_nought():
    assert cosine(torch.zeros(1, 1, 1, 8), text_vectors()).tolist() == [[[[0.0]]] * WORDS]


def test_half_precision_features_are_scored_in_float32():
    assert cosine(torch.ones(1, 2, 2, 8, dtype=torch.bfloat16), text_vectors()).dtype == torch.float32


@pytest.mark.parametrize("softmax", [True, False])
def test_strips_of_blended_windows_equal_the_whole(softmax):
    hw = (50, 61)
    scores = blended(window_boxes(*hw, 28, 11), hw, softmax)
    whole = scores.rows(0, 50)
    for height in (1, 7, 49):
        parts = [scores.rows(start, min(start + height, 50)) for start in range(0, 50, height)]
        torch.testing.assert_close(torch.cat(parts, 1), whole, rtol=0, atol=1e-6)


def test_overlapping_windows_are_averaged_by_hand():
    windows = window_boxes(1, 3, side=2, stride=1)  # columns 0-1 and 1-2
    grids = torch.tensor([1.0, 5.0]).reshape(2, 1, 1, 1)
    assert BlendedScores(grids, windows, (1, 3), softmax=False).rows(0, 1).tolist() == [[[1, 3, 5]]]


def test_softmax_is_taken_in_each_window_and_then_averaged():
    windows = window_boxes(1, 3, side=2, stride=1)
    grids = torch.tensor([[0.0, math.log(3)], [0.0, 0.0]]).reshape(2, 2, 1, 1)
    made = BlendedScores(grids, windows, (1, 3), softmax=True).rows(0, 1)[:, 0]
    # Softmax of the mean logit would give 1 / (1 + 3 ** 0.5) = 0.366 for the first class in the middle.
    torch.testing.assert_close(made, torch.tensor([[0.25, 0.375, 0.5], [0.75, 0.625, 0.5]]))


def test_windows_that_cover_once_equal_each_window_alone():
    windows = window_boxes(28, 42, side=14, stride=14)
    grids = torch.randn(6, 3, 2, 2, generator=torch.Generator().manual_seed(0))
    made = BlendedScores(grids, windows, (28, 42), softmax=False).rows(0, 28)
    for grid, box in zip(grids, windows, strict=True):
        alone = F.interpolate(grid[None], size=(14, 14), mode="bilinear", align_corners=False)[0]
        torch.testing.assert_close(made[:, box.top : box.bottom, box.left : box.right], alone, rtol=0, atol=1e-6)


def test_one_window_over_all_equals_the_whole_image(colour_encoder, pixels):
    image, bank = pixels(56, 56), bank_of(text_vectors())
    one = Protocol("one", window_px=56, stride_px=56, window_scores="cosine")
    by_window = score_maps(colour_encoder, [image], bank, one)[0].rows(0, 56)
    by_grid = score_maps(colour_encoder, [image], bank, WHOLE)[0].resized(Span(0, 56), Span(0, 56), (56, 56))
    torch.testing.assert_close(by_window, by_grid, rtol=0, atol=1e-6)


@pytest.mark.parametrize("protocol", SLIDES, ids=["softmax", "cosine"])
@pytest.mark.parametrize("hw", [(56, 56), (56, 75), (30, 91), (101, 70)])
def test_sliding_scores_equal_a_plain_loop_in_float64(colour_encoder, pixels, hw, protocol):
    text = text_vectors()
    made = dense_scores(colour_encoder, pixels(*hw), text, protocol)
    expected = naive_slide(colour_encoder, pixels(*hw), text, protocol)
    torch.testing.assert_close(made.double(), expected, rtol=0, atol=2e-6)


@pytest.mark.parametrize("protocol", SLIDES, ids=["softmax", "cosine"])
@pytest.mark.parametrize("image_hw", [(33, 47), (131, 140)])
def test_labels_equal_a_plain_loop_in_float64(colour_encoder, pixels, image_hw, protocol):
    image, text = pixels(56, 75), text_vectors()
    bank = bank_of(text)
    labels = label_map(
        score_maps(colour_encoder, [image], bank, protocol)[0], image_hw, LabelRule(protocol, bank, None, None)
    )
    naive = naive_slide(colour_encoder, image, text, protocol)
    best = F.interpolate(naive[None], size=image_hw, mode="bilinear", align_corners=False)[0].topk(2, dim=0)
    clear = best.values[0] - best.values[1] > 1e-5
    assert clear.float().mean() > 0.95
    assert len(labels.unique()) > 2
    assert torch.equal(labels[clear], best.indices[0][clear])


def test_a_text_bank_and_plain_vectors_give_the_same_scores(colour_encoder, pixels):
    text = text_vectors()
    for protocol in (*SLIDES, WHOLE):
        by_bank = dense_scores(colour_encoder, pixels(56, 70), bank_of(text), protocol)
        by_tensor = dense_scores(colour_encoder, pixels(56, 70)[0], 7 * text, protocol)
        torch.testing.assert_close(by_bank, by_tensor, rtol=0, atol=1e-6)


def test_a_permutation_of_the_classes_permutes_the_scores(colour_encoder, pixels):
    text, order = text_vectors(), torch.tensor([4, 0, 5, 2, 1, 3])
    for protocol in (*SLIDES, WHOLE):
        straight = dense_scores(colour_encoder, pixels(56, 70), text, protocol)
        permuted = dense_scores(colour_encoder, pixels(56, 70), text[order], protocol)
        torch.testing.assert_close(permuted, straight[order], rtol=0, atol=1e-6)


def test_a_class_takes_the_best_of_its_words_before_the_windows_are_averaged(colour_encoder, pixels):
    text = text_vectors(3)
    words = dense_scores(colour_encoder, pixels(56, 56), text, WHOLE)
    classes = dense_scores(colour_encoder, pixels(56, 56), bank_of(text, [0, 1, 1], 2), WHOLE)
    torch.testing.assert_close(classes, torch.stack([words[0], words[1:].amax(0)]))


@pytest.mark.parametrize("protocol", [*SLIDES, WHOLE], ids=["softmax", "cosine", "whole"])
def test_a_class_without_words_scores_minus_infinity_and_changes_no_other(colour_encoder, pixels, protocol):
    text = text_vectors(3)
    for class_of, classes in (([1, 2, 3], 4), ([1, 2, 2], 3), ([0, 2, 2], 3)):
        made = dense_scores(colour_encoder, pixels(56, 70), bank_of(text, class_of, classes), protocol)
        (absent,) = set(range(classes)) - set(class_of)
        rest = [index for index in range(classes) if index != absent]
        dense = [rest.index(index) for index in class_of]
        alone = dense_scores(colour_encoder, pixels(56, 70), bank_of(text, dense, classes - 1), protocol)
        assert torch.equal(made[rest], alone)
        assert bool((made[absent] == float("-inf")).all())


def test_a_whole_image_gives_the_patch_grid(colour_encoder, pixels):
    made = dense_scores(colour_encoder, pixels(56, 75), text_vectors(), WHOLE)  # 75 is stretched to 84
    assert made.shape == (WORDS, 4, 6)


def test_a_protocol_with_a_scale_keeps_every_word(colour_encoder, pixels):
    scaled = Protocol("scaled", window_px=56, stride_px=28, window_scores="cosine", scale=40)
    made = dense_scores(colour_encoder, pixels(56, 60), bank_of(text_vectors(3), [0, 1, 1], 2), scaled)
    assert made.shape == (3, 56, 60)


def test_batches_of_windows_equal_one_by_one(colour_encoder, pixels, monkeypatch):
    together = dense_scores(colour_encoder, pixels(90, 90), text_vectors(), SLIDES[0])
    monkeypatch.setattr(scoring, "pixels_at_once", lambda device: 1)
    torch.testing.assert_close(dense_scores(colour_encoder, pixels(90, 90), text_vectors(), SLIDES[0]), together)


@pytest.mark.parametrize("protocol", [*SLIDES, WHOLE], ids=["softmax", "cosine", "whole"])
def test_windows_of_several_images_go_through_the_encoder_together(colour_encoder, pixels, monkeypatch, protocol):
    # Of 56 x 75 there are 2 windows, of 56 x 56 one, of 90 x 90 four, and of 30 x 40 one that is smaller.
    images, bank = (
        [pixels(56, 75), pixels(30, 40), pixels(56, 56), pixels(90, 90), pixels(56, 75)],
        bank_of(text_vectors()),
    )
    alone = [score_maps(colour_encoder, [image], bank, protocol)[0] for image in images]
    taken, encode = [], colour_encoder.encode_dense

    def encode_dense(pixels, readout="value"):
        taken.append(tuple(pixels.shape))
        return encode(pixels, readout)

    monkeypatch.setattr(colour_encoder, "encode_dense", encode_dense)
    monkeypatch.setattr(scoring, "pixels_at_once", lambda device: 6 * 56 * 56)
    together = score_maps(colour_encoder, images, bank, protocol)
    for one, other in zip(together, alone, strict=True):
        assert one.hw == other.hw
        torch.testing.assert_close(one.rows(0, one.hw[0]), other.rows(0, other.hw[0]), rtol=0, atol=1e-6)
    whole = [(2, 3, 56, 75), (1, 3, 30, 40), (1, 3, 56, 56), (1, 3, 90, 90)]
    assert taken == ([(6, 3, 56, 56), (3, 3, 56, 56), (1, 3, 30, 40)] if protocol.window_px else whole)


@pytest.mark.parametrize("shape", [(2, 3, 56, 56), (1, 4, 56, 56), (56, 56), (1, 56, 56)])
def test_pixels_of_another_shape_are_refused(colour_encoder, shape):
    with pytest.raises(InputError, match=r"\(1, 3, h, w\)"):
        dense_scores(colour_encoder, torch.zeros(shape), text_vectors(), WHOLE)


@pytest.mark.parametrize(("rows", "row_bytes"), [(1, 1), (100, 7), (100, 10**9), (5, 0)])
def test_strips_cover_all_rows_once_and_stay_within_the_memory(rows, row_bytes, monkeypatch):
    monkeypatch.setattr(scores_module, "STRIP_BYTES", 64)
    cut = list(strips(rows, row_bytes))
    assert [row for start, end in cut for row in range(start, end)] == list(range(rows))
    assert all((end - start) * row_bytes <= 64 or end - start == 1 for start, end in cut)


class Watched(GridScores):
    """A map that notes the bytes of what it hands out."""

    def __init__(self, grid):
        super().__init__(grid)
        self.bytes = []

    def part(self, rows, columns):
        part = super().part(rows, columns)
        self.bytes.append(part.numel() * part.element_size())
        return part


@pytest.mark.parametrize("hw", [(200, 300), (20, 20), (3, 500), (500, 3)])
def test_no_strip_is_larger_than_the_memory_set_aside_even_when_the_image_is_smaller_than_the_map(hw, monkeypatch):
    monkeypatch.setattr(scores_module, "STRIP_BYTES", 60_000)
    scores = Watched(torch.randn(5, 100, 120, generator=torch.Generator().manual_seed(0)))
    bank = bank_of(text_vectors(5))
    made = list(class_strips(scores, hw, LabelRule(WHOLE, bank, None, None)))
    assert max(strip.scores.numel() * 4 for strip in made) <= 60_000
    assert max(scores.bytes) <= 2 * 60_000  # bilinear rows need one source row beyond their own
    assert len(made) > 1
    whole = F.interpolate(scores.rows(0, 100)[None], size=hw, mode="bilinear", align_corners=False)[0]
    torch.testing.assert_close(torch.cat([strip.scores for strip in made], 1), whole, rtol=0, atol=1e-5)


def test_a_whole_image_with_a_scale_goes_through_the_input_size_as_windows_do(colour_encoder):
    pixels, text = torch.rand(1, 3, 30, 50), text_vectors()
    grid = dense_scores(colour_encoder, pixels, text, WHOLE)
    scaled = Protocol("naclip on voc", window_px=None, window_scores="cosine", scale=40.0)
    wanted = F.interpolate(grid[None], (30, 50), mode="bilinear", align_corners=False)[0]
    torch.testing.assert_close(dense_scores(colour_encoder, pixels, text, scaled), wanted, rtol=0, atol=1e-6)
