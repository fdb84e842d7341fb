import numpy as np
import pytest
import torch

from densezero.encoders import load_encoder
from densezero.engine import Background
from densezero.errors import VocabularyError
from densezero.vocabulary import CATALOG, class_list_from, load_packaged, load_templates
from densezero.vocabulary.lexicon import lexicon, refuse_stuff, stuff_in
from densezero.vocabulary.negative_words import choose_background_words, choose_negative_words, far_from

PLAIN = load_templates("plain")


def units(count, width=6, seed=0, shared=0.0):
    """Random unit vectors; with ``shared`` they have a direction in common, as text vectors have."""
    vectors = np.random.default_rng(seed).normal(size=(count, width)) + shared
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def slow_choice(vectors, count):
    """The formula with loops."""
    rows = vectors.astype(np.float64).tolist()
    cosine = [[sum(x * y for x, y in zip(a, b, strict=True)) for b in rows] for a in rows]
    every, chosen, covered = range(len(rows)), [], [0.0] * len(rows)
    while len(chosen) < min(count, len(rows)):
        first = [sum(max(cosine[i][j] - covered[j], 0) for j in every) / len(rows) for i in every]
        mean = sum(first) / len(rows)
        best, best_gain = None, None
        for i in every:
            near = max((cosine[i][k] for k in chosen), default=0.0)
            gain = round(first[i] - 0.5 * max(0.0, near) * mean, 6)
            if i not in chosen and (best is None or gain > best_gain):
                best, best_gain = i, gain
        chosen.append(best)
        covered = [max(covered[j], cosine[best][j]) for j in every]
    return chosen


def test_facility_location_worked_out_by_hand():
    # Cosines: ab 0.96, ac 0, ad -0.8, bc 0.28, bd -0.6, cd 0.6. Means of the positive ones: 0.49, 0.56, 0.47, 0.4: b.
    # Then c and d would both add 0.33, but c resembles b (0.28): 0.33 - 0.5 * 0.28 * 0.1675 = 0.30655. So d, then c.
    vectors = np.array([[0.8, 0.6], [0.6, 0.8], [-0.6, 0.8], [-1, 0]], np.float32)
    assert choose_negative_words(vectors, 3) == [1, 3, 2]
    assert choose_negative_words(vectors, 9) == [1, 3, 2, 0]
    assert choose_negative_words(vectors, 0) == []


def test_the_first_of_equal_gains_is_taken():
    assert choose_negative_words(np.array([[1, 0], [0, 1], [1, 0], [0, 1]], np.float32), 2) == [0, 1]
    close = np.array([[1, 0], [1, 1e-7], [0, 1]], np.float32)  # gains that differ by less than the rounding
    assert choose_negative_words(close, 1) == choose_negative_words(close[[1, 0, 2]], 1) == [0]


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("shared", [0.0, 1.5])
def test_the_choice_equals_the_formula_with_loops(seed, shared):
    vectors = units(23, seed=seed, shared=shared)
    assert choose_negative_words(vectors, 12) == slow_choice(vectors, 12)


def test_the_first_choice_is_the_word_with_the_highest_mean_of_positive_cosines():
    for seed in range(5):
        vectors = units(40, seed=seed, shared=0.5)
        cosines = vectors.astype(np.float64) @ vectors.T.astype(np.float64)
        assert choose_negative_words(vectors, 1) == [int(np.maximum(cosines, 0).mean(1).argmax())]


def test_more_words_begin_with_fewer_and_none_is_chosen_twice():
    vectors = units(50, shared=1.0)
    chosen = choose_negative_words(vectors, 50)
    assert sorted(chosen) == list(range(50))
    for count in (1, 7, 20):
        assert choose_negative_words(vectors, count) == chosen[:count]


def test_rounding_noise_of_another_machine_changes_no_choice():
    vectors, random = units(80, width=32, shared=0.8), np.random.default_rng(3)
    noisy = vectors + random.normal(scale=2e-8, size=vectors.shape).astype(np.float32)
    assert not np.array_equal(vectors, noisy)
    assert choose_negative_words(noisy) == choose_negative_words(vectors)


def test_words_closer_to_a_users_word_than_the_quantile_are_dropped():
    # Angles 0, 10, 40, 90 degrees. Pairs, by cosine: 10, 30, 40, 50, 80, 90 degrees; the quantile 0.8 is that of 30.
    angles = np.deg2rad([0, 10, 40, 90])
    vectors = np.stack([np.cos(angles), np.sin(angles)], 1).astype(np.float32)

    def far(degrees, share=0.8):
        users = np.stack([np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))], 1).astype(np.float32)
        return far_from(vectors, users, share).tolist()

    assert far([100]) == [True, True, True, False]  # only 90 degrees is within 30
    assert far([65]) == [True, True, False, False]
    assert far([65, -10]) == [False, False, False, False]
    assert far([65, -10]) == far([-10, 65])  # the order of the user's words does not matter
    assert far([]) == [True] * 4


def test_a_word_of_the_user_itself_is_always_dropped():
    vectors = units(60, shared=1.0)
    for share in (0.9, 0.99, 1.0):
        assert not far_from(vectors, vectors[[3, 17]], share)[[3, 17]].any()


def test_the_lexicon_has_the_names_of_coco_stuff_and_ade20k_once_each():
    words = lexicon()
    assert len(words) == len(set(words)) == 274
    assert words[:3] == ("person", "bicycle", "car")
    assert {"wall-other", "windowpane", "chest of drawers"} <= set(words)
    assert all(word == word.lower() and "," not in word for word in words)


def test_lists_that_name_stuff_are_refused_and_lists_of_things_are_not():
    refused = set()
    for name in CATALOG:
        try:
            refuse_stuff(load_packaged(name))
        except VocabularyError:
            refused.add(name)
    assert refused == {
        "ade20k", "ovss-ade20k", "cityscapes", "ovss-cityscapes", "coco-stuff", "ovss-coco-stuff",
        "pascal-context59", "pascal-context60", "ovss-context59", "ovss-context60",
    }  # fmt: skip
    assert stuff_in(class_list_from("cat, sky, dog")) == ("sky",)
    refuse_stuff(class_list_from("cat, sky, dog"))
    assert stuff_in(class_list_from("background=sky|wall|grass, cat")) == ()
    with pytest.raises(
        VocabularyError, match=r"'list' has 2: sky, meadow\. .*\"auto-anyway\" chooses them all the same"
    ):
        refuse_stuff(class_list_from(["cat", "sky", ["meadow", "grass"]]))


@pytest.fixture(scope="module")
def nano():
    return load_encoder("nano", "cpu", "float32")


def test_the_words_are_the_same_in_any_order_of_the_users_words_and_with_one_and_two_threads(
    nano, tmp_path, monkeypatch
):
    chosen, threads = {}, torch.get_num_threads()
    try:
        for count, names in ((1, ["cat", "house", "car"]), (2, ["car", "cat", "house"])):
            monkeypatch.setenv("DENSEZERO_CACHE", str(tmp_path / str(count)))  # so that no vector is read again
            torch.set_num_threads(count)
            chosen[count] = choose_background_words(nano, class_list_from(names), Background("auto"), PLAIN).words
    finally:
        torch.set_num_threads(threads)
    assert chosen[1] == chosen[2]
    assert len(chosen[1]) == 64
    assert set(chosen[1]) <= set(lexicon()) - {"cat", "house", "car"}


def test_the_class_called_background_has_no_say_in_the_choice(nano):
    def choose(classes):
        return choose_background_words(nano, class_list_from(classes), Background("auto", 0.3), PLAIN)

    plain = choose("cat, house")
    assert plain.threshold == 0.3
    assert choose("background=sky|grass, cat, house") == plain


def test_given_words_stay_and_refusals_can_be_forced(nano):
    given = Background(("wall",), 0.2)
    assert choose_background_words(nano, load_packaged("ade20k"), given, PLAIN) is given
    with pytest.raises(VocabularyError, match="'ade20k' has 38: wall, building"):
        choose_background_words(nano, load_packaged("ade20k"), Background("auto"), PLAIN)
    forced = choose_background_words(nano, load_packaged("ade20k"), Background("auto-anyway"), PLAIN).words
    assert forced
    assert not set(forced) & set(load_packaged("ade20k").names)


def test_a_model_that_cannot_tell_words_apart_is_refused(nano, monkeypatch):
    monkeypatch.setattr(
        "densezero.vocabulary.negative_words.recall_words", lambda encoder, words, *_: torch.ones(len(words), 1)
    )
    with pytest.raises(
        VocabularyError, match="words of the lexicon that nano can tell from these classes; it has none"
    ):
        choose_background_words(nano, class_list_from("cat, dog"), Background("auto"), PLAIN)
