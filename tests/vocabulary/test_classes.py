import json

import numpy as np
import pytest

from densezero.errors import VocabularyError
from densezero.vocabulary.classes import ClassList
from densezero.vocabulary.entries import ClassEntry
from densezero.vocabulary.palette import spread_colours


def make_list(*entries: ClassEntry | str, shared: tuple[str, ...] = ()) -> ClassList:
    return ClassList("mine", tuple(ClassEntry(e) if isinstance(e, str) else e for e in entries), shared)


def test_a_class_without_words_is_prompted_by_its_name():
    assert ClassEntry("sky").words == ("sky",)


def test_given_words_replace_the_name_in_prompts():
    assert ClassEntry("background", ("wall", "tree")).words == ("wall", "tree")


def test_from_words_prompts_name_and_synonyms_and_drops_repeats_in_any_case():
    assert ClassEntry.from_words(["boat", "ship", "Boat", "ship"]).words == ("boat", "ship")


@pytest.mark.parametrize("name", ["", "  ", " sky", "sky\ngrass", "sky\x00", "\ud800", 3, None])
def test_a_class_name_that_is_empty_padded_or_unprintable_is_refused(name):
    with pytest.raises(VocabularyError, match="class name"):
        ClassEntry(name)


def test_a_text_in_place_of_a_tuple_of_words_is_refused():
    with pytest.raises(VocabularyError, match="tuple"):
        ClassEntry("boat", "ship")  # type: ignore[arg-type]


def test_a_word_given_twice_for_one_class_is_refused():
    with pytest.raises(VocabularyError, match=r"'boat' has the word 'Ship' twice"):
        ClassEntry("boat", ("ship", "Ship"))


@pytest.mark.parametrize("colour", [(1, 2), (0, 0, 256), (-1, 0, 0), (0.5, 0, 0), "red", (True, 0, 0)])
def test_a_colour_that_is_no_rgb_triple_is_refused(colour):
    with pytest.raises(VocabularyError, match=r"colour of 'sky' as three integers in 0\.\.255"):
        ClassEntry("sky", (), colour)


def test_a_misspelled_field_is_refused_with_the_nearest():
    with pytest.raises(VocabularyError, match="Did you mean 'synonyms'"):
        ClassEntry.from_fields({"name": "boat", "synonym": ["ship"]})


def test_words_and_synonyms_together_are_refused():
    with pytest.raises(VocabularyError, match='either "words" or "synonyms"'):
        ClassEntry.from_fields({"name": "boat", "words": ["a"], "synonyms": ["b"]})


def test_a_list_gives_names_words_length_and_colours_in_label_order():
    classes = make_list(ClassEntry("sky", (), (1, 2, 3)), ClassEntry("boat", ("boat", "ship"), (4, 5, 6)))
    assert classes.names == ("sky", "boat")
    assert classes.words == (("sky",), ("boat", "ship"))
    assert len(classes) == 2
    assert classes.colours.dtype == np.uint8
    assert classes.colours.tolist() == [[1, 2, 3], [4, 5, 6]]


def test_the_colour_table_cannot_be_changed_by_accident():
    with pytest.raises(ValueError, match="read-only"):
        make_list("sky").colours[0] = 0


def test_a_class_without_colour_takes_one_that_no_other_has():
    free = make_list("a", "b").colours
    mixed = make_list("a", ClassEntry("b", (), tuple(free[0].tolist()))).colours
    assert mixed[0].tolist() == free[1].tolist()
    assert mixed[1].tolist() == free[0].tolist()


def test_an_empty_list_is_refused():
    with pytest.raises(VocabularyError, match="at least one class"):
        ClassList("mine", ())


def test_a_name_that_stands_twice_is_refused_with_both_positions():
    with pytest.raises(VocabularyError, match=r"'Sky' appears twice: at position 1 and at position 3"):
        make_list("sky", "grass", "Sky")


def test_a_word_in_two_classes_is_refused_naming_both():
    with pytest.raises(
        VocabularyError, match=r"'ship' stands in two classes: 'boat' \(position 1\) and 'vessel' \(pos"
    ):
        make_list(ClassEntry("boat", ("boat", "ship")), ClassEntry("vessel", ("ship",)))


def test_a_word_declared_as_shared_may_stand_in_two_classes():
    entries = (ClassEntry("background", ("wall", "bed")), "bed")
    assert make_list(*entries, shared=("bed",)).words == (("wall", "bed"), ("bed",))
    with pytest.raises(VocabularyError, match="'bed' stands in two classes"):
        make_list(*entries)


def test_seventy_thousand_classes_are_refused_before_any_is_looked_at():
    class Unread(tuple):
        def __iter__(self):
            raise AssertionError("the entries are read")

    with pytest.raises(VocabularyError, match=r"at most 65,534 classes .*, got 70,000"):
        ClassList("many", Unread(ClassEntry(f"class {index}") for index in range(70_000)))


def test_the_greatest_number_of_classes_is_accepted():
    assert len(ClassList("many", tuple(ClassEntry(f"class {index}") for index in range(65_534)))) == 65_534


def test_the_background_is_found_by_its_name_in_any_case():
    assert make_list("sky", "Background").background_index == 1
    assert make_list("background", "sky").background_index == 0
    assert make_list("sky", "backgrounds").background_index is None


def test_the_hash_is_the_same_on_every_machine():
    # sha256 of the text [["sky",["sky"]],["boat",["boat","ship"]]]
    expected = "9c63e57c2fd3283a4ac0d19cd94532ebb2414db2ba707600cca333cb2181815e"
    assert make_list("sky", ClassEntry("boat", ("boat", "ship"))).sha256 == expected


def test_the_hash_follows_names_words_and_order_and_nothing_else():
    boat = ClassEntry("boat", ("boat", "ship"))
    base = make_list("sky", boat).sha256
    assert make_list(ClassEntry("sky", (), (1, 2, 3)), boat).sha256 == base
    assert ClassList("other", (ClassEntry("sky"), boat)).sha256 == base
    assert make_list(boat, "sky").sha256 != base
    assert make_list("sky", ClassEntry("boat", ("ship", "boat"))).sha256 != base
    assert make_list("sky", ClassEntry("vessel", ("boat", "ship"))).sha256 != base


def test_json_gives_the_same_list_back():
    classes = make_list(
        ClassEntry("background", ("wall", "bed"), (0, 0, 0)), "bed", ClassEntry("größe", ("名",)), shared=("bed",)
    )
    again = ClassList.from_json(classes.to_json())
    assert again == classes
    assert again.sha256 == classes.sha256


def test_json_has_one_class_a_line_and_keeps_letters_readable():
    assert '\n  {"name": "größe", "words": ["größe"]}\n' in make_list("größe").to_json()


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"name": "x"}', '{"name": "x", "classes": ["sky"]}'])
def test_json_that_is_no_class_list_is_refused(text):
    with pytest.raises(VocabularyError, match="Expected"):
        ClassList.from_json(text)


def test_json_with_a_number_among_the_words_is_refused():
    text = json.dumps({"name": "x", "classes": [{"name": "sky", "words": ["sky", 3]}]})
    with pytest.raises(VocabularyError, match="words of 'sky' as a list of text"):
        ClassList.from_json(text)


def test_palette_colours_differ_for_thousands_of_classes_and_are_never_black_or_white():
    colours = spread_colours(20_000)
    assert colours.shape == (20_000, 3)
    assert len(np.unique(colours, axis=0)) == 20_000
    assert colours.min() >= 20
    assert colours.max() <= 250


def test_more_classes_do_not_change_the_colours_of_the_first():
    np.testing.assert_array_equal(spread_colours(300)[:50], spread_colours(50))


def test_the_first_forty_colours_are_well_apart_in_cielab():
    color = pytest.importorskip("skimage.color", reason="needs scikit-image for CIELAB")
    lab = color.rgb2lab(spread_colours(40) / 255.0)
    black_white = color.rgb2lab(np.array([[0.0, 0.0, 0.0], [1.0, 1.0, 1.0]]))
    lab = np.concatenate([lab, black_white])
    distance = np.linalg.norm(lab[:, None] - lab[None], axis=2) + 1000 * np.eye(len(lab))
    assert distance.min() > 20


def test_no_colours_are_an_empty_table():
    assert spread_colours(0).shape == (0, 3)
