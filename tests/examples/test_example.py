from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from densezero.errors import InputError, VocabularyError
from densezero.examples.classes import find_class, with_example_classes
from densezero.examples.example import Example, parse_example, read_example
from densezero.vocabulary import class_list_from
from densezero.vocabulary.classes import ClassList
from densezero.vocabulary.entries import ClassEntry


@pytest.fixture
def folder(tmp_path):
    Image.fromarray(np.full((6, 8, 3), 90, np.uint8)).save(tmp_path / "photo.png")
    values = np.zeros((6, 8), np.uint8)
    values[1:3, 2:5], values[4, 4] = 3, 255
    Image.fromarray(values).save(tmp_path / "mask.png")
    Image.fromarray(values[:5]).save(tmp_path / "low.png")
    Image.fromarray(np.zeros((6, 8), np.uint8)).save(tmp_path / "empty.png")
    return tmp_path


def read(folder, rest):
    return read_example(parse_example(f"mug={folder}/photo.png,{rest.replace('@', f'{folder}/')}"))


def test_every_value_but_0_is_inside_and_a_number_takes_one_value(folder):
    assert read(folder, "@mask.png").mask.sum() == 7
    assert read(folder, "@mask.png#3").mask.sum() == 6
    assert np.argwhere(read(folder, "@mask.png#255").mask).tolist() == [[4, 4]]


def test_a_box_is_x_y_width_height(folder):
    mask = read(folder, "2, 1,3,4").mask
    assert mask.sum() == 12
    assert mask[1:5, 2:5].all()


@pytest.mark.parametrize(
    ("text", "image", "mask", "value"),
    [
        ("mug=a.jpg,m.png", "a.jpg", Path("m.png"), None),
        (" coffee mug = a b.jpg , m.png#12 ", "a b.jpg", Path("m.png"), 12),
        ("mug=a,b.jpg,m.png", "a,b.jpg", Path("m.png"), None),
        ("mug=a,b.jpg,1,2,3,4", "a,b.jpg", (1, 2, 3, 4), None),
        ("mug=x=1.jpg,m.png", "x=1.jpg", Path("m.png"), None),
    ],
)
def test_an_example_is_read_as_it_is_written(text, image, mask, value):
    example = parse_example(text)
    assert (example.image, example.mask, example.value) == (Path(image), mask, value)
    assert parse_example(example.text).text == example.text


@pytest.mark.parametrize(
    "text", ["", "mug", "mug=", "mug=a.jpg", "=a.jpg,m.png", "mug=,m.png", "mug=a.jpg,", "mug=a.jpg,10,20,30"]
)
def test_what_is_no_example_is_a_sentence(text):
    with pytest.raises(InputError, match=r'Expected --example as "mug=photo.jpg,mask.png"'):
        parse_example(text)


@pytest.mark.parametrize(
    ("rest", "sentence"),
    [
        ("@low.png", r"Expected the mask to have the size of the image, 6 × 8 .*got 5 × 8"),
        ("@empty.png", "Expected masks with at least one pixel; the mask is empty"),
        ("@mask.png#7", "Expected a value of the mask after #; got 7, but the mask holds 0, 3, 255"),
        ("@none.png", "none.png"),
        ("6,0,3,2", "inside the image, which has 8 columns and 6 rows; got 6,0,3,2"),
        ("-1,0,3,2", "inside the image"),
        ("1,1,0,2", "inside the image"),
        ("@photo.png#90", "Expected a value|expected class indices|Expected"),
    ],
)
def test_a_mask_that_cannot_be_used_is_a_sentence_with_the_example(folder, rest, sentence):
    if rest == "@photo.png#90":  # a grey photograph is a mask of one value
        assert read(folder, rest).mask.all()
        return
    with pytest.raises(InputError, match=sentence) as error:
        read(folder, rest)
    assert str(error.value).startswith("Example mug=")


def test_a_missing_image_is_a_sentence(folder):
    with pytest.raises(InputError, match=r"Example mug=.*nowhere\.jpg"):
        read_example(parse_example(f"mug={folder}/nowhere.jpg,{folder}/mask.png"))


@pytest.mark.parametrize("mask", [np.zeros((6, 8)), np.ones((6, 8, 3), bool), None, [[0.5]]])
def test_an_array_that_is_no_mask_is_a_sentence(mask):
    with pytest.raises(InputError, match="Expected a mask as whole numbers or booleans"):
        read_example(Example("mug", np.zeros((6, 8, 3), np.uint8), mask))


def test_an_empty_name_is_a_sentence():
    with pytest.raises(VocabularyError, match="Expected a class name"):
        Example(" ", "a.jpg", "m.png")


def test_classes_of_examples_follow_the_list_and_get_ids():
    given = with_example_classes(class_list_from("sky, boat=yacht"), ["mug", "SKY", "Yacht", "mug", "cup"])
    assert given.classes.names == ("sky", "boat", "mug", "cup")
    assert given.wordless == {"mug", "cup"}
    assert find_class(given.classes, "yacht") == 1
    listed = ClassList("numbered", (ClassEntry("sky"), ClassEntry("sea")), ids=(7, 3))
    assert with_example_classes(listed, ["mug"]).classes.ids == (7, 3, 8)
    assert with_example_classes(listed, ["sky"]).classes is listed
