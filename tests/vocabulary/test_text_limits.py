"""A text tower reads so many pieces; what it cuts is said, and classes that become equal are refused."""

import warnings

import pytest

import densezero
from densezero.errors import DenseZeroWarning, VocabularyError
from densezero.vocabulary import load_templates
from densezero.vocabulary.text_bank import build_text_bank

LONG = "a wide green field of grass behind the red house beside the blue lake " * 8


@pytest.fixture(scope="module")
def nano():
    return densezero.load_encoder("nano", dtype="float32")


def bank(nano, *words):
    return build_text_bank(nano, words, load_templates("plain"))


def test_a_long_description_is_told_of_with_what_was_cut(nano):
    with pytest.warns(DenseZeroWarning, match="the model reads 'a wide green field .* up to .*; cut off is '"):
        bank(nano, ["sky"], [LONG.strip()])


def test_what_was_cut_is_what_decides_nothing(nano):
    with pytest.warns(DenseZeroWarning) as caught:
        bank(nano, [LONG.strip()])
    kept = str(caught[0].message).split("up to '")[1].split("'")[0]
    read = LONG[: LONG.index(kept, 180) + len(kept)]
    same, other = nano.encode_text([LONG, read + " sky sea boat"]), nano.encode_text([LONG, "sky " + read])
    assert (same[0] - same[1]).abs().max() < 1e-5
    assert (other[0] - other[1]).abs().max() > 1e-3


def test_short_words_are_not_told_of(nano):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        bank(nano, ["sky"], ["a wide green field of grass behind the red house beside a lake"])


def test_two_classes_that_become_equal_are_refused(nano):
    with pytest.warns(DenseZeroWarning), pytest.raises(VocabularyError, match=r"as the same words.*never be found"):
        bank(nano, [f"{LONG}sky"], [f"{LONG}sea"])


def test_a_class_with_one_word_of_its_own_can_be_found(nano):
    with pytest.warns(DenseZeroWarning):
        assert bank(nano, [f"{LONG}sky"], [f"{LONG}sea", "sea"]).classes == 2


def test_a_word_that_two_classes_of_a_published_list_share_is_no_matter(nano):
    assert bank(nano, ["sky"], ["Sky"]).classes == 2
