"""What is missing, too much or of the wrong split is said at the start, by name."""

import json
import shutil
import unicodedata
from pathlib import Path

import pytest

from densezero.datasets import DATASETS, load_dataset
from densezero.datasets.coco import read_instances
from densezero.errors import InputError, VocabularyError
from tests.datasets import devkits

DRAW = {
    "ade20k": devkits.draw_ade,
    "voc20": devkits.draw_voc,
    "voc21": devkits.draw_voc,
    "pascal-context59": devkits.draw_context,
    "pascal-context60": devkits.draw_context,
    "cityscapes": devkits.draw_cityscapes,
    "coco-stuff": devkits.draw_coco_stuff,
    "coco-object": devkits.draw_coco_object,
    "folder": devkits.draw_folder,
}


def refuse(name, root, split="val"):
    with pytest.raises(InputError) as caught:
        load_dataset(name, root, split)
    return str(caught.value)


@pytest.mark.parametrize("name", DRAW)
def test_pairs_keep_their_order_and_both_files_are_there(tmp_path, name):
    DRAW[name](tmp_path)
    dataset = load_dataset(name, str(tmp_path))
    names = [pair.name for pair in dataset.pairs]
    assert (dataset.name, dataset.split, dataset.ignore, len(dataset)) == (name, "val", 255, len(names))
    assert names == sorted(names)
    assert all(pair.image.is_file() and pair.label.is_file() for pair in dataset.pairs)
    assert all(pair.image.stem.startswith(pair.name.split("/")[-1]) for pair in dataset.pairs)
    assert dataset.expected == DATASETS[name].expected


def test_the_order_of_voc_is_that_of_its_list(tmp_path):
    top, _ = devkits.draw_voc(tmp_path)
    devkits.write_list(top / "ImageSets" / "Segmentation" / "val.txt", ["2007_000042", "2007_000033"])
    assert [pair.name for pair in load_dataset("voc21", tmp_path).pairs] == ["2007_000042", "2007_000033"]


@pytest.mark.parametrize("below", [".", "VOCdevkit", "VOCdevkit/VOC2012"])
def test_the_root_may_be_any_folder_above(tmp_path, below):
    devkits.draw_voc(tmp_path)
    assert len(load_dataset("voc21", tmp_path / below)) == 2


@pytest.mark.parametrize("name", DATASETS)
def test_a_wrong_root_says_what_is_expected_where(tmp_path, name):
    (tmp_path / "holiday").mkdir()
    message = refuse(name, tmp_path)
    assert message.startswith(f"{tmp_path}: expected")
    assert DATASETS[name].expected in message


def test_a_root_that_does_not_exist_is_named(tmp_path):
    assert "there is no such folder" in refuse("ade20k", tmp_path / "gone")


def test_a_root_that_is_a_file_is_named(tmp_path):
    (tmp_path / "ADE.zip").write_text("zip")
    assert "this is a file" in refuse("ade20k", tmp_path / "ADE.zip")


@pytest.mark.parametrize("method", ["stat", "iterdir"])
def test_a_folder_that_is_locked_is_named(tmp_path, monkeypatch, method):
    def refuse(self, *arguments, **options):
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, method, refuse)
    with pytest.raises(InputError, match=r"expected .* can be read.*Permission denied.*change its permissions"):
        load_dataset("ade20k", tmp_path)


def test_an_unknown_name_gives_the_nearest(tmp_path):
    assert "Did you mean 'ade20k'?" in refuse("ade2k", tmp_path)


@pytest.mark.parametrize("name", ["ade20k", "cityscapes", "coco-stuff", "coco-object", "folder"])
def test_an_unknown_split_gives_the_nearest(tmp_path, name):
    DRAW[name](tmp_path)
    assert "Did you mean 'val'?" in refuse(name, tmp_path, "vall")


def draw_train_only(name, root):
    """Draw a data set that has the split train, and an empty folder of val where val is a folder."""
    if name == "cityscapes":
        devkits.draw_cityscapes(root, cities=("aachen",), split="train")
        (root / "leftImg8bit" / "val").mkdir()
        return root
    DRAW[name](root)
    if name == "ade20k":
        top = root / "ADEChallengeData2016"
        for kind in ("images", "annotations"):
            (top / kind / "validation").rename(top / kind / "training")
        return top
    if name.startswith(("voc", "pascal")):
        lists = next(root.glob("VOCdevkit/*/ImageSets/Segmentation*"))
        (lists / "val.txt").rename(lists / "train.txt")
        return lists.parent.parent
    if name == "folder":
        for kind in ("images", "labels"):
            (root / kind).rename(root / "kept")
            (root / kind).mkdir()
            (root / "kept").rename(root / kind / "train")
        return root
    (root / "images" / "val2017").rename(root / "images" / "train2017")
    return root


@pytest.mark.parametrize("name", DRAW)
def test_a_missing_split_is_named_with_the_splits_that_are_there(tmp_path, name):
    top = draw_train_only(name, tmp_path)
    message = refuse(name, tmp_path)
    assert message.startswith(f"Expected the split val in {top}; it has train. ")
    assert message.endswith("Choose a split that is there, or add the files of val.")


def test_an_unknown_list_names_the_lists_there_are(tmp_path):
    devkits.draw_voc(tmp_path)
    message = refuse("voc21", tmp_path, "tset")
    assert message.startswith(f"Expected the split tset in {tmp_path / 'VOCdevkit' / 'VOC2012'}; it has train, val. ")
    assert "tset.txt is missing" in message


@pytest.mark.parametrize("name", DRAW)
def test_an_image_without_its_label_is_an_error_that_names_it(tmp_path, name):
    DRAW[name](tmp_path)
    pair = load_dataset(name, tmp_path).pairs[1]
    if name == "coco-object":
        pair.label.write_text(json.dumps(devkits.coco_json(["000000000139"])))
    else:
        pair.label.unlink()
    message = refuse(name, tmp_path)
    assert "1 of 2 images have none" in message
    assert pair.name in message


def test_of_many_missing_labels_the_first_five_are_listed(tmp_path):
    top, _ = devkits.draw_ade(tmp_path, [f"ADE_val_0000000{k}" for k in range(8)])
    for file in (top / "annotations" / "validation").iterdir():
        file.unlink()
    message = refuse("ade20k", tmp_path)
    assert "8 of 8 images have none: ADE_val_00000000, " in message
    assert "ADE_val_00000004 and 3 more" in message
    assert "00000005" not in message


def test_a_missing_label_folder_is_said_to_be_missing(tmp_path):
    top, _ = devkits.draw_ade(tmp_path)
    shutil.rmtree(top / "annotations")
    assert "(there is no such folder)" in refuse("ade20k", tmp_path)


@pytest.mark.parametrize("name", ["ade20k", "cityscapes", "coco-stuff", "coco-object", "folder"])
def test_a_label_without_its_image_is_an_error_that_names_it(tmp_path, name):
    DRAW[name](tmp_path)
    pair = load_dataset(name, tmp_path).pairs[0]
    pair.image.unlink()
    message = refuse(name, tmp_path)
    assert "1 of 2 have none" in message
    assert pair.name in message


def test_a_listed_name_without_its_image_is_an_error(tmp_path):
    top, _ = devkits.draw_voc(tmp_path)
    (top / "JPEGImages" / "2007_000042.jpg").unlink()
    assert "val.txt: expected an image for each name" in refuse("voc20", tmp_path)


def test_an_image_whose_name_is_of_the_other_split_is_refused(tmp_path):
    devkits.draw_ade(tmp_path, ["ADE_val_00000001", "ADE_train_00000007"])
    assert "the names of 1 belong to another split: ADE_train_00000007" in refuse("ade20k", tmp_path)


def test_an_image_whose_label_is_in_another_split_is_refused(tmp_path):
    devkits.draw_coco_stuff(tmp_path)
    devkits.write_image(tmp_path / "images" / "val2017" / "000000000009.jpg")
    devkits.write_grey(tmp_path / "stuffthingmaps" / "train2017" / "000000000009.png", devkits.draw_values(0, [1]))
    message = refuse("coco-stuff", tmp_path)
    assert "the labels of 000000000009 are in" in message
    assert "train2017: these are images of the wrong split" in message


def test_a_city_of_another_split_is_refused(tmp_path):
    devkits.draw_cityscapes(tmp_path, cities=("aachen", "frankfurt"))
    assert "the cities of 1 belong to another split: aachen/aachen_000000_000294" in refuse("cityscapes", tmp_path)
    devkits.draw_cityscapes(tmp_path, cities=("aachen",), split="train")
    assert len(load_dataset("cityscapes", tmp_path, "train")) == 1


def test_a_name_in_both_lists_is_refused(tmp_path):
    top, _ = devkits.draw_voc(tmp_path)
    devkits.write_list(top / "ImageSets" / "Segmentation" / "train.txt", ["2007_000042"])
    message = refuse("voc20", tmp_path)
    assert "1 are also in train.txt" in message
    assert "2007_000042" in message


def test_an_empty_list_is_refused(tmp_path):
    top, _ = devkits.draw_voc(tmp_path)
    (top / "ImageSets" / "Segmentation" / "val.txt").write_text("\n\n")
    assert "the list is empty" in refuse("voc20", tmp_path)


def test_a_name_that_stands_twice_is_refused(tmp_path):
    top, _ = devkits.draw_voc(tmp_path)
    devkits.write_list(top / "ImageSets" / "Segmentation" / "val.txt", ["2007_000042"] * 2)
    assert "some are there twice: 2007_000042" in refuse("voc20", tmp_path)


def test_endings_in_capitals_are_found(tmp_path):
    top, _ = devkits.draw_ade(tmp_path)
    for file in [*top.rglob("*.jpg"), *top.rglob("*.png")]:
        file.rename(file.with_suffix(file.suffix.upper()))
    assert [pair.name for pair in load_dataset("ade20k", tmp_path).pairs] == ["ADE_val_00000001", "ADE_val_00000002"]


def test_hidden_files_of_other_systems_are_passed_over(tmp_path):
    top, _ = devkits.draw_ade(tmp_path)
    (top / "images" / "validation" / "._ADE_val_00000001.jpg").write_bytes(b"resource fork")
    assert len(load_dataset("ade20k", tmp_path)) == 2


def test_two_images_of_one_name_are_refused(tmp_path):
    devkits.draw_folder(tmp_path)
    devkits.write_image(tmp_path / "images" / "a.jpg")
    assert "expected one file called a, but there are" in refuse("folder", tmp_path)


def compose(form, name):
    return unicodedata.normalize(form, name)


@pytest.mark.parametrize(("image_form", "label_form"), [("NFD", "NFC"), ("NFC", "NFD")])
def test_an_accent_in_two_unicode_forms_is_one_name(tmp_path, image_form, label_form):
    devkits.draw_folder(tmp_path)
    for kind, form in (("images", image_form), ("labels", label_form)):
        (tmp_path / kind / "deep").rename(tmp_path / kind / compose(form, "Köln"))
        (tmp_path / kind / "a.png").rename(tmp_path / kind / compose(form, "é.png"))
    dataset = load_dataset("folder", tmp_path)
    assert {pair.name for pair in dataset.pairs} == {compose("NFC", "Köln/b"), compose("NFC", "é")}
    assert all(pair.image.is_file() and pair.label.is_file() for pair in dataset.pairs)


@pytest.mark.parametrize("form", ["NFD", "NFC"])
def test_a_list_may_write_its_names_in_another_unicode_form(tmp_path, form):
    top, _ = devkits.draw_voc(tmp_path)
    for file in (top / "JPEGImages" / "2007_000042.jpg", top / "SegmentationClass" / "2007_000042.png"):
        file.rename(file.with_stem(compose("NFC" if form == "NFD" else "NFD", "Köln")))
    (top / "ImageSets" / "Segmentation" / "val.txt").write_text(compose(form, "Köln"), encoding="utf-8")
    assert [pair.name for pair in load_dataset("voc21", tmp_path).pairs] == [compose("NFC", "Köln")]


@pytest.mark.parametrize("kind", ["images", "labels"])
def test_two_files_whose_names_differ_in_their_unicode_form_only_are_refused(tmp_path, kind):
    devkits.draw_folder(tmp_path)
    for form in ("NFC", "NFD"):
        file = tmp_path / kind / compose(form, "é.png")
        file.write_bytes((tmp_path / kind / "a.png").read_bytes())
    if len({entry.name for entry in (tmp_path / kind).iterdir()}) < 4:
        pytest.skip("this file system holds one form only")
    assert "expected one file called é" in (message := refuse("folder", tmp_path))
    assert "two Unicode forms" in message


def test_images_of_plain_coco_need_no_folder_above(tmp_path):
    devkits.draw_coco_stuff(tmp_path)
    (tmp_path / "images" / "val2017").rename(tmp_path / "val2017")
    (tmp_path / "images").rmdir()
    assert len(load_dataset("coco-stuff", tmp_path)) == 2


def test_labels_of_coco_may_be_among_the_annotations(tmp_path):
    devkits.draw_coco_stuff(tmp_path)
    (tmp_path / "stuffthingmaps").rename(tmp_path / "annotations")
    assert len(load_dataset("coco-stuff", tmp_path)) == 2


def test_converted_context_labels_come_before_the_original_ones(tmp_path):
    pytest.importorskip("scipy")
    devkits.draw_context(tmp_path, "mat")
    devkits.draw_context(tmp_path, "png")
    assert all(pair.label.suffix == ".png" for pair in load_dataset("pascal-context60", tmp_path).pairs)


@pytest.mark.parametrize("content", ['{"images": [{"id": 1, "fi', "", "\x00\x01", "[" * 100_000])
def test_json_that_is_cut_short_is_refused_at_the_start(tmp_path, content):
    _, file = devkits.draw_coco_object(tmp_path)
    file.write_text(content)
    message = refuse("coco-object", tmp_path)
    assert message.startswith(f"{file}: expected the JSON of COCO's instances")
    assert "cut short or damaged" in message


@pytest.mark.parametrize("content", ["[]", "{}", '{"images": [], "annotations": [], "categories": [{"id": 12}]}'])
def test_json_of_something_else_is_refused(tmp_path, content):
    (tmp_path / "a.json").write_text(content)
    with pytest.raises(InputError, match="but it is something else"):
        read_instances(tmp_path / "a.json")


def test_a_folder_with_splits_is_read_by_split(tmp_path):
    devkits.draw_folder(tmp_path)
    for kind in ("images", "labels"):
        (tmp_path / kind / "deep").rename(tmp_path / "kept")
        (tmp_path / "kept").rename(tmp_path / kind / "test")
    for file in (tmp_path / "images" / "a.png", tmp_path / "labels" / "a.png"):
        (file.parent / "val").mkdir()
        file.rename(file.parent / "val" / file.name)
    assert [pair.name for pair in load_dataset("folder", tmp_path).pairs] == ["a"]
    assert [pair.name for pair in load_dataset("folder", tmp_path, "test").pairs] == ["b"]
    assert f"Expected the split train in {tmp_path}; it has val, test. " in refuse("folder", tmp_path, "train")


def test_a_folder_needs_one_class_list(tmp_path):
    devkits.draw_folder(tmp_path)
    (tmp_path / "classes.json").write_text('["sky", "sea", "boat"]')
    assert "both are there" in refuse("folder", tmp_path)
    (tmp_path / "classes.txt").unlink()
    assert load_dataset("folder", tmp_path).classes.names == ("sky", "sea", "boat")
    (tmp_path / "classes.json").unlink()
    assert "neither is there" in refuse("folder", tmp_path)


def test_a_malformed_class_list_names_file_and_line(tmp_path):
    devkits.draw_folder(tmp_path, ("sky", "sky"))
    with pytest.raises(VocabularyError, match=r"classes\.txt"):
        load_dataset("folder", tmp_path)


def test_more_classes_than_a_byte_holds_are_refused(tmp_path):
    devkits.draw_folder(tmp_path)
    (tmp_path / "classes.txt").write_text("\n".join(f"class {k}" for k in range(255)))
    assert "at most 254 classes" in refuse("folder", tmp_path)
    (tmp_path / "classes.txt").write_text("\n".join(f"class {k}" for k in range(254)))
    assert len(load_dataset("folder", tmp_path).classes) == 254
