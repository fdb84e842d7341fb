"""Which words win on images, from counts of pixels that are worked out by hand."""

import numpy as np
import pytest

from densezero.errors import VocabularyError
from densezero.vocabulary import parse_inline
from densezero.vocabulary.check_table import write_wins
from densezero.vocabulary.wins import check_wins


def wins(classes, *pixels):
    return check_wins(parse_inline(classes), np.array(pixels, np.int64))


def kinds(result):
    return [finding.kind for finding in result.findings]


def test_the_share_is_a_mean_over_images_whatever_their_size():
    result = wins("sky, grass, sea=ocean", [50, 50, 0, 0], [0, 250, 0, 750])
    assert [(row.word, row.name, row.share, row.images) for row in result.words] == [
        ("sky", "sky", 0.25, 1), ("grass", "grass", 0.375, 2), ("sea", "sea", 0, 0), ("ocean", "sea", 0.375, 1),
    ]  # fmt: skip


def test_classes_that_never_win_are_one_finding():
    (finding,) = wins("sky, boat=ship, car, dog", [4, 0, 0, 0, 4], [4, 0, 0, 0, 4]).findings
    assert (finding.kind, finding.classes, finding.words) == ("never", ("boat", "car"), ("boat", "ship", "car"))
    assert finding.seen == "2 of 4 classes on 2 images: boat, car"
    assert "densezero similarity IMAGE --text WORD" in finding.suggestion


def test_a_synonym_that_never_wins_while_its_class_does_is_spare():
    (finding,) = wins("sky, boat=ship", [5, 0, 5]).findings
    assert (finding.kind, finding.classes, finding.words) == ("spare", ("boat",), ("boat",))
    assert finding.seen == "'boat' (boat)"


def test_a_word_with_more_than_half_of_the_pixels_wins_almost_everywhere():
    result = wins("sky, grass, dog, cat", [6, 2, 1, 1], [6, 2, 1, 1])
    assert [(each.kind, each.words) for each in result.findings] == [("often", ("sky",))]
    assert result.findings[0].seen == "'sky': 60 % of the pixels of 2 images"
    assert kinds(wins("sky, grass, dog, cat", [5, 3, 1, 1])) == []


@pytest.mark.parametrize(("share", "found"), [(89, []), (91, ["often"])])
def test_of_two_classes_one_may_have_most_pixels(share, found):
    assert kinds(wins("sky, grass", [share, 100 - share])) == found


def test_a_word_in_almost_all_of_many_images_is_found():
    classes = ", ".join(f"thing{n}" for n in range(10))
    rows = np.full((10, 10), 10)
    rows[0] = [100, *[0] * 9]
    rows[:, 1:] = 0
    for image in range(1, 10):
        rows[image, image] = 90
    result = check_wins(parse_inline(classes), rows.astype(np.int64))
    often = [finding for finding in result.findings if finding.kind == "often"]
    assert [finding.seen for finding in often] == ["'thing0': at least 5 % of the pixels in 10 of 10 images"]
    assert not [each for each in check_wins(parse_inline(classes), rows[1:]).findings if each.kind == "often"]


def test_one_class_always_wins_and_that_is_no_finding():
    assert wins("sky", [9]).findings == ()


def test_permuting_the_classes_permutes_the_findings():
    one = wins("sky, boat, car", [90, 0, 10])
    other = wins("car, sky, boat", [10, 90, 0])
    assert {(each.kind, each.classes) for each in one.findings} == {
        (each.kind, each.classes) for each in other.findings
    }
    assert set(one.words) == set(other.words)


@pytest.mark.parametrize("pixels", [np.zeros((0, 2), np.int64), np.ones((1, 3), np.int64), np.ones(2, np.int64)])
def test_counts_of_another_shape_are_refused(pixels):
    with pytest.raises(VocabularyError, match=r"Expected pixels \(N, 2\) of at least one image; got"):
        check_wins(parse_inline("sky, sea"), pixels)


def test_the_table_of_wins_is_ranked_and_says_how_many_images_were_read():
    lines = list(write_wins(wins("sky, grass, sea", [1, 3, 0]).words, 1, 1449))
    assert lines[0].startswith("WINNING WORDS on 1 of 1,449 images: ")
    assert [line.split() for line in lines[2:]] == [
        ["grass", "grass", "75.0", "%", "1"],
        ["sky", "sky", "25.0", "%", "1"],
    ]
