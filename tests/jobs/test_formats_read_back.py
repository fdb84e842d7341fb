"""Every format of one run, read back, holds the label maps of the run pixel by pixel."""

import contextlib
import io
import json
from pathlib import Path
from urllib.parse import unquote
from xml.etree import ElementTree

import cv2
import numpy as np
import pytest
import yaml
from pycocotools.coco import COCO

from densezero.jobs.segment import segment_images
from densezero.output.formats import EIGHT_BIT_FORMATS, PICTURE_FORMATS
from tests.jobs.photos import read_labels, settings, write_scenes
from tests.output.test_coco_panoptic import ids_of
from tests.output.test_cut_outlines import by_opencv, by_parity, by_pillow
from tests.output.test_cvat import read as read_cvat
from tests.output.test_label_studio import decode
from tests.output.test_labelme import read as read_labelme

# decode() of pycocotools hands NumPy an array type that has not yet learnt its newest keyword
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")

IMAGES = ("a.png", "b c.jpg", "sub/d.e.png")
FEW = "sky, grass, sea, house=home|cottage, no such thing"
MANY = ", ".join(["sky", "grass", "sea", *(f"house number {number}" for number in range(297))])


@pytest.fixture(params=[FEW, MANY], ids=["5 classes", "300 classes"], scope="module")
def out(request, tmp_path_factory):
    """The output folder of a run in all formats that hold the classes."""
    folder = write_scenes(tmp_path_factory.mktemp("in"), IMAGES)
    out = tmp_path_factory.mktemp("run") / "out"
    formats = [name for name in PICTURE_FORMATS if request.param == FEW or name not in EIGHT_BIT_FORMATS]
    summary = segment_images(settings(folder, out, classes=request.param, save=tuple(formats), min_area_px=1))
    assert (summary.done, summary.failed) == (3, 0)
    return out


@pytest.fixture
def names(out):
    return [each["name"] for each in json.loads((out / "classes.json").read_text())["classes"]]


@pytest.fixture
def maps(out):
    """The label map of each image, by its name without ending."""
    stems = [str(Path(name).with_suffix("")) for name in IMAGES]
    return {stem: read_labels(out / "labels" / f"{stem}.png") for stem in stems}


@pytest.mark.parametrize("file", ["coco.json", "coco-instances.json", "coco-instances-polygons.json"])
def test_masks_of_pycocotools(out, maps, file):
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO(str(out / file))
    assert {Path(image["file_name"]).with_suffix("").as_posix() for image in coco.imgs.values()} == {*maps}
    for image in coco.imgs.values():
        labels = maps[str(Path(image["file_name"]).with_suffix(""))]
        back = np.full(labels.shape, -1)
        for found in coco.loadAnns(coco.getAnnIds(imgIds=image["id"])):
            mask = coco.annToMask(found) > 0
            assert (back[mask] == -1).all()
            back[mask] = found["category_id"] - 1
        np.testing.assert_array_equal(back, labels)


def test_ids_of_panoptic(out, maps):
    content = json.loads((out / "panoptic.json").read_text())
    assert {annotation["file_name"] for annotation in content["annotations"]} == {f"{stem}.png" for stem in maps}
    for annotation in content["annotations"]:
        ids = ids_of(out / "panoptic" / annotation["file_name"])
        np.testing.assert_array_equal(ids.astype(int) - 1, maps[annotation["file_name"].removesuffix(".png")])
        assert {*np.unique(ids).tolist()} == {segment["id"] for segment in annotation["segments_info"]}


@pytest.mark.parametrize(
    ("folder", "first"),
    [
        ("grey", 0),
        ("grey-from-1", 1),
        ("voc/SegmentationClass", 1),
        ("voc/SegmentationObject", 1),
        ("datumaro/masks", 1),
        ("yolo-semantic/masks/train", 0),
        ("mmseg/ann_dir/train", 0),
    ],
)
def test_grey_values_by_opencv(out, maps, names, folder, first):
    if len(names) > 254 and "/" in folder:
        assert not (out / folder).exists()
        return
    for stem, labels in maps.items():
        name = stem.replace("/", "__") if folder == "datumaro/masks" else stem
        found = cv2.imread(str(out / folder / f"{name}.png"), cv2.IMREAD_UNCHANGED)
        np.testing.assert_array_equal(found.astype(int) - first, labels)


def test_masks_of_cvat(out, maps, names):
    if len(names) > 254:
        assert not (out / "cvat.zip").exists()
        return
    read_cvat(out / "cvat.zip", names, maps)


def test_masks_of_labelme(out, maps, names):
    for stem, labels in maps.items():
        file = out / "labelme" / f"{stem}.json"
        back, _ = read_labelme(file.read_bytes(), names)
        np.testing.assert_array_equal(back, labels)
        picture = file.parent / json.loads(file.read_bytes())["imagePath"]
        assert cv2.imread(str(picture)).shape[:2] == labels.shape


def painted(regions, hw, fill):
    """The label map of pairs of a class and a ring; no pixel has two."""
    back = np.full(hw, -1)
    for index, ring in regions:
        mask = fill(np.array(ring), hw)
        assert (back[mask] == -1).all()
        back[mask] = index
    return back


def test_polygons_of_labelme(out, maps, names):
    for stem, labels in maps.items():
        values = json.loads((out / "labelme-polygons" / f"{stem}.json").read_bytes())
        assert {shape["shape_type"] for shape in values["shapes"]} == {"polygon"}
        regions = [(names.index(shape["label"]), shape["points"]) for shape in values["shapes"]]
        np.testing.assert_array_equal(painted(regions, labels.shape, by_pillow), labels)
        assert (out / "labelme-polygons" / stem).with_name(values["imagePath"]).is_file()


def test_polygons_of_yolo(out, maps, names):
    data = yaml.safe_load((out / "yolo" / "data.yaml").read_text())
    assert data["names"] == dict(enumerate(names))
    for stem, labels in maps.items():
        lines = [line.split() for line in (out / "yolo" / "labels" / "train" / f"{stem}.txt").read_text().splitlines()]
        rings = [np.array(line[1:], float).reshape(-1, 2) * labels.shape[::-1] for line in lines]
        regions = [(int(line[0]), ring) for line, ring in zip(lines, rings, strict=True)]
        np.testing.assert_array_equal(painted(regions, labels.shape, by_opencv), labels)
    assert {path.name for path in (out / "yolo" / data["train"]).rglob("*.*")} == {Path(name).name for name in IMAGES}


def test_polygons_of_label_studio(out, maps, names):
    tag = ElementTree.parse(out / "label-studio-polygons" / "config.xml").getroot().find("PolygonLabels")
    assert [label.get("value") for label in tag] == names
    tasks = json.loads((out / "label-studio-polygons" / "tasks.json").read_text())
    for task, (stem, labels) in zip(tasks, maps.items(), strict=True):
        assert unquote(task["data"]["image"]).partition("/images/")[2].startswith(f"{stem}.")
        regions = task["predictions"][0]["result"]
        assert {(region["type"], region["from_name"]) for region in regions} == {("polygonlabels", tag.get("name"))}
        assert {region["value"]["closed"] for region in regions} == {True}
        rings = [np.array(region["value"]["points"]) / 100 * labels.shape[::-1] for region in regions]
        found = [names.index(region["value"]["polygonlabels"][0]) for region in regions]
        np.testing.assert_array_equal(
            painted(zip(found, rings, strict=True), labels.shape, lambda ring, hw: by_parity(ring.round(2), hw)), labels
        )


def test_brushes_of_label_studio(out, maps, names):
    tasks = json.loads((out / "label-studio" / "tasks.json").read_text())
    assert len(tasks) == len(maps)
    for task in tasks:
        picture = Path(unquote(task["data"]["image"].split("?d=")[1]))
        assert (out / picture).is_file()
        labels = maps[picture.relative_to("label-studio/images").with_suffix("").as_posix()]
        back = np.full(labels.shape, -1)
        for region in task["predictions"][0]["result"]:
            mask = decode(region["value"]["rle"], labels.shape) == 255
            back[mask] = names.index(region["value"]["brushlabels"][0])
        np.testing.assert_array_equal(back, labels)
