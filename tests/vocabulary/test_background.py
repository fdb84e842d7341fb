import json
import re
from types import SimpleNamespace

import pytest

from densezero.errors import ProtocolError, VocabularyError
from densezero.vocabulary import ClassEntry, ClassList, class_list_from, load_packaged
from densezero.vocabulary.background import (
    Background,
    check_background,
    read_background_words,
    refuse_idle_threshold,
    refuse_unknown_temperature,
    with_background,
)

WALLS = Background(("wall", "floor"))
OWN = ClassList(
    "own", (ClassEntry("sky"), ClassEntry("Background", ("nothing", "void"), (9, 8, 7)), ClassEntry("boat"))
)


def test_without_a_background_the_list_stays_as_it_is():
    boats = class_list_from(["sky", ["boat", "yacht"]])
    made = with_background(boats, Background())
    assert made.classes == boats
    assert made.words == (("sky",), ("boat", "yacht"))


def test_a_list_without_one_gets_a_background_of_words_as_class_0():
    made = with_background(class_list_from(["sky", ["boat", "yacht"]]), WALLS)
    assert made.classes.names == ("background", "sky", "boat")
    assert made.classes.background_index == 0
    assert made.words == (("wall", "floor"), ("sky",), ("boat", "yacht"))
    assert made.classes.colours[0].tolist() == [0, 0, 0]


def test_a_background_of_the_threshold_alone_is_prompted_with_nothing():
    made = with_background(class_list_from(["sky", "boat"]), Background(threshold=0.1))
    assert made.classes.names == ("background", "sky", "boat")
    assert made.words == ((), ("sky",), ("boat",))


def test_a_background_of_the_list_keeps_its_place_name_and_colour():
    for background in (Background(), WALLS, Background(threshold=0.1)):
        made = with_background(OWN, background)
        assert made.classes.names == ("sky", "Background", "boat")
        assert made.classes.background_index == 1
        assert made.classes.entries[1].colour == (9, 8, 7)


def test_a_background_of_the_list_is_prompted_with_its_own_words():
    for background in (Background(), Background(threshold=0.1)):
        assert with_background(OWN, background).words == (("sky",), ("nothing", "void"), ("boat",))


def test_the_words_of_the_protocol_replace_those_of_the_list():
    made = with_background(OWN, WALLS)
    assert made.words == made.classes.words == (("sky",), ("wall", "floor"), ("boat",))


def test_the_published_background_lists_are_prompted_as_published():
    voc = load_packaged("ovss-voc21")
    assert with_background(voc, Background(threshold=0.1)).words == voc.words
    assert len(voc.words[0]) > 1


@pytest.mark.parametrize("classes", [class_list_from(["sky", "Wall"]), class_list_from(["background", "wall"])])
def test_a_background_word_that_is_a_word_of_another_class_is_refused(classes):
    with pytest.raises(VocabularyError, match=r"'[Ww]all' stands in two classes"):
        with_background(classes, WALLS)


def test_words_with_and_without_the_background_have_different_hashes():
    boats = class_list_from(["sky", "boat"])
    assert with_background(boats, WALLS).classes.sha256 != boats.sha256


def test_unknown_is_the_last_class_is_grey_and_is_prompted_with_nothing():
    made = with_background(class_list_from(["sky", ["boat", "yacht"]]), Background(("wall",), unknown=0.4))
    assert made.classes.names == ("background", "sky", "boat", "unknown")
    assert made.words == (("wall",), ("sky",), ("boat", "yacht"), ())
    assert made.classes.colours[3].tolist() == [128, 128, 128]
    assert with_background(class_list_from("sky, boat"), Background(unknown=0.6)).words == (("sky",), ("boat",), ())


def test_unknown_has_a_colour_of_its_own_also_where_a_class_is_grey():
    made = with_background(load_packaged("voc21"), Background(unknown=0.4)).classes  # its cars are (128, 128, 128)
    assert made.names[21] == "unknown"
    assert len({tuple(colour) for colour in made.colours.tolist()}) == 22


def test_a_list_with_a_class_called_unknown_is_refused():
    for name in ("unknown", "Unknown"):
        with pytest.raises(VocabularyError, match="Expected no class called unknown in the list"):
            with_background(class_list_from(["sky", name]), Background(unknown=0.6))
        assert len(with_background(class_list_from(["sky", name]), Background(threshold=0.6)).classes) == 3


def test_added_classes_get_ids_that_no_class_has():
    def ids(numbers, background):
        given = ClassList("own", (ClassEntry("sky"), ClassEntry("boat")), ids=numbers)
        return with_background(given, background).classes.ids

    assert ids((7, 3), Background(("wall",))) == (0, 7, 3)
    assert ids((7, 0), Background(("wall",))) == (8, 7, 0)
    assert ids((7, 0), Background(unknown=0.6)) == (7, 0, 8)
    assert ids(None, Background(unknown=0.6)) is None


@pytest.mark.parametrize("words", ["wall", ("wall", " "), ["wall"], ("wall", 3)])
def test_background_words_are_a_tuple_of_text_or_auto(words):
    with pytest.raises(ProtocolError, match="background words as a tuple of non-empty text"):
        Background(words)
    assert Background("auto").is_on
    assert Background("auto-anyway").is_on


@pytest.mark.parametrize("value", [-0.1, 1, 50, float("nan"), "0.1", None])
def test_thresholds_are_probabilities_below_one(value):
    with pytest.raises(ProtocolError, match="Expected a background threshold of 0"):
        Background(threshold=value)
    with pytest.raises(ProtocolError, match="Expected an unknown threshold of 0"):
        Background(unknown=value)


def test_an_uncertain_pixel_becomes_background_or_unknown_and_not_both():
    with pytest.raises(ProtocolError, match=r"or an unknown threshold; got both, 0\.1 and 0\.2"):
        Background(threshold=0.1, unknown=0.2)
    assert (Background(threshold=0.1).least_confidence, Background(unknown=0.2).least_confidence) == (0.1, 0.2)
    assert not Background(unknown=0.2).is_on


@pytest.mark.parametrize(
    "background", [Background(), Background(("wall",), 0.2), Background("auto"), Background((), unknown=0.3)]
)
def test_a_background_survives_json(background):
    values = json.loads(json.dumps(background.to_json()))
    assert Background.from_json(values) == background
    assert ("unknown" in values) == bool(background.unknown)  # so that earlier results are recognised


def test_only_what_is_given_is_changed():
    old = Background(("wall",), 0.2)
    assert old.changed() == old
    assert old.changed("sky, floor") == Background(("sky", "floor"), 0.2)
    assert old.changed(threshold=0.0, unknown=0.3) == Background(("wall",), 0.0, 0.3)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("wall", ("wall",)),
        ("wall, floor", ("wall", "floor")),
        (" wall ,\nfloor=tiles|carpet,", ("wall", "floor", "tiles", "carpet")),
        ("auto", "auto"),
        (" Auto-Anyway ", "auto-anyway"),
        ("auto, wall", ("auto", "wall")),
    ],
)
def test_background_words_are_read_as_classes_are(text, words):
    assert read_background_words(text) == words


@pytest.mark.parametrize("text", ["", " , ", "wall, wall", "wall; floor", "voc21"])
def test_background_words_that_cannot_be_read_are_refused(text):
    with pytest.raises(VocabularyError, match=r'Expected background words as "wall, floor", or auto; got'):
        read_background_words(text)


def test_words_that_are_not_chosen_yet_are_refused():
    with pytest.raises(VocabularyError, match='got "auto", for which the encoder must read'):
        with_background(class_list_from("sky, boat"), Background("auto"))


@pytest.mark.parametrize(("threshold", "is_idle"), [(0.25, True), (1 / 3, True), (0.3334, False)])
@pytest.mark.parametrize("field", ["threshold", "unknown"])
def test_a_threshold_that_no_pixel_can_be_below_is_refused_with_the_least_one_that_works(field, threshold, is_idle):
    # Three classes have words: the best has at least 1/3. The class of the threshold has none.
    background, boats = Background(**{field: threshold}), class_list_from("sky, boat|ship, grass")
    check_background(boats, background, has_scale=True)  # the number of words decides, which the Segmenter knows
    if not is_idle:
        check_background(boats, background, has_scale=False)
        return
    option = {"threshold": "--background-threshold", "unknown": "--unknown"}[field]
    says = f"Expected {option} above 0.333; got {threshold:g}. The highest probability of a pixel is"
    with pytest.raises(ProtocolError, match=re.escape(says)):
        check_background(boats, background, has_scale=False)


def test_no_threshold_has_an_effect_on_one_class():
    with pytest.raises(ProtocolError, match="The highest probability of a pixel is always at least 1 / 1 here"):
        refuse_idle_threshold(1, Background(unknown=0.9))
    refuse_idle_threshold(1, Background())


def test_no_published_threshold_is_refused():
    from densezero.engine import PROTOCOLS, find_protocol
    from densezero.vocabulary import CATALOG

    for name in PROTOCOLS:
        for classes in map(load_packaged, CATALOG):
            protocol = find_protocol(name, classes.name)
            count = len([word for of_class in classes.words for word in of_class]) if protocol.scale else len(classes)
            refuse_idle_threshold(count, protocol.background)


def test_what_can_be_refused_without_a_model_is():
    boats = class_list_from("sky, boat")
    with pytest.raises(VocabularyError, match="'sky' stands in two classes"):
        check_background(boats, Background(("sky",)), has_scale=False)
    with pytest.raises(ProtocolError, match=r"above 0\.5"):
        check_background(boats, Background(threshold=0.4), has_scale=False)
    with pytest.raises(VocabularyError, match="stuff"):
        check_background(load_packaged("ade20k"), Background("auto"), has_scale=False)
    with pytest.raises(VocabularyError, match="called unknown"):
        check_background(class_list_from("cat, unknown"), Background("auto", unknown=0.1), has_scale=False)
    check_background(load_packaged("ade20k"), Background("auto-anyway"), has_scale=False)


def test_probabilities_need_a_temperature_or_a_scale():
    without, with_one = SimpleNamespace(name="x", temperature=None), SimpleNamespace(name="x", temperature=0.01)
    with pytest.raises(ProtocolError, match=r"--show-confidence needs the encoder's temperature, .* not known for x"):
        refuse_unknown_temperature(without, None, "--show-confidence")
    refuse_unknown_temperature(without, 40.0, "a threshold")
    refuse_unknown_temperature(with_one, None, "a threshold")
