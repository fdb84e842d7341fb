"""The files are read as panopticapi reads them: ids from the RGB of the PNG, and the segments of each image."""

import json

import numpy as np
import pytest
from PIL import Image

from densezero.output.coco import coco_pieces
from densezero.output.coco_json import CocoImage
from densezero.output.coco_panoptic import encode_panoptic, write_panoptic
from densezero.output.labels import ignore_value
from tests.output.scenes import scene_labels


def write(folder, maps, classes):
    (folder / "panoptic").mkdir()
    images = []
    for name, labels in maps.items():
        (folder / "panoptic" / f"{name}.png").write_bytes(encode_panoptic(labels, classes))
        images.append(CocoImage(f"{name}.jpg", labels.shape, coco_pieces(labels, len(classes)), name))
    write_panoptic(folder / "panoptic.json", lambda: images, classes)
    return json.loads((folder / "panoptic.json").read_text())


def ids_of(path):
    """(H, W) segment ids of a PNG."""
    with Image.open(path) as image:
        assert image.mode == "RGB"
        colours = np.array(image, np.uint32)
    return colours[..., 0] + 256 * colours[..., 1] + 256 * 256 * colours[..., 2]


@pytest.mark.parametrize("n_classes", [1, 3, 5, 254, 300])
def test_the_ids_of_every_png_are_its_segments_and_give_the_label_map_back(tmp_path, random_classes, n_classes):
    labels = scene_labels(n_classes)
    maps = {"a": labels, "none": np.full_like(labels, ignore_value(n_classes))}
    content = write(tmp_path, maps, random_classes(n_classes))
    categories = {category["id"]: category for category in content["categories"]}
    assert [image["id"] for image in content["images"]] == [one["image_id"] for one in content["annotations"]]
    for annotation, labels in zip(content["annotations"], maps.values(), strict=True):
        ids = ids_of(tmp_path / "panoptic" / annotation["file_name"])
        segments = {segment["id"]: segment for segment in annotation["segments_info"]}
        assert len(segments) == len(annotation["segments_info"])
        assert {*np.unique(ids).tolist()} - {0} == {*segments}
        back = np.full_like(labels, ignore_value(n_classes))
        for number, segment in segments.items():
            y, x = np.nonzero(ids == number)
            assert segment["area"] == len(x)
            assert segment["bbox"] == [x.min(), y.min(), np.ptp(x) + 1, np.ptp(y) + 1]
            assert segment["iscrowd"] == 0
            back[ids == number] = segment["category_id"] - 1
        np.testing.assert_array_equal(back, labels)
    for category, colour in zip(categories.values(), random_classes(n_classes).colours.tolist(), strict=True):
        assert category["isthing"] == 0
        assert category["color"] == colour


def test_by_hand(tmp_path, random_classes):
    labels = np.array([[0, 299, 65535]], np.uint16)
    content = write(tmp_path, {"a": labels}, random_classes(300))
    with Image.open(tmp_path / "panoptic" / "a.png") as image:
        assert np.array(image).tolist() == [[[1, 0, 0], [300 - 256, 1, 0], [0, 0, 0]]]
    assert content["annotations"] == [
        {
            "image_id": 1,
            "file_name": "a.png",
            "segments_info": [
                {"id": 1, "category_id": 1, "area": 1, "bbox": [0, 0, 1, 1], "iscrowd": 0},
                {"id": 300, "category_id": 300, "area": 1, "bbox": [1, 0, 1, 1], "iscrowd": 0},
            ],
        }
    ]


def test_ids_that_came_with_the_classes_are_those_of_the_categories(tmp_path, classes_of):
    classes = classes_of(["sky", "sea"])
    object.__setattr__(classes, "ids", (7, 90))
    content = write(tmp_path, {"a": np.array([[0, 1]], np.uint8)}, classes)
    assert [category["id"] for category in content["categories"]] == [7, 90]
    (annotation,) = content["annotations"]
    assert [(one["id"], one["category_id"]) for one in annotation["segments_info"]] == [(1, 7), (2, 90)]
