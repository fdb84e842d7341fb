import numpy as np
import pytest
import torch
import torch.nn.functional as F

import densezero
from densezero.errors import ModelError, VocabularyError
from densezero.examples.bank import ClassPatches, add_examples, calibrated_row, mean_feature
from densezero.examples.patches import encode_patches
from densezero.examples.recipe import Recipe
from densezero.vocabulary import class_list_from
from densezero.vocabulary.text_bank import TextBank
from tests.examples.fakes import WORDS, MeanColour, WordEncoder, shown, squares

WHOLE = Recipe(16, 4096, "down", None, 8, "value")
PROTOCOL = densezero.Protocol("whole", short_side_px=16, window_px=None, window_scores="cosine", templates="plain")


def no_words(classes):
    return TextBank(torch.empty(0, 4), torch.empty(0, dtype=torch.int64), classes)


def box(top, left, bottom, right):
    mask = np.zeros((16, 16), bool)
    mask[top:bottom, left:right] = True
    return mask


def rows_without_words(*examples, names="a, b"):
    classes = class_list_from(names)
    return add_examples(no_words(len(classes)), examples, classes, MeanColour(), WHOLE)


def test_the_row_is_the_mean_unit_feature_where_partial_patches_weigh_less():
    bank = rows_without_words(shown("a", squares(), box(0, 0, 8, 10)), names="a")
    red, green = F.normalize(torch.tensor([[1, 0, 0, 0.1], [0, 1, 0, 0.1]]), dim=1)
    # Four red patches are inside, and two green ones with half of their pixels.
    assert torch.allclose(bank.vectors, F.normalize(4 * red + 1 * green, dim=0)[None], atol=1e-6)
    assert bank.offsets.tolist() == [0]


def test_a_mask_over_everything_gives_the_mean_of_all_patches():
    rng = np.random.default_rng(1)
    rgb = rng.integers(0, 256, (16, 16, 3), dtype=np.uint8)
    bank = rows_without_words(shown("a", rgb, np.ones((16, 16), bool)), names="a")
    pixels = torch.from_numpy(rgb).permute(2, 0, 1)[None].float() / 255
    mean = F.normalize(MeanColour().encode_dense(pixels).flatten(0, 2), dim=1).mean(0)
    assert torch.allclose(bank.vectors[0], F.normalize(mean, dim=0), atol=1e-5)


@pytest.mark.parametrize("words", [0, 3])
def test_an_example_that_is_given_twice_changes_nothing(words):
    classes = class_list_from([*WORDS[:words], "a"])
    bank = TextBank(torch.eye(4)[:words], torch.arange(words), len(classes))
    one, two = shown("a", squares(), box(0, 0, 8, 8)), shown("a", squares((9, 9, 200)), box(0, 4, 9, 13))
    once = add_examples(bank, [one, two], classes, MeanColour(), WHOLE)
    twice = add_examples(bank, [one, two, one], classes, MeanColour(), WHOLE)
    assert torch.equal(once.vectors, twice.vectors)
    assert torch.equal(once.offsets, twice.offsets)


def test_two_masks_of_one_class_on_one_image_are_one_mask():
    halves = (shown("a", squares(), box(0, 0, 8, 8)), shown("a", squares(), box(8, 0, 16, 8)))
    whole = shown("a", squares(), box(0, 0, 16, 8))
    assert torch.equal(rows_without_words(*halves).vectors, rows_without_words(whole).vectors)


def test_rows_stand_in_the_order_of_their_classes():
    first, second = shown("a", squares(), box(0, 0, 8, 8)), shown("b", squares(), box(0, 8, 8, 16))
    bank = rows_without_words(second, first)
    assert bank.class_of.tolist() == [0, 1]
    assert bank.vectors[0, 0] > bank.vectors[1, 0]


def slow_row(features, inside, words):
    """The calibrated row, a patch at a time, in double precision."""
    features, inside, words = (np.asarray(part, np.float64) for part in (features, inside, words))
    within, without = np.zeros(features.shape[1]), np.zeros(features.shape[1])
    for feature, share in zip(features, inside, strict=True):
        within += share * feature
        without += (1 - share) * feature
    direction = within / inside.sum() - without / (1 - inside).sum()
    best = [max(float(feature @ word) for word in words) for feature in features]
    scores = [float(feature @ direction) for feature in features]
    gain = 2 * np.std(best) / np.std(scores)
    lacking = sorted(b - gain * s for b, s in zip(best, scores, strict=True))
    count = round(inside.sum())
    return gain * direction, (lacking[count - 1] + lacking[count]) / 2


def random_patches(seed, count=40):
    generator = torch.Generator().manual_seed(seed)
    features = F.normalize(torch.randn(count, 6, generator=generator) + 2, dim=1)
    words = F.normalize(torch.randn(5, 6, generator=generator), dim=1)
    return ClassPatches(features, torch.rand(count, generator=generator) ** 3), words


@pytest.mark.parametrize("seed", range(4))
def test_calibration_agrees_with_a_slow_version(seed):
    patches, words = random_patches(seed)
    row = calibrated_row(patches, words)
    vector, offset = slow_row(*patches, words)
    assert np.allclose(row.vector, vector, atol=1e-5)
    assert row.offset == pytest.approx(offset, abs=1e-5)


@pytest.mark.parametrize("seed", range(4))
def test_a_calibrated_row_wins_as_many_patches_as_the_masks_hold(seed):
    patches, words = random_patches(seed)
    row = calibrated_row(patches, words)
    wins = patches.features @ row.vector + row.offset > (patches.features @ words.T).amax(1)
    assert int(wins.sum()) == round(float(patches.inside.sum()))


def test_a_row_is_compared_with_the_words_of_other_classes_or_with_its_own_if_there_are_no_others():
    example, words = shown("red", squares(), box(0, 0, 8, 8)), torch.eye(4)
    features = F.normalize(encode_patches(MeanColour(), example.rgb, WHOLE).features.flatten(0, 2), dim=1)
    patches = ClassPatches(features, (features[:, 0] > 0.99).float())
    for names, compared in (("red, green", words[1:2]), ("red", words[:1])):
        classes = class_list_from(names)
        bank = TextBank(words[: len(classes)], torch.arange(len(classes)), len(classes))
        row = calibrated_row(patches, compared)
        found = add_examples(bank, [example], classes, MeanColour(), WHOLE)
        assert found.class_of.tolist() == [0, *range(len(classes))]
        assert torch.allclose(found.vectors[1], row.vector, atol=1e-6)
        assert float(found.offsets[1]) == pytest.approx(row.offset, abs=1e-6)


def test_a_calibrated_row_of_a_picture_in_one_colour_is_finite():
    features = F.normalize(torch.ones(9, 4), dim=1)
    row = calibrated_row(ClassPatches(features, torch.ones(9)), torch.eye(4)[:1])
    assert torch.isfinite(row.vector).all()
    assert np.isfinite(row.offset)


def test_a_row_equal_to_a_words_vector_scores_as_the_word():
    word = F.normalize(torch.tensor([1, 0, 0, 0.1]), dim=0)
    patches = ClassPatches(word.repeat(5, 1), torch.ones(5))
    assert torch.allclose(mean_feature(patches), word, atol=1e-6)
    bank = rows_without_words(shown("a", squares(), box(0, 0, 8, 8)), names="a")
    features = torch.rand(3, 4)
    words = TextBank(word[None], torch.zeros(1, dtype=torch.int64), 1)
    assert torch.allclose(bank.cosines(features), words.cosines(features), atol=1e-6)


def test_an_encoder_without_text_segments_by_examples_alone():
    examples = [densezero.Example("warm", squares(), (0, 0, 8, 8)), densezero.Example("cold", squares(), (0, 8, 8, 8))]
    segmenter = densezero.Segmenter(MeanColour(), protocol=PROTOCOL, examples=examples)
    labels = segmenter.segment(squares((250, 10, 10), (10, 10, 250), (10, 10, 250), (250, 10, 10))).labels
    assert segmenter.classes.names == ("warm", "cold")
    assert labels[1, 1] == labels[14, 14] == 0
    assert labels[1, 14] == labels[14, 1] == 1


def test_a_name_outside_the_list_adds_a_class_whose_name_is_not_prompted():
    examples = [densezero.Example("sun", squares(), (8, 8, 8, 8))]  # the yellow square
    segmenter = densezero.Segmenter(WordEncoder(), "red, green, blue", PROTOCOL, examples=examples)
    assert segmenter.classes.names == ("red", "green", "blue", "sun")
    assert segmenter.rule.bank.class_of.tolist() == [0, 1, 2, 3]
    labels = segmenter.segment(squares()).labels
    assert [labels[1, 1], labels[1, 14], labels[14, 1], labels[14, 14]] == [0, 1, 2, 3]


def test_an_example_stands_beside_the_words_of_its_class_also_by_a_synonym():
    examples = [densezero.Example("Green", squares(top_right=(0, 0, 255)), (8, 8, 8, 8))]
    segmenter = densezero.Segmenter(WordEncoder(), "red, lawn=green, blue", PROTOCOL, examples=examples)
    assert segmenter.classes.names == ("red", "lawn", "blue")
    assert segmenter.rule.bank.class_of.tolist() == [0, 1, 1, 1, 2]
    labels = segmenter.segment(squares()).labels
    assert labels[1, 14] == labels[14, 14] == 1


def test_without_examples_the_bank_and_the_provenance_are_as_before():
    segmenter = densezero.Segmenter(WordEncoder(), "red, green", PROTOCOL)
    assert segmenter.rule.bank.offsets is None
    assert "examples" not in segmenter.provenance.to_json()


def test_the_provenance_changes_with_the_picture_and_with_the_mask():
    def record(rgb, mask):
        examples = [densezero.Example("sun", rgb, mask)]
        (found,) = densezero.Segmenter(WordEncoder(), "red", PROTOCOL, examples=examples).provenance.examples
        return found

    base = record(squares(), (8, 8, 8, 8))
    other_image, other_mask = record(squares((1, 1, 1)), (8, 8, 8, 8)), record(squares(), (8, 8, 8, 7))
    assert base["mask_sha256"] == other_image["mask_sha256"] != other_mask["mask_sha256"]
    assert base["image_sha256"] == other_mask["image_sha256"] != other_image["image_sha256"]


@pytest.mark.parametrize("refine", ["grid", "pamr"])
def test_refinement_takes_examples_too(refine):
    from densezero.engine.presets import with_changes

    examples = [densezero.Example("sun", squares(), (8, 8, 8, 8))]
    segmenter = densezero.Segmenter(
        WordEncoder(), "red, green, blue", with_changes(PROTOCOL, refine=refine), examples=examples
    )
    assert segmenter.segment(squares()).labels[15, 15] == 3


def test_background_and_unknown_stand_around_classes_of_examples():
    protocol = densezero.Protocol(
        "b", short_side_px=16, window_px=None, window_scores="cosine", templates="plain",
        background=densezero.Background(words=("blue",), unknown=0.5),
    )  # fmt: skip
    examples = [densezero.Example("sun", squares(), (8, 8, 8, 8))]
    segmenter = densezero.Segmenter(WordEncoder(), "red, green", protocol, examples=examples)
    assert segmenter.classes.names == ("background", "red", "green", "sun", "unknown")
    assert segmenter.rule.bank.class_of.tolist() == [0, 1, 2, 3]


def test_nothing_to_find_is_a_sentence():
    with pytest.raises(VocabularyError, match="Expected classes, examples, or both; got neither"):
        densezero.Segmenter(WordEncoder())


def test_words_for_an_encoder_without_text_are_a_sentence_that_names_the_way_out():
    timm = pytest.importorskip("densezero.encoders.timm")
    encoder = timm.load_timm("timm:vit_tiny_patch16_224/random", "cpu", "float32")
    with pytest.raises(ModelError, match=r"no text tower.*leave the words out.*--example"):
        densezero.Segmenter(encoder, "sky", examples=[densezero.Example("mug", squares(), (0, 0, 8, 8))])
