"""What words say without a model: one thing under two names, typing errors, names of data files."""

import pytest

from densezero.vocabulary import CATALOG, load_packaged
from densezero.vocabulary.known_words import correct_typing, known_words, plain_spelling, thing_key, word_key


@pytest.mark.parametrize(
    ("one", "other"),
    [("cat", "Cats"), ("the sky", "sky"), ("traffic-light", "traffic lights"), ("dining_table", "diningtable"),
     ("berry", "berries"), ("box", "boxes"), ("brush", "brushes"), ("bench", "benches")],
)  # fmt: skip
def test_spellings_of_one_word_have_one_key(one, other):
    assert word_key(one) == word_key(other)


@pytest.mark.parametrize(
    ("one", "other"), [("glass", "glasses"), ("cat", "car"), ("bus", "bu"), ("tennis", "tenni"), ("cactus", "cactu")]
)
def test_other_words_have_another_key(one, other):
    assert word_key(one) != word_key(other)


def test_a_word_of_no_letters_keeps_a_key():
    assert word_key("!?") == "!?"
    assert word_key("犬") != word_key("猫")


@pytest.mark.parametrize(
    ("one", "other"),
    [("sofa", "couch"), ("couch", "settees"), ("tv", "Television"), ("person", "people"), ("truck", "lorries"),
     ("shelf", "shelves"), ("hair drier", "hair-dryer")],
)  # fmt: skip
def test_words_for_one_thing_have_one_key(one, other):
    assert thing_key(one) == thing_key(other)


@pytest.mark.parametrize(("one", "other"), [("sofa", "armchair"), ("car", "truck"), ("sea", "lake"), ("cat", "dog")])
def test_words_for_two_things_have_two_keys(one, other):
    assert thing_key(one) != thing_key(other)


@pytest.mark.parametrize(
    ("word", "right"),
    [
        ("excavatr", "excavator"),
        ("hosue", "house"),  # two letters swapped
        ("baot", "boat"),
        ("trafic light", "traffic light"),  # a letter left out
        ("umbrrella", "umbrella"),  # a letter too many
        ("mountein", "mountain"),  # another letter
        ("wooden tabel", "wooden table"),  # one token of several
        ("Hosue", "house"),
    ],
)
def test_a_word_one_letter_away_from_a_known_one_is_corrected(word, right):
    assert correct_typing(word) == right


@pytest.mark.parametrize(
    "word",
    ["house", "houses", "wombat", "coat", "chain", "coach", "Traffic Light", "trafficlight", "elefant", "moutaine", "x",
     "cloudy", "gountain", "犬"],
)  # fmt: skip
def test_known_words_and_words_unlike_all_known_ones_are_left_alone(word):
    assert correct_typing(word) is None


@pytest.mark.parametrize("name", CATALOG)
def test_no_packaged_list_has_a_typing_error(name):
    for words in load_packaged(name).words:
        assert {word for word in words if correct_typing(word)} == set()
        assert set(map(str.lower, words)) <= known_words()


@pytest.mark.parametrize(
    ("word", "plain"),
    [("dining_table", "dining table"), ("wall-other", "wall"), ("door-stuff", "door"),
     ("chestofdrawers", "chest of drawers"), ("floor_other-merged", "floor other"), ("cup/mug", "cup mug"),
     ("t-shirt", None), ("sky", None), ("Sky", None), ("_", None)],
)  # fmt: skip
def test_a_name_of_a_data_file_is_written_as_in_a_caption(word, plain):
    assert plain_spelling(word) == plain
