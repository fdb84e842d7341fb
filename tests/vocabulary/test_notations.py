"""Class lists as other tools write them are read right, or refused with the line and how to write it."""

import json

import pytest

from densezero.errors import VocabularyError
from densezero.output.classes_json import encode_classes_json
from densezero.vocabulary import ClassList, describe_classes, load_class_list, parse_inline


def load(folder, name, text):
    file = folder / name
    file.write_text(text if isinstance(text, str) else json.dumps(text), encoding="utf-8")
    return load_class_list(file)


OBJECT_INFO = (
    "Idx\tRatio\tTrain\tVal\tName\n1\t0.15\t11\t12\twall\n2\t0.10\t60\t61\tbuilding, edifice\n3\t0.08\t82\t79\tsky\n"
)


@pytest.mark.parametrize(
    ("name", "text", "words", "ids"),
    [
        ("objectinfo.txt", OBJECT_INFO, ["wall", "building|edifice", "sky"], (1, 2, 3)),
        ("a.csv", "label\nsky\ngrass\n", ["sky", "grass"], None),
        ("a.csv", "\ufeffName\r\nsky\r\n", ["sky"], None),
        ("a.csv", "id,name\n0,sky\n1,grass\n", ["sky", "grass"], None),
        ("a.txt", "id,name\n7,sky\n3,grass\n", ["grass", "sky"], (3, 7)),
        ("a.csv", "name;id\nsky;7\ngrass;3\n", ["grass", "sky"], (3, 7)),
        ("a.csv", "class_id,class_name,color\n1,sky,blue\n2,grass,green\n", ["sky", "grass"], (1, 2)),
        ("a.csv", 'id,name\n0,"boat, ship"\n1,sky\n', ["boat|ship", "sky"], None),
        ("a.csv", "name,synonyms\nboat,ship\nsky,\n", ["boat|ship", "sky"], None),
        ("a.csv", "label,name\n0,sky\n1,grass\n", ["sky", "grass"], None),
        ("a.csv", "nr,thing\n5,sky\n6,grass\n", ["sky", "grass"], None),
        ("a.txt", "0,sky\n1,grass\n", ["sky", "grass"], None),
        ("a.txt", "0: sky\n1: grass, lawn\n", ["sky", "grass|lawn"], None),
        ("a.txt", "1 sky\n2 high grass\n", ["sky", "high grass"], (1, 2)),
        ("a.txt", "1\t0.5\tsky\n4\t0.2\tgrass\n", ["sky", "grass"], (1, 4)),
        ("a.txt", "3 wheeler\n4 wheeler\n", ["3 wheeler", "4 wheeler"], None),
        ("a.txt", "boat, ship\ncar, auto\n", ["boat|ship", "car|auto"], None),
        ("a.txt", "sky\nsign #5\nroad # grey\n", ["sky", "sign #5", "road"], None),
        ("a.json", {"1": "grass", "0": "sky", "10": "sea"}, ["sky", "grass", "sea"], (0, 1, 10)),
        (
            "a.json",
            {"id2label": {"0": "sky", "1": "grass"}, "label2id": {"sky": 0}, "model_type": "x"},
            ["sky", "grass"],
            None,
        ),
        ("a.json", {"sky": 1, "grass": 0}, ["grass", "sky"], None),
        ("a.json", {"labels": ["sky", "grass"]}, ["sky", "grass"], None),
        ("a.json", {"names": {"0": "sky"}, "nc": 1}, ["sky"], None),
        ("a.json", {"sky": [], "labels": ["tags"]}, ["sky", "labels|tags"], None),
        ("a.json", {"categories": [{"id": 7, "name": "sky"}, {"id": 3, "name": "grass"}]}, ["grass", "sky"], (3, 7)),
        ("a.json", [{"id": 7, "name": "sky", "isthing": 0}, {"id": 3, "name": "grass"}], ["grass", "sky"], (3, 7)),
        ("a.txt", {"0": "sky", "1": "grass"}, ["sky", "grass"], None),
        ("data.yaml", "path: x\ntrain: a\nnc: 2\nnames:\n  0: sky\n  1: grass\n", ["sky", "grass"], None),
        ("data.yml", "names: [sky, grass]\nnc: 2\n", ["sky", "grass"], None),
        ("data.yaml", "- sky\n- [boat, ship]\n", ["sky", "boat|ship"], None),
    ],
)
def test_a_list_is_read_right_with_its_ids(tmp_path, name, text, words, ids):
    classes = load(tmp_path, name, text)
    assert ["|".join(entry) for entry in classes.words] == words
    assert classes.ids == ids


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        (
            "a.txt",
            "label\nsky\n",
            r'line 1: .label. looks like the heading of a column\. Remove that line; .*"label=label"',
        ),
        ("a.csv", "id,name\n0,sky\n0,grass\n", r"line 3: the id 0 stands on line 2 already"),
        ("a.csv", "id,name\n0,sky\n1,grass,lawn\n", r"line 3: expected 2 columns"),
        ("a.csv", "id,thing,kind\n0,sky,a\n1,grass,b\n", r"expected one column of names, got id, thing, kind"),
        ("a.txt", "1 2\n2 3\n", r"line 1: expected the name of a class after its id"),
        ("a.json", {"0": "sky", "1": 3}, r"expected a class name for every id"),
        ("a.yaml", "names: [sky\n", r"expected YAML"),
        ("a.yaml", "names: [yes, no]\n", r"position 1: .*got True"),
        ("a.yaml", "3\n", r"expected a list of class names"),
    ],
)
def test_what_can_be_read_in_two_ways_is_refused_with_its_place(tmp_path, name, text, said):
    with pytest.raises(VocabularyError, match=said):
        load(tmp_path, name, text)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("sky\uff0cgrass\u3001sea\u060c boat", ("sky", "grass", "sea", "boat")),
        ("sky . grass . sea", ("sky", "grass", "sea")),
        ("sky . grass .", ("sky", "grass")),
        ("bird (duck, goose), cat", ("bird (duck, goose)", "cat")),
        ("'sky', \"grass\"", ("sky", "grass")),
        ("St. Bernard, cat", ("St. Bernard", "cat")),
        ("it's, dog's", ("it's", "dog's")),
    ],
)
def test_inline_notations_are_read_right(text, names):
    assert parse_inline(text).names == names


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("bird (duck, goose, cat", r"position 1: expected a closing bracket"),
        ('["sky", "grass"]', r"looks like JSON"),
        ("sky\uff1bgrass", r"expected commas between classes"),
    ],
)
def test_inline_notations_that_cannot_be_read_are_refused(text, said):
    with pytest.raises(VocabularyError, match=said):
        parse_inline(text)


def test_the_name_of_a_file_is_no_class(tmp_path, monkeypatch):
    (tmp_path / "words.txt").write_text("sky\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(VocabularyError, match=r"'words.txt' is a file, not a class.*--vocabulary words\.txt"):
        parse_inline("words.txt")
    assert parse_inline("words.txt=words.txt").names == ("words.txt",)


def test_what_was_understood_is_one_line():
    assert describe_classes(parse_inline("sky, grass, boat=ship")) == "3 classes: sky, grass, boat (+1 synonym)"
    assert describe_classes(parse_inline("sky")) == "1 class: sky"
    many = parse_inline(",".join(f"c{index}=c{index}|d{index}" for index in range(20)))
    assert describe_classes(many) == f"20 classes: {', '.join(f'c{index}' for index in range(12))}, ... (+20 synonyms)"


def test_ids_come_back_from_every_file_that_holds_them_and_decide_nothing(tmp_path):
    classes = load(tmp_path, "a.txt", "7,sky\n3,grass\n")
    assert ClassList.from_json(classes.to_json()) == classes
    assert ClassList.from_json(encode_classes_json(classes).decode()).ids == (3, 7)
    assert classes.sha256 == parse_inline("grass, sky").sha256
    assert "id" not in encode_classes_json(parse_inline("grass, sky")).decode().replace("grid", "")


@pytest.mark.parametrize("ids", [(1,), (1, 1), (-1, 2), ("a", "b"), [1, 2]])
def test_ids_are_different_numbers(ids):
    with pytest.raises(VocabularyError, match="2 different ids"):
        ClassList("a", parse_inline("sky, sea").entries, ids=ids)
