import json

import pytest

from densezero.output.classes_json import encode_classes_json
from densezero.vocabulary import ClassList, load_packaged


def test_the_meaning_of_each_index_is_written(classes_of):
    classes = classes_of(["sky", "天空", "boat"])
    text = encode_classes_json(classes)
    meaning = json.loads(text)
    assert [entry["index"] for entry in meaning["classes"]] == [0, 1, 2]
    assert [entry["name"] for entry in meaning["classes"]] == ["sky", "天空", "boat"]
    assert [entry["colour"] for entry in meaning["classes"]] == classes.colours.tolist()
    assert [entry["words"] for entry in meaning["classes"]] == [["sky"], ["天空"], ["boat"]]
    assert (meaning["name"], meaning["sha256"]) == ("test", classes.sha256)
    assert meaning["ignore"] == 255
    assert meaning["background_index"] is None


def test_many_classes_have_the_larger_ignore_value(random_classes):
    text = encode_classes_json(random_classes(255))
    assert json.loads(text)["ignore"] == 65535


@pytest.mark.parametrize("name", ["ade20k", "ovss-voc21", "ovss-coco-object"])
def test_the_class_list_is_read_back_equal_even_where_two_classes_share_a_word(name):
    classes = load_packaged(name)
    text = encode_classes_json(classes)
    again = ClassList.from_json(text.decode())
    assert (again.name, again.sha256, again.shared_words) == (name, classes.sha256, classes.shared_words)
    assert again.colours.tolist() == classes.colours.tolist()
