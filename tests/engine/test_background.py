import pytest

from densezero.engine import Background
from densezero.engine.background import with_background
from densezero.errors import VocabularyError
from densezero.vocabulary import ClassEntry, ClassList, class_list_from, load_packaged

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
