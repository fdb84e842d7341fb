"""Real pairs of the benchmarks: every pixel against the raw file, by lines that share nothing with the package."""

import json

import numpy as np
import pytest
from PIL import Image, ImageDraw

from densezero.datasets import check_dataset, load_dataset, refuse_differing_sizes
from densezero.images import read_rgb
from tests.conftest import SHARED

SAMPLES = SHARED / "samples"
COUNTS = {
    "ade20k": 22, "voc20": 36, "voc21": 36, "pascal-context59": 2, "pascal-context60": 2, "cityscapes": 3,
    "coco-stuff": 24, "coco-object": 24,
}  # fmt: skip
GAPS = (11, 25, 28, 29, 44, 65, 67, 68, 70, 82, 90)

pytestmark = pytest.mark.skipif(not SAMPLES.is_dir(), reason="no ../shared/samples here")


def load(name):
    return load_dataset(name, SAMPLES, "train" if name == "cityscapes" else "val")


def raw_of(file):
    with Image.open(file) as image:
        return np.array(image).astype(int)


def city_rule(raw):
    scored = [7, 8, 11, 12, 13, 17, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 31, 32, 33]
    return sum(np.where(raw == value, index - 255, 0) for index, value in enumerate(scored)) + 255


def stuff_rule(raw):
    return np.where(raw == 255, 255, raw - sum((raw > gap).astype(int) for gap in GAPS))


def object_rule(raw):
    return np.where(raw <= 90, stuff_rule(raw) + 1, 0)


RULES = {
    "ade20k": lambda raw: np.where(raw == 0, 255, raw - 1),
    "voc20": lambda raw: np.where((raw == 0) | (raw == 255), 255, raw - 1),
    "voc21": lambda raw: raw,
    "pascal-context59": lambda raw: np.where(raw == 0, 255, raw - 1),
    "pascal-context60": lambda raw: raw,
    "cityscapes": city_rule,
    "coco-stuff": stuff_rule,
    "coco-object": object_rule,  # of stuffthingmaps, while the adapter paints the instances of the JSON
}


@pytest.mark.parametrize("name", COUNTS)
def test_every_pixel_of_every_pair_is_that_of_the_raw_file(name):
    dataset = load(name)
    assert len(dataset) == COUNTS[name]
    for pair in dataset.pairs:
        file = SAMPLES / "coco/stuffthingmaps/val2017" / f"{pair.name}.png" if name == "coco-object" else pair.label
        target = dataset.read_target(pair)
        assert target.dtype == np.uint8
        np.testing.assert_array_equal(target, RULES[name](raw_of(file)), err_msg=pair.name)


@pytest.mark.parametrize("name", COUNTS)
def test_every_image_has_the_size_of_its_label(name):
    dataset = load(name)
    refuse_differing_sizes(dataset)
    for pair in dataset.pairs[:3]:
        assert read_rgb(pair.image).shape[:2] == dataset.read_target(pair).shape


def test_polygons_drawn_by_another_hand_agree_but_for_their_edges():
    dataset = load("coco-object")
    data = json.loads((SAMPLES / "coco/annotations/instances_val2017.json").read_text(encoding="utf-8"))
    order = {category["id"]: 1 + k for k, category in enumerate(sorted(data["categories"], key=lambda c: c["id"]))}
    differing = total = 0
    for pair in dataset.pairs:
        target = dataset.read_target(pair)
        page = Image.new("L", target.shape[::-1])
        for annotation in data["annotations"]:
            if annotation["image_id"] == int(pair.name) and not annotation["iscrowd"]:
                for polygon in annotation["segmentation"]:
                    ImageDraw.Draw(page).polygon(polygon, fill=order[annotation["category_id"]])
        differing += int((np.array(page) != target).sum())
        total += target.size
    assert differing / total < 0.01


@pytest.mark.parametrize("name", COUNTS)
def test_a_check_of_the_samples_finds_no_problem(name):
    found = check_dataset(name, SAMPLES, "train" if name == "cityscapes" else "val")
    assert found.problems == ()
    assert found.labels_read == COUNTS[name]
    assert 0 < found.classes_seen <= found.classes
