import numpy as np
import pytest
import torch
import torch.nn.functional as F
from sklearn.metrics.pairwise import cosine_similarity

from densezero.engine import Protocol, cosine, dense_scores, window_boxes
from densezero.engine.labelling import LabelRule, label_map
from densezero.engine.scoring import score_images
from densezero.errors import DenseZeroWarning, InputError
from densezero.vocabulary.text_bank import TextBank
from tests.engine.conftest import ColourEncoder

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


def test_a_feature_of_length_zero_has_cosine_zero():
    assert cosine(torch.zeros(1, 1, 1, 8), text_vectors()).tolist() == [[[[0.0]]] * WORDS]


def test_half_precision_features_are_scored_in_float32():
    assert cosine(torch.ones(1, 2, 2, 8, dtype=torch.bfloat16), text_vectors()).dtype == torch.float32


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
        score_images(colour_encoder, [image], bank, protocol)[0], image_hw, LabelRule(protocol, bank, None, None)
    )
    naive = naive_slide(colour_encoder, image, text, protocol)
    best = F.interpolate(naive[None], size=image_hw, mode="bilinear", align_corners=False)[0].topk(2, dim=0)
    clear = best.values[0] - best.values[1] > 1e-5
    assert clear.float().mean() > 0.95
    assert len(labels.unique()) > 2
    assert torch.equal(labels.long()[clear], best.indices[0][clear])


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
    monkeypatch.setattr(colour_encoder, "batch_pixels", 1)
    torch.testing.assert_close(dense_scores(colour_encoder, pixels(90, 90), text_vectors(), SLIDES[0]), together)


@pytest.mark.parametrize("protocol", [*SLIDES, WHOLE], ids=["softmax", "cosine", "whole"])
def test_windows_of_several_images_go_through_the_encoder_together(colour_encoder, pixels, monkeypatch, protocol):
    # Of 56 x 75 there are 2 windows, of 56 x 56 one, of 90 x 90 four, and of 30 x 40 one that is smaller.
    images, bank = (
        [pixels(56, 75), pixels(30, 40), pixels(56, 56), pixels(90, 90), pixels(56, 75)],
        bank_of(text_vectors()),
    )
    alone = [score_images(colour_encoder, [image], bank, protocol)[0] for image in images]
    taken, encode = [], colour_encoder.encode_dense

    def encode_dense(pixels, readout="value"):
        taken.append(tuple(pixels.shape))
        return encode(pixels, readout)

    monkeypatch.setattr(colour_encoder, "encode_dense", encode_dense)
    monkeypatch.setattr(colour_encoder, "batch_pixels", 6 * 56 * 56)
    together = score_images(colour_encoder, images, bank, protocol)
    for one, other in zip(together, alone, strict=True):
        assert one.hw == other.hw
        torch.testing.assert_close(one.compute_all(), other.compute_all(), rtol=0, atol=1e-6)
    whole = [(2, 3, 56, 75), (1, 3, 30, 40), (1, 3, 56, 56), (1, 3, 90, 90)]
    assert taken == ([(6, 3, 56, 56), (3, 3, 56, 56), (1, 3, 30, 40)] if protocol.window_px else whole)


@pytest.mark.parametrize("shape", [(2, 3, 56, 56), (1, 4, 56, 56), (56, 56), (1, 56, 56)])
def test_pixels_of_another_shape_are_refused(colour_encoder, shape):
    with pytest.raises(InputError, match=r"\(1, 3, h, w\)"):
        dense_scores(colour_encoder, torch.zeros(shape), text_vectors(), WHOLE)


def test_a_whole_image_with_a_scale_goes_through_the_input_size_as_windows_do(colour_encoder):
    pixels, text = torch.rand(1, 3, 30, 50), text_vectors()
    grid = dense_scores(colour_encoder, pixels, text, WHOLE)
    scaled = Protocol("naclip on voc", window_px=None, window_scores="cosine", scale=40.0)
    wanted = F.interpolate(grid[None], (30, 50), mode="bilinear", align_corners=False)[0]
    torch.testing.assert_close(dense_scores(colour_encoder, pixels, text, scaled), wanted, rtol=0, atol=1e-6)


def test_a_whole_image_with_a_softmax_is_one_window(colour_encoder, pixels):
    text = text_vectors()
    whole = Protocol("whole", window_px=None, window_scores="softmax")
    one = Protocol("one", window_px=70, stride_px=70, window_scores="softmax")
    made = dense_scores(colour_encoder, pixels(56, 70), text, whole)
    assert torch.equal(made, dense_scores(colour_encoder, pixels(56, 70), text, one))
    torch.testing.assert_close(made.sum(0), torch.ones(56, 70))


def test_the_map_of_an_image_keeps_no_scores_of_other_images(colour_encoder, pixels):
    maps = score_images(colour_encoder, [pixels(56, 70)] * 3, bank_of(text_vectors()), WHOLE)
    assert all(one.grids.untyped_storage().nbytes() == one.grids.nbytes for one in maps)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_features_that_are_not_finite_are_refused(colour_encoder, pixels, monkeypatch, value):
    encode = colour_encoder.encode_dense

    def broken(pixels, readout="value"):
        features = encode(pixels, readout).clone()
        features[0, 1, 1, 0] = value
        return features

    monkeypatch.setattr(colour_encoder, "encode_dense", broken)
    with pytest.raises(InputError, match=r"finite features.*colour gave NaN or infinity.*float32"):
        dense_scores(colour_encoder, pixels(56, 70), text_vectors(), SLIDES[0])


class SmallDevice:
    """An encoder on a GPU whose memory holds a few windows at a time."""

    def __init__(self, encoder, windows, error):
        self.encode, self.windows, self.error, self.taken = encoder.encode_dense, windows, error, []

    def __call__(self, pixels, readout="value"):
        self.taken.append(len(pixels))
        if len(pixels) > self.windows:
            raise self.error
        return self.encode(pixels, readout)


@pytest.mark.parametrize(
    "error", [torch.OutOfMemoryError("CUDA out of memory"), RuntimeError("MPS backend out of memory")]
)
def test_out_of_memory_halves_the_batch_says_so_and_gives_the_same_scores(colour_encoder, pixels, monkeypatch, error):
    expected = dense_scores(colour_encoder, pixels(150, 150), text_vectors(), SLIDES[0])  # 16 windows
    small, freed = SmallDevice(colour_encoder, 3, error), []
    monkeypatch.setattr("densezero.encoders.batches.free_memory", freed.append)
    monkeypatch.setattr(colour_encoder, "encode_dense", small)
    monkeypatch.setattr(colour_encoder, "device", torch.device("cuda"))
    monkeypatch.setattr(colour_encoder, "batch_pixels", 16 * 56 * 56)
    with pytest.warns(DenseZeroWarning, match="Smaller batches are used from now on") as told:
        made = dense_scores(colour_encoder, pixels(150, 150), text_vectors(), SLIDES[0])
    assert torch.equal(made, expected)
    assert small.taken == [16, 8, 4, *[2] * 8]
    assert freed == [torch.device("cuda")] * 3
    assert len({str(warning.message) for warning in told}) == 1
    small.taken.clear()
    dense_scores(colour_encoder, pixels(150, 150), text_vectors(), SLIDES[0])
    assert small.taken == [2] * 8, "the next image begins with the smaller batch"


def test_other_errors_and_a_single_window_that_is_too_large_are_raised(colour_encoder, pixels, monkeypatch):
    monkeypatch.setattr(colour_encoder, "device", torch.device("cuda"))
    for windows, error in ((0, torch.OutOfMemoryError("CUDA out of memory")), (3, RuntimeError("another error"))):
        monkeypatch.setattr(colour_encoder, "encode_dense", SmallDevice(ColourEncoder(), windows, error))
        monkeypatch.setattr(colour_encoder, "batch_pixels", 56 * 56 * (16 if windows else 1))
        with pytest.raises(RuntimeError, match=str(error)):
            dense_scores(colour_encoder, pixels(150, 150), text_vectors(), SLIDES[0])
