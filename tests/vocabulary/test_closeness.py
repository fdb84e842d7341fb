"""Vectors of words, worked out by hand: which classes nearly coincide, how far apart synonyms lie."""

from itertools import combinations

import numpy as np
import pytest

from densezero.errors import VocabularyError
from densezero.vocabulary.closeness import Closeness, class_of_rows, find_near_pairs, measure_synonyms


def at_angles(*degrees):
    """Unit vectors in the plane: the cosine of two is the cosine of the difference of their angles."""
    angles = np.deg2rad(degrees)
    return np.stack([np.cos(angles), np.sin(angles)], 1).astype(np.float32)


def random_units(count, width=32, seed=0):
    vectors = np.random.default_rng(seed).normal(size=(count, width)).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def test_the_scale_holds_the_cosines_of_all_pairs():
    scale = Closeness.of(at_angles(0, 60, 90))  # pairs at 60, 90 and 30 degrees
    np.testing.assert_allclose(scale.cosines, [0, 0.5, np.sqrt(3) / 2], atol=1e-6)


def test_the_share_is_that_of_the_pairs_that_are_less_close():
    scale = Closeness.of(at_angles(0, 60, 90))
    assert [scale.share(cosine) for cosine in (-0.5, 0.25, 0.6, 0.9)] == [0, 1 / 3, 2 / 3, 1]
    assert scale.share(0.5) == pytest.approx(1 / 3), "the pair itself is not less close"


def test_the_thresholds_are_quantiles_of_the_pairs():
    scale = Closeness(np.linspace(0, 1, 1001, dtype=np.float32))
    assert scale.near == pytest.approx(0.999)
    assert scale.far == pytest.approx(0.9)


def test_a_scale_needs_two_words():
    with pytest.raises(VocabularyError, match="at least two ordinary words to compare with; got 1"):
        Closeness.of(at_angles(0))


def test_a_pair_is_as_close_as_its_closest_words():
    words = [["a", "b"], ["c"], ["d", "e"]]
    class_of = class_of_rows(words)
    assert class_of.tolist() == [0, 0, 1, 2, 2]
    pairs = find_near_pairs(class_of, at_angles(0, 50, 60, 180, 75), 0.9)
    assert [(pair.classes, pair.rows) for pair in pairs] == [((0, 1), (1, 2)), ((1, 2), (2, 4)), ((0, 2), (1, 4))]
    np.testing.assert_allclose([pair.cosine for pair in pairs], np.cos(np.deg2rad([10, 15, 25])), atol=1e-6)


def test_words_of_one_class_are_no_pair():
    assert find_near_pairs(np.array([0, 0, 1]), at_angles(0, 1, 90), 0.9) == []


def test_pairs_are_those_of_a_loop_over_all_words(monkeypatch):
    monkeypatch.setattr("densezero.vocabulary.closeness._ROWS", 7)  # several blocks
    vectors, class_of = random_units(60, 4), np.sort(np.random.default_rng(1).integers(0, 25, 60))
    best = {}
    for i, j in combinations(range(60), 2):
        cosine = float(vectors[i] @ vectors[j])
        if class_of[i] != class_of[j] and cosine >= 0.8:
            key = int(class_of[i]), int(class_of[j])
            best[key] = max(best.get(key, -1), cosine)
    pairs = find_near_pairs(class_of, vectors, 0.8)
    assert len(best) > 20
    assert {pair.classes: pytest.approx(pair.cosine, abs=1e-5) for pair in pairs} == best
    assert [pair.cosine for pair in pairs] == sorted((pair.cosine for pair in pairs), reverse=True)


def test_a_copy_of_a_word_is_always_a_pair():
    vectors = random_units(20)
    scale = Closeness.of(np.concatenate([vectors, vectors[:5]]))  # even if the ordinary words have copies themselves
    for place in range(20):
        with_copy = np.concatenate([vectors, vectors[place : place + 1]])
        pairs = find_near_pairs(np.arange(21), with_copy, scale.near)
        assert (place, 20) in [pair.classes for pair in pairs]


def test_synonyms_are_measured_by_the_closest_other_and_by_the_farthest_pair():
    (found,) = measure_synonyms(class_of_rows([["a"], ["b", "c", "d"]]), at_angles(7, 0, 60, 90))
    assert (found.class_index, found.rows, found.pair) == (1, (1, 2, 3), (1, 3))
    np.testing.assert_allclose(found.closest, np.cos(np.deg2rad([60, 30, 30])), atol=1e-6)
    assert found.cosine == pytest.approx(0, abs=1e-6)
