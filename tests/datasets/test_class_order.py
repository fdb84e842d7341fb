"""The class that an adapter gives to a file value is the one that the benchmark's own definition names."""

import ast
import importlib.util
import json
from pathlib import Path

import pytest
from PIL import Image

from densezero.datasets import ade20k, cityscapes, coco, coco_stuff, load_dataset, pascal_context, voc
from densezero.vocabulary import load_packaged
from tests.conftest import SHARED
from tests.datasets.devkits import voc_channel

SAMPLES = SHARED / "samples"


def shared(path):
    if not (SAMPLES / path).exists():
        pytest.skip(f"no ../shared/samples/{path} here")
    return SAMPLES / path


def class_of(table, value, name):
    return load_packaged(name).names[int(table.to_class[value])]


def test_the_values_of_ade20k_are_the_indices_of_its_own_table():
    lines = shared("ADEChallengeData2016/objectInfo150.txt").read_text(encoding="utf-8").splitlines()[1:]
    assert len(lines) == 150
    for line in lines:
        index, *_, words = line.split("\t")
        assert class_of(ade20k.LABELS, int(index), "ade20k") in [word.strip() for word in words.split(",")]


def test_the_values_of_voc_have_the_colours_of_the_palette_in_its_files():
    with Image.open(next(shared("VOCdevkit/VOC2012/SegmentationClass").glob("*.png"))) as image:
        palette = image.getpalette()
    for value in range(21):
        colour = tuple(palette[3 * value : 3 * value + 3])
        assert colour == tuple(voc_channel(value, channel) for channel in range(3))
        assert load_packaged("voc21").entries[int(voc.LABELS_21.to_class[value])].colour == colour
        if value:
            assert load_packaged("voc20").entries[int(voc.LABELS_20.to_class[value])].colour == colour


def test_the_classes_of_context_rise_with_their_values_among_the_459():
    names = load_packaged("pascal-context59").names
    assert tuple(pascal_context.LABELS_OF_THE_MAT_FILES) == names
    values = list(pascal_context.LABELS_OF_THE_MAT_FILES.values())
    # the 459 are in the alphabet of their names, so the 59 must rise with theirs
    assert values == sorted(set(values))
    assert [name.replace(" ", "") for name in names] == sorted(name.replace(" ", "") for name in names)


@pytest.mark.parametrize("table", [pascal_context.MAT_59, pascal_context.MAT_60])
def test_an_original_context_value_is_its_class(table):
    name = "pascal-context59" if table is pascal_context.MAT_59 else "pascal-context60"
    for word, value in (("aeroplane", 2), ("grass", 187), ("person", 284), ("sky", 360), ("wood", 458)):
        assert class_of(table, value, name) == word


# cityscapesScripts, helpers/labels.py: what is evaluated, by id
CITY = {
    7: "road", 8: "sidewalk", 11: "building", 12: "wall", 13: "fence", 17: "pole", 19: "traffic light",
    20: "traffic sign", 21: "vegetation", 22: "terrain", 23: "sky", 24: "person", 25: "rider", 26: "car", 27: "truck",
    28: "bus", 31: "train", 32: "motorcycle", 33: "bicycle",
}  # fmt: skip


def test_the_ids_of_cityscapes_are_the_classes_of_its_own_table():
    for value in range(34):
        if value in CITY:
            assert class_of(cityscapes.IDS, value, "cityscapes") == CITY[value]
        else:
            assert cityscapes.IDS.to_class[value] == 255


def test_the_things_of_coco_are_the_categories_of_its_json():
    file = shared("coco/annotations/instances_val2017.json")
    categories = json.loads(file.read_text(encoding="utf-8"))["categories"]
    assert len(categories) == 80
    for category in categories:
        assert class_of(coco_stuff.RAW, category["id"] - 1, "coco-stuff") == category["name"]
        assert class_of(coco.RAW, category["id"] - 1, "coco-object") == category["name"]


# COCO-Stuff's labels.txt, which counts from 1
STUFF = {
    92: "banner", 95: "bridge", 106: "clouds", 119: "flower", 124: "grass", 149: "road", 154: "sand", 155: "sea",
    157: "sky-other", 159: "snow", 169: "tree", 178: "water-other", 182: "wood",
}  # fmt: skip


def test_the_stuff_of_coco_is_that_of_its_own_list():
    for number, name in STUFF.items():
        assert class_of(coco_stuff.RAW, number - 1, "coco-stuff") == name
        assert class_of(coco.RAW, number - 1, "coco-object") == "background"


def metainfo_of(file, kind):
    """Read METAINFO from the source of mmsegmentation: importing it takes seconds, and compiled parts."""
    package = importlib.util.find_spec("mmseg")
    if package is None:
        pytest.skip("mmsegmentation is not installed")
    source = (Path(package.origin).parent / "datasets" / f"{file}.py").read_text(encoding="utf-8")
    body = next(node.body for node in ast.parse(source).body if isinstance(node, ast.ClassDef) and node.name == kind)
    call = next(node.value for node in body if isinstance(node, ast.Assign) and node.targets[0].id == "METAINFO")
    return {word.arg: ast.literal_eval(word.value) for word in call.keywords}


@pytest.mark.parametrize(
    ("name", "file", "kind"),
    [("ade20k", "ade", "ADE20KDataset"), ("voc21", "voc", "PascalVOCDataset"),
     ("pascal-context60", "pascal_context", "PascalContextDataset"),
     ("pascal-context59", "pascal_context", "PascalContextDataset59"),
     ("cityscapes", "cityscapes", "CityscapesDataset"), ("coco-stuff", "coco_stuff", "COCOStuffDataset")],
)  # fmt: skip
def test_names_and_colours_follow_the_order_of_mmsegmentation(name, file, kind):
    theirs = metainfo_of(file, kind)
    ours = load_packaged(name)
    assert ours.colours.tolist() == [list(colour) for colour in theirs["palette"]]
    if name != "ade20k":  # the notebook's names are other synonyms of the benchmark's, compared above
        letters = [label.replace(" ", "") for label in ours.names]
        assert letters == [label.replace(" ", "") for label in theirs["classes"]]


def test_every_dataset_has_the_packaged_list_of_its_name(tmp_path):
    from tests.datasets.test_layout import DRAW

    for name, draw in DRAW.items():
        if name != "folder":
            draw(tmp_path / name)
            assert load_dataset(name, tmp_path / name).classes is load_packaged(name)
