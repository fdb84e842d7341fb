"""The check of a class list with the embedded model, on words and on drawn scenes."""

import numpy as np
import pytest

import densezero
from densezero.errors import InputError, VocabularyError
from densezero.evaluation.check_settings import CheckSettings
from densezero.evaluation.check_vocabulary import check_vocabulary
from densezero.evaluation.word_wins import choose_evenly, count_wins
from densezero.images import find_images
from densezero.progress import Listener
from densezero.vocabulary import CATALOG, TEMPLATES, load_class_list, load_packaged, parse_inline
from densezero.vocabulary.text_bank import embed_words
from tests.jobs.photos import write_scenes

EIGHT = (
    "ade20k", "voc21", "cityscapes", "coco-stuff", "ovss-voc21", "ovss-coco-object", "ovss-ade20k", "proxyclip-voc20",
)  # fmt: skip
BAD = """
sky
sofa
couch
hosue
sea=ocean|water
field={description}
"""
DESCRIPTION = " ".join(["a wide green field of grass behind the red house beside the blue lake"] * 7 + ["at noon"])


class Hears(Listener):
    def __init__(self):
        self.notes, self.understands, self.errors = [], [], []

    def note(self, text):
        self.notes.append(text)

    def understood(self, text):
        self.understands.append(text)

    def image(self, progress, miou=None):
        self.errors.append(progress.error)


@pytest.fixture(scope="module")
def nano():
    return densezero.load_encoder("nano", dtype="float32")


def check(**options):
    return check_vocabulary(CheckSettings(model="nano", dtype="float32", templates="plain", **options))


def test_eight_packaged_lists_are_checked_offline():
    assert set(EIGHT) <= set(CATALOG)
    for name in EIGHT:
        checked = check(vocabulary=name)
        assert checked.classes == load_packaged(name)
        assert all(finding.suggestion for finding in checked.findings)
        assert {"cut", "typing", "long", "never", "often"} & {finding.kind for finding in checked.findings} == set()


def test_a_bad_list_is_told_what_is_bad(tmp_path):
    assert len(DESCRIPTION.split()) == 100
    (tmp_path / "words.txt").write_text(BAD.format(description=DESCRIPTION))
    found = {}
    for finding in check(vocabulary=str(tmp_path / "words.txt")).findings:
        found.setdefault(finding.kind, []).append(finding)
    assert [each.classes for each in found["same"]] == [("sofa", "couch")]
    assert [each.words for each in found["cut"]] == [(DESCRIPTION,)]
    assert [each.seen for each in found["typing"]] == ["'hosue': did you mean 'house'?"]


def test_words_in_two_classes_are_findings_with_their_lines_and_the_check_goes_on(tmp_path):
    file = tmp_path / "words.txt"
    file.write_text("sky\n# comment\nperson, pedestrian\n\nman, pedestrian\nSky\nhosue\n")
    checked = check(vocabulary=str(file))
    assert checked.classes.words == (("sky",), ("person", "pedestrian"), ("man",), ("hosue",))
    refused = [each for each in checked.findings if each.kind == "refused"]
    assert [(each.classes, each.words, each.lines) for each in refused] == [
        (("person", "man"), ("pedestrian",), (3, 5)),
        (("sky", "Sky"), ("Sky",), (1, 6)),
    ]
    assert [each.lines for each in checked.findings if each.kind == "typing"] == [(7,)]
    with pytest.raises(VocabularyError, match=r"'person' \(line 3\) and 'man' \(line 5\)"):
        load_class_list(file)


def test_findings_in_json_have_the_lines_of_their_classes(tmp_path):
    file = tmp_path / "words.json"
    file.write_text(parse_inline("sky, sofa, dog, couch").to_json())
    (same,) = check(vocabulary=str(file)).findings
    assert same.lines == tuple(
        number for number, line in enumerate(file.read_text().splitlines(), 1) if '"sofa"' in line or '"couch"' in line
    )


def test_words_in_two_classes_of_a_typed_list_have_no_lines():
    checked = check(classes="sky, sea=sky, dog=sky")
    assert [(each.classes, each.lines) for each in checked.findings if each.kind == "refused"] == [
        (("sky", "sea"), ()),
        (("sky", "dog"), ()),
    ]
    assert checked.classes.words == (("sky",), ("sea",), ("dog",))


def test_descriptions_that_become_equal_are_a_finding_and_no_refusal():
    checked = check(classes=f"a={DESCRIPTION * 3} sky, b={DESCRIPTION * 3} sea, dog")
    near = [finding for finding in checked.findings if finding.kind == "near"]
    assert any("reads both as the same words" in finding.seen for finding in near)


def test_a_copy_of_a_class_is_found_by_the_vectors_of_the_model():
    """For nano, house and cottage are one thing, because its captions call a house so."""
    near = [finding.classes for finding in check(classes="sky, sea, house, cottage").findings if finding.kind == "near"]
    assert near == [("house", "cottage")]


def test_the_scale_is_that_of_the_ordinary_words(nano):
    words = [word for of_class in load_packaged("ade20k").words for word in of_class]
    vectors = embed_words(nano, words, TEMPLATES["plain"]).numpy()
    cosines = (vectors @ vectors.T)[np.triu_indices(150, 1)]
    scale = check(classes="sky, sea").scale
    assert len(scale.cosines) == 150 * 149 // 2
    assert scale.near == pytest.approx(np.quantile(cosines, 0.999), abs=1e-5)


def test_words_are_counted_on_images_and_a_broken_one_is_named(tmp_path):
    folder = write_scenes(tmp_path / "in", ["a.png", "b.png", "c.png"])
    (folder / "broken.jpg").write_bytes(b"x")
    hears = Hears()
    settings = CheckSettings(
        classes="sky, grass, sea=ocean, submarine", model="nano", templates="plain", images=(folder,)
    )
    checked = check_vocabulary(settings, hears)
    assert (checked.images, checked.images_found, checked.failed) == (3, 4, 1)
    assert [error is not None for error in hears.errors] == [False, False, True, False]
    assert "broken.jpg" in hears.errors[2]
    assert sum(row.share for row in checked.wins.words) == pytest.approx(1)
    assert [row.word for row in checked.wins.words] == ["sky", "grass", "sea", "ocean", "submarine"]
    assert len(hears.notes) == 1
    assert hears.understands == ["4 classes: sky, grass, sea, submarine (+1 synonym)"]


def test_the_wins_of_words_add_up_to_the_labels_of_the_segmenter(tmp_path, nano):
    images = find_images(write_scenes(tmp_path / "in", ["a.png"]))
    words = ["sky", "grass", "house", "sea"]
    vectors = embed_words(nano, words, TEMPLATES["tcl9"]).numpy()
    labels = densezero.Segmenter(nano, words).segment(images[0].path).labels
    counts = count_wins(nano, vectors, images, Listener())
    np.testing.assert_array_equal(counts.pixels, [np.bincount(labels.ravel(), minlength=4)])
    assert counts.failed == 0


def test_images_are_chosen_evenly():
    numbers = list(range(10))
    assert choose_evenly(numbers, 3) == [0, 3, 6]
    assert choose_evenly(numbers, 10) == choose_evenly(numbers, 99) == numbers
    assert choose_evenly([], 3) == []


def test_no_image_that_can_be_read_leaves_the_check_of_the_words(tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"x")
    checked = check(classes="sky, sea", images=(tmp_path,))
    assert (checked.wins, checked.images, checked.failed) == (None, 0, 1)


@pytest.mark.parametrize(
    ("options", "error", "says"),
    [
        ({}, VocabularyError, "got neither"),
        ({"classes": "sky", "vocabulary": "ade20k"}, VocabularyError, "got both"),
        ({"vocabulary": "sky, sea"}, VocabularyError, '--classes "sky, sea"'),
        ({"vocabulary": "a, " * 300}, VocabularyError, "--classes"),
        ({"vocabulary": "adee20k"}, VocabularyError, "Did you mean 'ade20k'"),
        ({"classes": "sky, , sea"}, VocabularyError, "position 2"),
        ({"classes": "sky", "images": ("nowhere",)}, InputError, "nowhere"),
    ],
)
def test_a_wrong_request_is_a_sentence(options, error, says):
    with pytest.raises(error, match=says):
        check(**options)


def test_an_encoder_without_text_is_refused():
    settings = CheckSettings(classes="sky, sea", model="timm:vit_tiny_patch16_224/random")
    with pytest.raises(densezero.DenseZeroError, match="text"):
        check_vocabulary(settings)
