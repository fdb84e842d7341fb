import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from densezero.errors import VocabularyError
from densezero.vocabulary import ClassEntry, class_list_from, load_class_list, load_packaged, parse_inline
from densezero.vocabulary.textfile import find_lines


def write(folder: Path, name: str, text: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8"))
    return path


def test_inline_classes_are_parted_by_commas_and_prompted_with_their_synonyms():
    classes = parse_inline(" sky,grass , boat = sailing  ship | yacht,")
    assert classes.names == ("sky", "grass", "boat")
    assert classes.words == (("sky",), ("grass",), ("boat", "sailing ship", "yacht"))


def test_inline_line_breaks_part_classes_too():
    assert parse_inline("sky,\ngrass\n\nboat\n").names == ("sky", "grass", "boat")


def test_inline_synonyms_need_no_equals_sign():
    assert parse_inline("boat|ship, sky").words == (("boat", "ship"), ("sky",))


def test_an_inline_background_is_a_class_of_that_name_prompted_with_it():
    classes = parse_inline("cat, background=wall|floor")
    assert classes.background_index == 1
    assert classes.words[1] == ("background", "wall", "floor")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("sky,,grass", "position 2: expected a class, got ''"),
        (",sky", "position 1"),
        ("sky, boat=", "position 2: expected a class, got 'boat='"),
        ("=ship", "position 1"),
        ("boat=a||b", "position 1"),
        ("boat=a=b", "position 1"),
        ("sky; grass", "expected commas between classes, got 'sky; grass'"),
        ("", "at least one class"),
        (" \n ", "at least one class"),
        ("sky, grass, sky", "'sky' appears twice: at position 1 and at position 3"),
        ("boat=ship, vessel=ship", "'ship' stands in two classes: 'boat' .* and 'vessel'"),
        ("sky, gra\x07ss", "position 2: Expected a word on one line"),
    ],
)
def test_malformed_inline_text_is_refused_where_it_goes_wrong(text, said):
    with pytest.raises(VocabularyError, match=said):
        parse_inline(text)


@pytest.mark.parametrize("text", ["voc21", " voc21\n"])
def test_inline_text_that_is_the_name_of_a_packaged_list_is_refused(text):
    with pytest.raises(VocabularyError, match="'voc21' is the name of a packaged vocabulary"):
        parse_inline(text)


def test_the_exact_name_of_a_packaged_list_is_that_list():
    assert class_list_from("voc21") is load_packaged("voc21")
    assert class_list_from(["voc21"]).names == ("voc21",)
    with pytest.raises(VocabularyError, match="'voc21' is the name of a packaged vocabulary"):
        class_list_from("voc21 ")


def test_seventy_thousand_inline_classes_are_refused():
    with pytest.raises(VocabularyError, match=r"at most 65,534 .* got 70,000"):
        parse_inline(",".join(f"class {index}" for index in range(70_000)))


def test_a_python_list_may_nest_synonyms():
    classes = class_list_from(["sky", " grass ", ["boat", "sailing ship"], ("cat",)])
    assert classes.words == (("sky",), ("grass",), ("boat", "sailing ship"), ("cat",))


class Column:
    """Iterates over its values, as a column of a table does, but is not a sequence."""

    def __init__(self, *values):
        self.values = values

    def __iter__(self):
        return iter(self.values)


@pytest.mark.parametrize(
    "given",
    [
        ("sky", "grass", "boat"),
        (name for name in ("sky", "grass", "boat")),
        {"sky": 2, "grass": 0, "boat": 1}.keys(),
        {7: "sky", 3: "grass", 5: "boat"}.values(),
        np.array(["sky", "grass", "boat"]),
        np.array(["sky", "grass", "boat"], dtype=object),
        map(str.strip, [" sky", "grass ", "boat"]),
        Column("sky", "grass", "boat"),
    ],
    ids=["tuple", "generator", "keys", "values", "numpy text", "numpy objects", "map", "column"],
)
def test_any_iterable_of_names_is_a_class_list_in_its_order(given):
    classes = class_list_from(given)
    assert classes == class_list_from(["sky", "grass", "boat"])
    assert all(type(word) is str for words in classes.words for word in words), "text of numpy would not be ours"


def test_a_column_of_pandas_is_a_class_list():
    pandas = pytest.importorskip("pandas", reason="needs pandas")
    assert class_list_from(pandas.Series(["sky", "boat"], index=[9, 4])).names == ("sky", "boat")


BOAT = ("boat", "ship")


@pytest.mark.parametrize(
    "boat", [list(BOAT), BOAT, (word for word in BOAT), np.array(BOAT), Column(*BOAT), ClassEntry("boat", BOAT)]
)
def test_an_item_is_a_name_with_synonyms_in_any_iterable_or_an_entry(boat):
    assert class_list_from(item for item in ("sky", boat)).words == (("sky",), ("boat", "ship"))


def test_seventy_thousand_classes_of_an_iterable_are_refused():
    with pytest.raises(VocabularyError, match=r"at most 65,534 .* got 70,000"):
        class_list_from(f"class {index}" for index in range(70_000))


def test_a_name_in_a_python_list_may_hold_a_comma():
    assert class_list_from(["salt, pepper"]).names == ("salt, pepper",)


def test_a_ready_list_and_inline_text_pass_through():
    classes = parse_inline("sky, grass")
    assert class_list_from(classes) is classes
    assert class_list_from("sky, grass") == classes


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ([], "at least one class"),
        (["sky", []], "position 2: .*empty list"),
        (["sky", ""], "position 2: .*empty text"),
        (["sky", 3], "position 2: .*got 3"),
        (["sky", ["boat", None]], "position 2: .*got None"),
        (7, "class names, the name of a packaged list, or inline text, got 7"),
        (None, "got None"),
        (b"sky, grass", "got b'sky, grass'"),
        (Path("classes.txt"), "classes.txt"),
        (np.array("sky"), "got array"),
        ({"sky", "grass"}, "got a set, whose order is arbitrary. Pass a list"),
        (frozenset({"sky"}), "got a set, whose order is arbitrary"),
        ({"boat": ["ship"]}, r"got a mapping. Pass its keys, or a list of \[name, synonym, ...\]"),
        (["sky", {"boat", "ship"}], "position 2: Expected .* in a fixed order, got a set"),
        (["sky", b"grass"], "position 2: .*got b'grass'"),
        (["sky", float("nan")], "position 2: .*got nan"),
        ((name for name in ("a", "b", 3)), "position 3: .*got 3"),
        (["a", "b", "a"], "'a' appears twice: at position 1 and at position 3"),
    ],
)
def test_a_python_list_of_other_things_is_refused_where_it_goes_wrong(given, said):
    with pytest.raises(VocabularyError, match=said):
        class_list_from(given)


def test_a_text_file_has_one_class_a_line_with_comments_and_blank_lines(tmp_path):
    path = write(tmp_path, "harbour.txt", "# what is there\n\nsky\n  boat=sailing ship|yacht  # both kinds\n\t\nsea\n")
    classes = load_class_list(path)
    assert classes.name == "harbour"
    assert classes.words == (("sky",), ("boat", "sailing ship", "yacht"), ("sea",))


@pytest.mark.parametrize("line", ["boat, ship, yacht", "boat,ship,yacht", "boat; ship; yacht", "boat|ship|yacht",
                                  "boat=ship, yacht", "boat, ship, yacht,"])  # fmt: skip
def test_the_separators_of_the_papers_are_accepted(tmp_path, line):
    assert load_class_list(write(tmp_path, "c.txt", f"sky\n{line}")).words[1] == ("boat", "ship", "yacht")


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_byte_order_marks_and_line_ends_leave_no_trace(tmp_path, ending, mark):
    path = write(tmp_path, "c.txt", mark + ending.join(["sky", "größe", ""]))
    assert load_class_list(str(path)).names == ("sky", "größe")


def test_a_file_that_is_not_utf8_is_refused_with_its_line(tmp_path):
    path = write(tmp_path, "latin.txt", "sky\ngröße\n".encode("latin-1"))
    with pytest.raises(VocabularyError, match=r"latin\.txt, line 2: expected UTF-8 text, got byte 0xf6"):
        load_class_list(path)


def test_a_file_in_utf16_is_refused(tmp_path):
    with pytest.raises(VocabularyError, match=r"c\.txt, line 1: expected UTF-8 text"):
        load_class_list(write(tmp_path, "c.txt", "sky\n".encode("utf-16")))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("sky\n\nboat=\n", r"c\.txt, line 3: expected a class, got 'boat='"),
        ("sky\n;boat\n", r"c\.txt, line 2: expected a class"),
        ("# all\nsky\n\nsky\n", r"c\.txt: Class 'sky' appears twice: at line 2 and at line 4"),
        ("boat, ship\nvessel, ship\n", r"c\.txt: The word 'ship' .*'boat' \(line 1\) and 'vessel' \(line 2\)"),
        ("", r"c\.txt: expected class names, got an empty file"),
        ("# nothing\n\n", r"c\.txt: expected class names, got only blank lines"),
        ("sky\nda\x00ta\n", r"c\.txt, line 2: Expected a word on one line"),
    ],
)
def test_a_malformed_text_file_is_refused_with_file_and_line(tmp_path, text, said):
    with pytest.raises(VocabularyError, match=said):
        load_class_list(write(tmp_path, "c.txt", text))


@pytest.mark.parametrize(
    "data",
    [
        ["sky", ["boat", "ship"]],
        [{"name": "sky"}, {"name": "boat", "synonyms": ["ship"]}],
        [{"name": "sky"}, {"name": "boat", "words": ["boat", "ship"]}],
        {"sky": [], "boat": ["ship"]},
        {"sky": None, "boat": ["boat", "ship"]},
        {"classes": [{"name": "sky"}, {"name": "boat", "synonyms": ["ship"]}]},
        {"name": "mine", "classes": ["sky", ["boat", "ship"]]},
    ],
)
def test_json_is_read_in_the_shapes_that_people_keep(tmp_path, data):
    assert load_class_list(write(tmp_path, "c.json", json.dumps(data))).words == (("sky",), ("boat", "ship"))


def test_json_words_leave_the_name_out_of_the_prompts(tmp_path):
    data = [{"name": "background", "words": ["wall"], "colour": [1, 2, 3]}, {"name": "cat", "color": [4, 5, 6]}]
    classes = load_class_list(write(tmp_path, "c.json", "\ufeff" + json.dumps(data)))
    assert classes.words == (("wall",), ("cat",))
    assert classes.colours.tolist() == [[1, 2, 3], [4, 5, 6]]


def test_json_categories_of_coco_are_taken_in_the_order_of_their_ids(tmp_path):
    data = {
        "images": [],
        "categories": [{"id": 18, "name": "dog", "supercategory": "animal"}, {"id": 3, "name": "car"}],
    }
    assert load_class_list(write(tmp_path, "c.json", json.dumps(data))).names == ("car", "dog")


def test_a_list_written_by_to_json_loads_from_its_file(tmp_path):
    classes = load_packaged("ovss-coco-object")
    assert load_class_list(write(tmp_path, "c.json", classes.to_json())) == classes


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('["sky",\n "grass"', r"c\.json, line 2: expected JSON"),
        ("sky\ngrass", r"c\.json, line 1: expected JSON"),
        ('{"sky": [], "sky": []}', r"c\.json: the key 'sky' appears twice"),
        ('"sky"', r"c\.json: expected a list of class names"),
        ("[]", r"c\.json: Expected at least one class"),
        ('["sky", {"nome": "x"}]', r"c\.json: position 2: A class has no field 'nome'. Did you mean 'name'"),
        ('["sky", 3]', r"c\.json: position 2: .*got 3"),
        ('{"sky": "blue"}', r"c\.json: position 1: Expected the synonyms of 'sky' as a list"),
        ('[{"name": "sky", "colour": [0, 0]}]', r"c\.json: position 1: Expected the colour of 'sky'"),
        ('{"categories": [{"id": "a", "name": "sky"}]}', r"c\.json: Expected an integer id"),
        ("[" * 100_000, r"c\.json: expected a list of class names in JSON"),
        ('["sky", "sky"]', r"c\.json: Class 'sky' appears twice: at position 1 and at position 2"),
    ],
)
def test_malformed_json_is_refused_with_file_and_place(tmp_path, text, said):
    with pytest.raises(VocabularyError, match=said):
        load_class_list(write(tmp_path, "c.json", text))


def test_a_packaged_name_is_loaded_by_text():
    assert load_class_list("ade20k") is load_packaged("ade20k")


def test_a_file_beside_us_does_not_hide_a_packaged_name_but_its_path_reaches_it(tmp_path, monkeypatch):
    write(tmp_path, "ade20k", "mine\n")
    monkeypatch.chdir(tmp_path)
    assert len(load_class_list("ade20k")) == 150
    assert load_class_list("./ade20k").names == load_class_list(Path("ade20k")).names == ("mine",)


def test_an_unknown_vocabulary_is_refused_with_the_nearest_name():
    with pytest.raises(VocabularyError, match=r"'ade2k': no such file\. Did you mean 'ade20k'\? Known: ade20k, voc20"):
        load_class_list("ade2k")


def test_a_folder_in_place_of_a_file_is_refused(tmp_path):
    with pytest.raises(VocabularyError, match="expected a text file, got a folder"):
        load_class_list(tmp_path)


def test_a_name_too_long_for_a_file_is_refused_in_words():
    with pytest.raises(VocabularyError, match="cannot be read"):
        load_class_list("sky, grass, " * 100)


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="the superuser reads every file")
def test_a_file_without_permission_is_refused_in_words(tmp_path):
    path = write(tmp_path, "c.txt", "sky\n")
    path.chmod(0)
    with pytest.raises(VocabularyError, match="cannot be read"):
        load_class_list(path)


def test_the_vocabulary_loads_without_torch():
    probe = "import sys, densezero.vocabulary; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", probe], check=False).returncode == 0


@pytest.mark.parametrize(
    ("text", "names", "lines"),
    [
        ('["sky",\n "sea"]', ("sky", "sea"), (1, 2)),
        ('[\n\n"größe",\n"sea"]', ("größe", "sea"), (3, 4)),
        ('["\\u00e4pfel",\n"sea"]', ("äpfel", "sea"), (1, 2)),
        ('{"sky": ["heaven"],\n "sea": []}', ("sky", "sea"), (1, 2)),
        ('{"id2label": {\n "0": "sky",\n "1": "sea"}}', ("sky", "sea"), (2, 3)),
        ('[{"id": 3, "name": "sky"},\n {"id": 1, "name": "sea"}]', ("sea", "sky"), (2, 1)),
        ("names:\n  - sky\n  - 'traffic light'", ("sky", "traffic light"), (2, 3)),
        ("names:\n  0: sky  # blue\n  1: sea", ("sky", "sea"), (2, 3)),
        ('["sky",\n "sea",\n "sky"]', ("sky", "sea", "sky"), (1, 2, 3)),
        ('["sky", "sea"]', ("sky", "sea"), ()),  # all on one line
        ('[["sky",\n "sea"],\n "sea"]', ("sky", "sea"), ()),  # a synonym looks like a class
    ],
)
def test_the_lines_of_classes_are_found_in_json_and_yaml(text, names, lines):
    assert find_lines(text, names) == lines


def test_two_classes_with_one_word_in_json_are_named_by_their_lines(tmp_path):
    with pytest.raises(VocabularyError, match=r"'sky' \(line 2\) and 'sea' \(line 3\)"):
        load_class_list(write(tmp_path, "c.json", '{\n "sky": [],\n "sea": ["sky"]\n}'))
