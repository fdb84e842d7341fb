"""A check says what is expected, what is found, and what is wrong by name."""

import numpy as np
import pytest
from PIL import Image

from densezero.datasets import (
    DATASETS,
    check_dataset,
    describe_check,
    describe_part,
    load_dataset,
    refuse_differing_sizes,
)
from densezero.errors import InputError
from tests.datasets import devkits
from tests.datasets.test_layout import DRAW


@pytest.mark.parametrize("name", DRAW)
def test_a_whole_devkit_has_no_problem(tmp_path, name):
    DRAW[name](tmp_path)
    found = check_dataset(name, tmp_path)
    assert found.problems == ()
    assert (found.pairs, found.labels_read) == (2, 2)
    assert found.expected == DATASETS[name].expected
    assert found.labels == load_dataset(name, tmp_path).labels.what
    assert found.classes_seen == (3 if name == "coco-object" else found.classes)
    refuse_differing_sizes(load_dataset(name, tmp_path))


def test_the_original_context_files_have_no_problem(tmp_path):
    pytest.importorskip("scipy")
    devkits.draw_context(tmp_path, "mat")
    assert check_dataset("pascal-context60", tmp_path).problems == ()


def test_a_wrong_root_is_a_problem_with_what_is_expected(tmp_path):
    found = check_dataset("ade20k", tmp_path)
    assert found.pairs == 0
    assert len(found.problems) == 1
    assert "annotations/validation" in found.expected


def test_an_unknown_name_is_the_callers_mistake(tmp_path):
    with pytest.raises(InputError, match="Did you mean 'voc2"):
        check_dataset("voc2", tmp_path)


def test_a_malformed_class_list_is_a_problem(tmp_path):
    devkits.draw_folder(tmp_path, ("sky", "sky"))
    assert "classes.txt" in check_dataset("folder", tmp_path).problems[0]


def test_sizes_that_differ_are_told_as_height_and_width(tmp_path):
    top, _ = devkits.draw_ade(tmp_path)
    devkits.write_image(top / "images" / "validation" / "ADE_val_00000002.jpg", (17, 12))
    (problem,) = check_dataset("ade20k", tmp_path).problems
    assert problem.startswith(f"{top / 'annotations' / 'validation' / 'ADE_val_00000002.png'}: expected")
    assert "its image, 17 × 12 (height × width, upright), but it has 12 × 17" in problem
    with pytest.raises(InputError, match="17 × 12"):
        refuse_differing_sizes(load_dataset("ade20k", tmp_path))


def test_the_sizes_of_coco_objects_are_those_of_the_json(tmp_path):
    devkits.draw_coco_object(tmp_path)
    devkits.write_image(tmp_path / "images" / "val2017" / "000000000285.jpg", (20, 20))
    assert "the label of 000000000285" in check_dataset("coco-object", tmp_path).problems[0]


def test_the_sizes_of_original_context_labels_are_compared(tmp_path):
    pytest.importorskip("scipy")
    top, raw = devkits.draw_context(tmp_path, "mat")
    devkits.write_mat(top / "trainval" / "2008_000002.mat", raw["2008_000002"].T)
    assert "but it has 25 × 24" in check_dataset("pascal-context59", tmp_path).problems[0]


@pytest.mark.parametrize("content", [b"", b"no MATLAB", b"MATLAB 5.0 MAT-file" + bytes(200)])
def test_a_broken_mat_file_is_named(tmp_path, content):
    pytest.importorskip("scipy")
    top, _ = devkits.draw_context(tmp_path, "mat")
    file = top / "trainval" / "2008_000002.mat"
    file.write_bytes(content)
    (problem,) = check_dataset("pascal-context59", tmp_path).problems
    assert problem.startswith(f"{file}: expected a MATLAB file")
    dataset = load_dataset("pascal-context59", tmp_path)
    with pytest.raises(InputError, match="expected a MATLAB file"):
        dataset.read_target(dataset.pairs[0])


def test_a_mat_file_of_something_else_is_named(tmp_path):
    scipy_io = pytest.importorskip("scipy.io")
    top, _ = devkits.draw_context(tmp_path, "mat")
    dataset = load_dataset("pascal-context59", tmp_path)
    scipy_io.savemat(top / "trainval" / "2008_000002.mat", {"Other": np.eye(3)})
    with pytest.raises(InputError, match="it has no LabelMap"):
        dataset.read_target(dataset.pairs[0])
    scipy_io.savemat(top / "trainval" / "2008_000002.mat", {"LabelMap": np.full((24, 25), 0.5)})
    with pytest.raises(InputError, match=r"got shape .* of float64"):
        dataset.read_target(dataset.pairs[0])


def test_without_scipy_a_sentence_says_what_to_do(tmp_path, monkeypatch):
    pytest.importorskip("scipy")
    devkits.draw_context(tmp_path, "mat")
    monkeypatch.setitem(__import__("sys").modules, "scipy.io", None)
    assert "pip install scipy" in check_dataset("pascal-context60", tmp_path).problems[0]


def test_a_palette_png_saved_as_rgb_is_told_by_its_header(tmp_path):
    top, _ = devkits.draw_voc(tmp_path)
    file = top / "SegmentationClass" / "2007_000033.png"
    devkits.save_as_rgb(file)
    (problem,) = check_dataset("voc21", tmp_path, limit=0).problems
    assert problem.startswith(f"{file}: expected class indices")
    assert len(check_dataset("voc21", tmp_path).problems) == 1


def test_unknown_values_are_told_with_file_and_values(tmp_path):
    top, raw = devkits.draw_ade(tmp_path)
    file = top / "annotations" / "validation" / "ADE_val_00000002.png"
    devkits.write_grey(file, np.where(raw["ADE_val_00000002"] > 148, 200, raw["ADE_val_00000002"]))
    (problem,) = check_dataset("ade20k", tmp_path).problems
    assert f"{file}: " in problem
    assert "values 200;" in problem
    assert check_dataset("ade20k", tmp_path, limit=1).problems == ()  # only the first was read


def test_a_label_that_is_cut_short_is_told(tmp_path):
    top, _ = devkits.draw_ade(tmp_path)
    file = top / "annotations" / "validation" / "ADE_val_00000001.png"
    file.write_bytes(file.read_bytes()[:-80])
    assert f"{file}: expected a whole PNG" in check_dataset("ade20k", tmp_path).problems[0]


def test_an_image_that_is_none_is_told(tmp_path):
    top, _ = devkits.draw_ade(tmp_path)
    (top / "images" / "validation" / "ADE_val_00000001.jpg").write_text("moved")
    assert "ADE_val_00000001.jpg: expected an image" in check_dataset("ade20k", tmp_path).problems[0]


def test_a_check_describes_five_problems_and_counts_all(tmp_path):
    top, _ = devkits.draw_ade(tmp_path, [f"ADE_val_{k:08}" for k in range(9)])
    for file in (top / "annotations" / "validation").iterdir():
        devkits.write_grey(file, np.full(devkits.HW, 200))
    found = check_dataset("ade20k", tmp_path)
    assert (len(found.problems), found.unreadable_labels, found.labels_read) == (5, 9, 0)
    assert "wrong     9 labels cannot be read, or hold values without a class" in describe_check(found, tmp_path)


def test_a_check_counts_each_kind_of_wrong_file(tmp_path):
    top, _ = devkits.draw_ade(tmp_path, [f"ADE_val_{k:08}" for k in range(6)])
    images, labels = top / "images" / "validation", top / "annotations" / "validation"
    (images / "ADE_val_00000000.jpg").write_text("no image")
    devkits.write_image(images / "ADE_val_00000001.jpg", (5, 6))
    devkits.write_image(images / "ADE_val_00000002.jpg", (5, 6))
    for k in (3, 4, 5):
        (labels / f"ADE_val_0000000{k}.png").write_text("no label")
    found = check_dataset("ade20k", tmp_path)
    assert (found.unreadable_images, found.size_differences, found.unreadable_labels) == (1, 2, 3)
    assert found.labels_read == 3
    lines = describe_check(found, tmp_path)
    assert "wrong     2 pairs differ in size" in lines
    assert "wrong     1 images cannot be read" in lines


def test_a_check_without_pixels_compares_all_sizes(tmp_path):
    top, _ = devkits.draw_ade(tmp_path)
    devkits.write_image(top / "images" / "validation" / "ADE_val_00000002.jpg", (5, 6))
    found = check_dataset("ade20k", tmp_path, limit=0)
    assert (found.size_differences, found.labels_read, found.ignored_share) == (1, 0, None)


@pytest.mark.parametrize(
    ("name", "whole"),
    [("ade20k", 2000), ("voc20", 1449), ("voc21", 1449), ("pascal-context59", 5105), ("pascal-context60", 5105),
     ("cityscapes", 500), ("coco-stuff", 5000), ("coco-object", 5000)],
)  # fmt: skip
def test_a_part_of_a_benchmark_is_told_from_the_whole(tmp_path, name, whole):
    DRAW[name](tmp_path)
    found = check_dataset(name, tmp_path)
    assert found.part == f"2 of {whole:,}"
    assert describe_check(found, "ROOT")[1] == f"found     2 of {whole:,} pairs of the split 'val' below ROOT"
    assert describe_part(name, "val", whole) == ""
    assert describe_part(name, "val", whole + 1) == f"{whole + 1:,} instead of {whole:,}"
    assert describe_part(name, "train", 7) == ""


def test_both_lists_of_pascal_context_are_whole():
    assert describe_part("pascal-context60", "val", 5104) == ""
    assert describe_part("pascal-context59", "val", 5103) == "5,103 of 5,105"


def test_a_folder_of_ones_own_has_no_official_number(tmp_path):
    devkits.draw_folder(tmp_path)
    found = check_dataset("folder", tmp_path)
    assert found.part == ""
    assert describe_check(found, "ROOT")[1] == "found     2 pairs of the split 'val' below ROOT"


def write_labels(root, values):
    for file in (root / "labels").rglob("*.png"):
        devkits.write_grey(file, np.array(values).reshape(1, -1).repeat(2, 0))
        image = next((root / "images").rglob(f"{file.stem}.*"))
        devkits.write_image(image, (2, len(values)))


def test_masks_of_0_and_255_are_noted_with_the_share_of_ignored_pixels(tmp_path):
    devkits.draw_folder(tmp_path, ("ground", "crop"))
    write_labels(tmp_path, [0, 0, 0, 255])
    found = check_dataset("folder", tmp_path)
    assert found.problems == ()
    assert (found.absent, found.ignored_share) == (("crop",), 0.25)
    (note,) = found.notes
    assert note.startswith("25.0% of the label pixels are ignored, and 1 of 2 classes never occur in the labels: crop.")
    assert "replace 255 by the index of that class (crop is 1)" in note
    lines = describe_check(found, tmp_path)
    assert "ignored   25.0% of the pixels" in lines
    assert "absent    these classes never occur: crop" in lines
    assert f"note      {note}" in lines


def test_ignored_pixels_are_not_noted_where_every_class_occurs(tmp_path):
    devkits.draw_folder(tmp_path, ("ground", "crop"))
    write_labels(tmp_path, [0, 1, 255, 255])
    found = check_dataset("folder", tmp_path)
    assert (found.notes, found.absent, found.ignored_share) == ((), (), 0.5)


def test_a_benchmark_is_not_asked_what_its_255_means(tmp_path):
    top, _ = devkits.draw_voc(tmp_path)
    for file in (top / "SegmentationClass").iterdir():
        devkits.write_palette(file, np.where(np.arange(17) < 4, 255, 3)[None].repeat(12, 0))
    (note,) = check_dataset("voc21", tmp_path).notes
    assert "20 of 21 classes never occur" in note
    assert "replace 255" not in note


@pytest.mark.parametrize("values", [[1, 2, 3, 3], [0, 1, 2, 3]])
def test_an_index_one_beyond_the_list_gives_a_hint(tmp_path, values):
    devkits.draw_folder(tmp_path)
    write_labels(tmp_path, values)
    problem = check_dataset("folder", tmp_path).problems[0]
    assert "have the values 3; this is one more than the last index: either the labels count from 1" in problem
    assert "background" in problem


def test_an_index_far_beyond_the_list_gives_no_such_hint(tmp_path):
    devkits.draw_folder(tmp_path)
    write_labels(tmp_path, [0, 1, 3, 4])
    assert "count from 1" not in check_dataset("folder", tmp_path).problems[0]


@pytest.mark.parametrize(("values", "hint"), [([1, 2, 1, 2], True), ([1, 1, 1, 1], False), ([0, 1, 2, 2], False)])
def test_a_first_class_that_alone_never_occurs_is_noted(tmp_path, values, hint):
    devkits.draw_folder(tmp_path)
    write_labels(tmp_path, values)
    assert any("count from 1" in note for note in check_dataset("folder", tmp_path).notes) == hint


def test_the_listener_hears_of_every_label(tmp_path):
    devkits.draw_ade(tmp_path)
    heard = []
    check_dataset("ade20k", tmp_path, listen=lambda done, total: heard.append((done, total)))
    assert heard == [(1, 2), (2, 2)]


def test_an_image_turned_by_exif_is_compared_upright(tmp_path):
    top, _ = devkits.draw_ade(tmp_path)
    exif = Image.Exif()
    exif[274] = 6
    lying = Image.new("RGB", (devkits.HW[0], devkits.HW[1]))
    lying.save(top / "images" / "validation" / "ADE_val_00000001.jpg", exif=exif)
    assert check_dataset("ade20k", tmp_path).problems == ()


@pytest.mark.parametrize("ending", ["jpg", "png", "tif"])
@pytest.mark.parametrize("orientation", [5, 6, 7, 8])
def test_a_label_of_the_stored_pixels_is_told_from_exif(tmp_path, ending, orientation):
    devkits.draw_folder(tmp_path)
    (tmp_path / "images" / "a.png").unlink()
    exif = Image.Exif()
    exif[274] = orientation
    Image.new("RGB", devkits.HW[::-1]).save(tmp_path / "images" / f"a.{ending}", exif=exif)
    (problem,) = check_dataset("folder", tmp_path).problems
    assert problem.startswith(f"{tmp_path / 'labels' / 'a.png'}: expected the label of a to have the size of its image")
    assert (
        "17 × 12 (height × width, upright), but it has 12 × 17; the EXIF entry Orientation turns the image" in problem
    )
    assert "Turn the label in the same way" in problem
    with pytest.raises(InputError, match="EXIF"):
        refuse_differing_sizes(load_dataset("folder", tmp_path))


def test_exif_is_not_blamed_for_sizes_that_it_does_not_explain(tmp_path):
    devkits.draw_folder(tmp_path)
    exif = Image.Exif()
    exif[274] = 6
    Image.new("RGB", (40, 30)).save(tmp_path / "images" / "a.png", exif=exif)
    assert "EXIF" not in check_dataset("folder", tmp_path).problems[0]
    Image.new("RGB", devkits.HW).save(tmp_path / "images" / "a.png")
    assert "EXIF" not in check_dataset("folder", tmp_path).problems[0]


def test_a_grey_label_that_was_saved_as_rgb_is_read(tmp_path):
    _, raw = devkits.draw_folder(tmp_path)
    Image.fromarray(raw["a"].astype(np.uint8)).convert("RGB").save(tmp_path / "labels" / "a.png")
    assert check_dataset("folder", tmp_path).problems == ()
    dataset = load_dataset("folder", tmp_path)
    np.testing.assert_array_equal(dataset.read_target(dataset.pairs[0]), raw["a"])
