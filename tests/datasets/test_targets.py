"""Every trap of the label files, pixel by pixel on drawn devkits, each rule written out again here."""

import json

import numpy as np
import pytest

from densezero.datasets import load_dataset
from densezero.errors import InputError
from tests.datasets import devkits

GAPS = (11, 25, 28, 29, 44, 65, 67, 68, 70, 82, 90)


def targets(name, root, split="val"):
    dataset = load_dataset(name, root, split)
    found = {pair.name: dataset.read_target(pair) for pair in dataset.pairs}
    for target in found.values():
        assert target.dtype == np.uint8
        assert set(np.unique(target)) - {255} <= set(range(len(dataset.classes)))
    return found


def check(found, raw, rule):
    """Compare every pixel with a rule for one value."""
    assert list(found) == sorted(raw)
    for name, values in raw.items():
        expected = np.array([[rule(value) for value in row] for row in values.tolist()])
        np.testing.assert_array_equal(found[name], expected)


def test_the_zero_of_ade20k_is_ignored_and_k_is_class_k_minus_1(tmp_path):
    _, raw = devkits.draw_ade(tmp_path)
    check(targets("ade20k", tmp_path), raw, lambda value: 255 if value == 0 else value - 1)


def test_voc21_keeps_the_background_and_ignores_the_border(tmp_path):
    _, raw = devkits.draw_voc(tmp_path)
    check(targets("voc21", tmp_path), raw, lambda value: value)


def test_voc20_drops_the_background(tmp_path):
    _, raw = devkits.draw_voc(tmp_path)
    check(targets("voc20", tmp_path), raw, lambda value: 255 if value in (0, 255) else value - 1)


def test_converted_context60_keeps_the_background(tmp_path):
    _, raw = devkits.draw_context(tmp_path)
    check(targets("pascal-context60", tmp_path), raw, lambda value: value)


def test_converted_context59_drops_the_background(tmp_path):
    _, raw = devkits.draw_context(tmp_path)
    check(targets("pascal-context59", tmp_path), raw, lambda value: 255 if value == 0 else value - 1)


# The ids in the converters of the field, which sort them and count: rank 0 is background.
CONTEXT_RANKS = {value: rank for rank, value in enumerate(sorted([
    0, 2, 9, 18, 19, 22, 23, 25, 31, 33, 34, 44, 45, 46, 59, 65, 68, 72, 80, 85, 98, 104, 105, 113, 115, 144, 158, 159,
    162, 187, 189, 207, 220, 232, 258, 259, 260, 284, 295, 296, 308, 324, 326, 347, 349, 354, 355, 360, 366, 368, 397,
    415, 416, 420, 424, 427, 440, 445, 454, 458,
]))}  # fmt: skip


def test_the_original_context_labels_become_60(tmp_path):
    pytest.importorskip("scipy")
    _, raw = devkits.draw_context(tmp_path, "mat")
    check(targets("pascal-context60", tmp_path), raw, lambda value: CONTEXT_RANKS.get(value, 0))


def test_the_original_context_labels_become_59(tmp_path):
    pytest.importorskip("scipy")
    _, raw = devkits.draw_context(tmp_path, "mat")
    check(targets("pascal-context59", tmp_path), raw, lambda value: (CONTEXT_RANKS.get(value, 0) - 1) % 256)


def test_an_original_context_value_of_460_is_named(tmp_path):
    pytest.importorskip("scipy")
    top, raw = devkits.draw_context(tmp_path, "mat")
    devkits.write_mat(top / "trainval" / "2008_000003.mat", raw["2008_000003"] + 1)
    with pytest.raises(InputError, match=r"2008_000003\.mat: expected .* have the values 460; use"):
        targets("pascal-context60", tmp_path)


CITY_IDS = {7: 0, 8: 1, 11: 2, 12: 3, 13: 4, 17: 5, 19: 6, 20: 7, 21: 8, 22: 9, 23: 10, 24: 11, 25: 12, 26: 13, 27: 14,
            28: 15, 31: 16, 32: 17, 33: 18}  # fmt: skip


def test_the_34_ids_of_cityscapes_become_19(tmp_path):
    _, raw = devkits.draw_cityscapes(tmp_path)
    check(targets("cityscapes", tmp_path), raw, lambda value: CITY_IDS.get(value, 255))


def test_train_ids_of_cityscapes_stay(tmp_path):
    _, raw = devkits.draw_cityscapes(tmp_path, "labelTrainIds")
    check(targets("cityscapes", tmp_path), raw, lambda value: value)


def test_where_both_are_there_the_label_ids_of_cityscapes_count_and_it_says_so(tmp_path):
    devkits.draw_cityscapes(tmp_path, "labelTrainIds")
    _, raw = devkits.draw_cityscapes(tmp_path)
    check(targets("cityscapes", tmp_path), raw, lambda value: CITY_IDS.get(value, 255))
    assert "labelIds" in load_dataset("cityscapes", tmp_path).labels.what


def test_train_ids_named_as_label_ids_are_refused(tmp_path):
    devkits.draw_cityscapes(tmp_path, "labelTrainIds")
    for file in (tmp_path / "gtFine").rglob("*_labelTrainIds.png"):
        file.rename(file.with_name(file.name.replace("labelTrainIds", "labelIds")))
    with pytest.raises(InputError, match=r"frankfurt_.*labelIds\.png: .* the values 255; .*labelTrainIds"):
        targets("cityscapes", tmp_path)


def raw_to_train_id(value):
    return 255 if value == 255 else value - sum(gap < value for gap in GAPS)


def test_raw_ids_of_coco_stuff_become_train_ids(tmp_path):
    _, raw = devkits.draw_coco_stuff(tmp_path)
    check(targets("coco-stuff", tmp_path), raw, raw_to_train_id)
    assert "raw ids" in load_dataset("coco-stuff", tmp_path).labels.what


def test_train_ids_of_coco_stuff_stay(tmp_path):
    _, raw = devkits.draw_coco_stuff(tmp_path, "_labelTrainIds.png", (*range(171), 255))
    check(targets("coco-stuff", tmp_path), raw, lambda value: value)
    assert "train ids" in load_dataset("coco-stuff", tmp_path).labels.what


def test_converted_files_beside_raw_ones_are_not_taken_for_raw_ones(tmp_path):
    devkits.draw_coco_stuff(tmp_path, "_labelTrainIds.png", (*range(171), 255))
    devkits.draw_coco_stuff(tmp_path, "_instanceTrainIds.png", range(81))
    _, raw = devkits.draw_coco_stuff(tmp_path)
    check(targets("coco-stuff", tmp_path), raw, raw_to_train_id)


def test_train_ids_under_the_name_of_raw_ids_are_refused(tmp_path):
    devkits.draw_coco_stuff(tmp_path, ".png", (*range(171), 255))
    with pytest.raises(InputError, match=r"values 11, 25, 28, 29, 44.*occur among train ids only"):
        targets("coco-stuff", tmp_path)


def test_raw_ids_under_the_name_of_train_ids_are_refused(tmp_path):
    devkits.draw_coco_stuff(tmp_path, "_labelTrainIds.png")
    with pytest.raises(InputError, match=r"values 171, 172.*occur among raw ids only"):
        targets("coco-stuff", tmp_path)


def test_a_split_of_both_id_orders_is_refused_at_the_start(tmp_path):
    devkits.draw_coco_stuff(tmp_path, ".png", names=("000000000139",))
    devkits.draw_coco_stuff(tmp_path, "_labelTrainIds.png", range(171), names=("000000000285",))
    with pytest.raises(InputError, match="one id order, but 1 images have raw ids and 1 have train ids"):
        load_dataset("coco-stuff", tmp_path)


def test_later_instances_lie_over_earlier_ones_and_crowds_are_left_out(tmp_path):
    devkits.draw_coco_object(tmp_path)
    found = targets("coco-object", tmp_path)
    expected = np.zeros(devkits.HW, np.uint8)
    expected[1:9, 1:9] = 1  # person
    expected[5:11, 5:15] = 80  # toothbrush, category 90
    np.testing.assert_array_equal(found["000000000139"], expected)
    assert not found["000000000285"].any()  # an image without instances is background


def test_raw_coco_labels_give_objects_with_stuff_and_unlabelled_as_background(tmp_path):
    _, raw = devkits.draw_coco_stuff(tmp_path)
    things = {value: 1 + index for index, value in enumerate(devkits.COCO_THINGS)}
    check(targets("coco-object", tmp_path), raw, lambda value: things.get(value, 0))


def test_converted_coco_objects_stay_and_come_before_the_json(tmp_path):
    devkits.draw_coco_object(tmp_path)
    _, raw = devkits.draw_coco_stuff(tmp_path, "_instanceTrainIds.png", range(81))
    check(targets("coco-object", tmp_path), raw, lambda value: value)


def test_a_polygon_that_cannot_be_drawn_names_the_image(tmp_path):
    _, file = devkits.draw_coco_object(tmp_path)
    data = json.loads(file.read_text())
    data["annotations"][0]["segmentation"] = [["no", "number"]]
    file.write_text(json.dumps(data))
    with pytest.raises(InputError, match=r"instances_val2017\.json: .*000000000139.*cannot be drawn"):
        targets("coco-object", tmp_path)


def test_a_folder_of_ones_own_keeps_its_indices(tmp_path):
    _, raw = devkits.draw_folder(tmp_path)
    check(targets("folder", tmp_path), raw, lambda value: value)
    assert load_dataset("folder", tmp_path).classes.names == ("sky", "sea", "boat")


def test_a_value_without_a_class_is_an_error_that_names_file_and_values(tmp_path):
    devkits.draw_folder(tmp_path)
    devkits.write_grey(tmp_path / "labels" / "deep" / "b.png", np.full(devkits.HW, 7))
    with pytest.raises(InputError, match=r"b\.png: expected class indices 0 to 2 .* 204 pixels have the values 7; "):
        targets("folder", tmp_path)


def test_16_bit_labels_are_read_by_their_value(tmp_path):
    from PIL import Image

    _, raw = devkits.draw_folder(tmp_path)
    Image.fromarray(np.where(raw["a"] == 255, 2, raw["a"]).astype(np.uint16)).save(tmp_path / "labels" / "a.png")
    assert np.array_equal(targets("folder", tmp_path)["a"], np.where(raw["a"] == 255, 2, raw["a"]))
    Image.fromarray((raw["a"] + 256).astype(np.uint16)).save(tmp_path / "labels" / "a.png")
    with pytest.raises(InputError, match="values 256, 257, 258, 511"):
        targets("folder", tmp_path)


@pytest.mark.parametrize(
    ("name", "draw", "wrong"),
    [("ade20k", devkits.draw_ade, 151), ("ade20k", devkits.draw_ade, 255), ("voc21", devkits.draw_voc, 21),
     ("voc20", devkits.draw_voc, 254), ("pascal-context60", devkits.draw_context, 60),
     ("cityscapes", devkits.draw_cityscapes, 34), ("coco-stuff", devkits.draw_coco_stuff, 182)],
)  # fmt: skip
def test_a_value_that_the_benchmark_does_not_have_is_an_error(tmp_path, name, draw, wrong):
    draw(tmp_path)
    dataset = load_dataset(name, tmp_path)
    label = dataset.pairs[1].label
    devkits.write_grey(label, np.full(devkits.HW, wrong))
    dataset.read_target(dataset.pairs[0])
    with pytest.raises(InputError, match=f"{label.name}: .*values {wrong};"):
        dataset.read_target(dataset.pairs[1])
