"""Read after the description of Label Studio's brush: bits of run lengths over red, green, blue and alpha."""

import json
from xml.etree import ElementTree

import numpy as np
import pytest

from densezero.output.coco import coco_pieces
from densezero.output.coco_json import CocoImage
from densezero.output.label_studio import brush_rle, write_interface, write_tasks
from densezero.output.labels import ignore_value
from densezero.output.run_lengths import column_runs
from tests.output.scenes import scene_labels

GOLDEN = [
    0, 0, 0, 140, 57, 27, 254, 23, 0, 143, 254, 48, 11, 127, 247, 192, 35, 255, 140, 2, 63, 251, 224, 22, 255, 241, 56,
    0,
]  # fmt: skip
"""What label_studio_sdk.converter.brush.mask2rle makes of the mask below."""

RING = ["0000001", "0111000", "0101000", "0111000", "0000000"]


class Bits:
    def __init__(self, content):
        self.text, self.place = "".join(f"{byte:08b}" for byte in content), 0

    def take(self, count):
        self.place += count
        return int(self.text[self.place - count : self.place], 2)


def decode(rle, hw):
    """(H, W) of 0 and 255."""
    assert all(type(byte) is int and 0 <= byte <= 255 for byte in rle)
    bits = Bits(rle)
    total, word = bits.take(32), bits.take(5) + 1
    sizes = [bits.take(4) + 1 for _ in range(4)]
    values = []
    while len(values) < total:
        repeats, length = bits.take(1), bits.take(sizes[bits.take(2)]) + 1
        values += [bits.take(word)] * length if repeats else [bits.take(word) for _ in range(length)]
    assert len(bits.text) - bits.place < 8
    channels = np.array(values, np.uint8).reshape(*hw, 4)
    assert (channels == channels[..., :1]).all()
    return channels[..., 3]


def encode(mask):
    starts, ends, values = column_runs(mask.T)
    return brush_rle(starts[values], ends[values], mask.size)


def test_the_bytes_are_those_of_label_studio():
    mask = np.array([[int(value) for value in row] for row in RING], bool)
    assert encode(mask) == GOLDEN
    np.testing.assert_array_equal(decode(GOLDEN, mask.shape), mask * 255)


@pytest.mark.parametrize("mask", [np.zeros((300, 200), bool), np.ones((300, 200), bool), np.eye(140, 301, dtype=bool)])
def test_runs_of_any_length_come_back(mask):
    np.testing.assert_array_equal(decode(encode(mask), mask.shape), mask * 255)


@pytest.mark.parametrize("n_classes", [1, 3, 5, 300])
def test_the_tasks_give_the_label_maps_back(tmp_path, random_classes, n_classes):
    labels, classes = scene_labels(n_classes), random_classes(n_classes)
    maps = {"a b.jpg": labels, "sub/é#.png": labels[::-1], "n.jpg": np.full_like(labels, ignore_value(n_classes))}
    images = [
        CocoImage(name, each.shape, coco_pieces(each, n_classes), name.rsplit(".", 1)[0]) for name, each in maps.items()
    ]
    write_tasks(tmp_path / "tasks.json", images, classes)
    write_interface(tmp_path / "config.xml", classes)
    view = ElementTree.parse(tmp_path / "config.xml").getroot()
    brushes, picture = view.find("BrushLabels"), view.find("Image")
    assert [label.get("value") for label in brushes] == list(classes.names)
    tasks = json.loads((tmp_path / "tasks.json").read_text())
    assert [task["data"]["image"].rsplit("/images/")[1] for task in tasks] == [
        "a%20b.jpg", "sub/%C3%A9%23.png", "n.jpg",
    ]  # fmt: skip
    for task, each in zip(tasks, maps.values(), strict=True):
        (prediction,) = task["predictions"]
        back = np.full_like(each, ignore_value(n_classes))
        regions = prediction["result"]
        assert len({region["id"] for region in regions}) == len(regions)
        for region in regions:
            assert isinstance(region["id"], str)
            assert (region["type"], region["image_rotation"]) == ("brushlabels", 0)
            assert (region["from_name"], region["to_name"]) == (brushes.get("name"), picture.get("name"))
            hw = (region["original_height"], region["original_width"])
            (name,) = region["value"]["brushlabels"]
            mask = decode(region["value"]["rle"], hw) == 255
            assert (back[mask] == ignore_value(n_classes)).all()
            back[mask] = classes.names.index(name)
        np.testing.assert_array_equal(back, each)


def test_no_image_is_an_empty_list(tmp_path, random_classes):
    write_tasks(tmp_path / "tasks.json", [], random_classes(1))
    assert json.loads((tmp_path / "tasks.json").read_text()) == []


def test_names_with_marks_stay_names(tmp_path, classes_of):
    names = ['a "b"', "<c>", "d & e"]
    write_interface(tmp_path / "config.xml", classes_of(names))
    labels = ElementTree.parse(tmp_path / "config.xml").getroot().iter("Label")
    assert [label.get("value") for label in labels] == names
