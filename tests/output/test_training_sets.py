"""Training layouts are read by readers written after the published descriptions of the formats."""

import json
import runpy

import cv2
import numpy as np
import pytest
import yaml
from PIL import Image

from densezero.errors import OutputError
from densezero.output.formats import EIGHT_BIT_FORMATS
from densezero.output.image_files import ImageResult
from densezero.output.labels import ignore_value
from densezero.output.run_files import write_run_files
from densezero.output.writer import plan_outputs
from tests.output.scenes import scene_labels


class Entry:
    """What the journal says of an image."""

    def __init__(self, relative, outputs, labels):
        self.relative, self.outputs, self.hw, self.pixels, self.pieces = (
            relative,
            tuple(outputs),
            labels.shape,
            {},
            None,
        )


def write(folder, form, maps, classes, keep_suffix=False):
    """Write pictures with these label maps, and give the folder of the format."""
    plan, entries = plan_outputs(list(maps), [form], keep_suffix), []
    for name, labels in maps.items():
        source = folder / "in" / name
        source.parent.mkdir(parents=True, exist_ok=True)
        rgb = np.random.default_rng(7).integers(0, 256, (*labels.shape, 3)).astype(np.uint8)
        Image.fromarray(rgb).save(source)
        plan.write(name, ImageResult(rgb, labels, classes, source=source), lambda file: folder / "out" / file)
        entries.append(Entry(name, plan.files(name).values(), labels))
    write_run_files(plan, lambda: entries, classes, lambda file: folder / "out" / file)
    return folder / "out" / form


@pytest.fixture
def maps():
    def make(n_classes):
        labels = scene_labels(n_classes)
        return {
            "a.png": labels,
            "sub dir/b.c.jpg": labels[::-1],
            "n.png": np.full_like(labels, ignore_value(n_classes)),
        }

    return make


def grey(path):
    """(H, W) as an importer reads it, by OpenCV; a palette would become colours."""
    found = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    assert found.dtype == np.uint8
    assert found.ndim == 2
    return found


def same_file(path, other):
    return path.read_bytes() == other.read_bytes()


@pytest.mark.parametrize("n_classes", [1, 3, 5, 254])
def test_voc_is_read_by_the_line_of_the_label_map(tmp_path, random_classes, maps, n_classes):
    classes, given = random_classes(n_classes), maps(n_classes)
    root = write(tmp_path, "voc", given, classes)
    lines = (root / "labelmap.txt").read_text().splitlines()
    names, colours = [], []
    for line in lines:
        name, colour, parts, actions = line.split(":")
        assert (parts, actions) == ("", "")
        names.append(name)
        colours.append(tuple(map(int, colour.split(","))))
    assert names == ["background", *classes.names]
    assert len({*colours}) == n_classes + 1
    assert colours[0] == (0, 0, 0)
    listed = (root / "ImageSets" / "Segmentation" / "default.txt").read_text().splitlines()
    assert listed == ["a", "sub dir/b.c", "n"]
    for name, (relative, labels) in zip(listed, given.items(), strict=True):
        for folder in ("SegmentationClass", "SegmentationObject"):
            found = grey(root / folder / f"{name}.png")
            back = np.where(found == 0, 255, found.astype(int) - 1)
            np.testing.assert_array_equal(back, labels)
        assert same_file(root / "JPEGImages" / relative, tmp_path / "in" / relative)


def test_voc_has_another_word_for_no_class_where_a_class_is_called_background(tmp_path, classes_of):
    root = write(tmp_path, "voc", {"a.png": np.zeros((2, 2), np.uint8)}, classes_of(["background", "sky"]))
    names = [line.split(":")[0] for line in (root / "labelmap.txt").read_text().splitlines()]
    assert names == ["unlabelled", "background", "sky"]


@pytest.mark.parametrize("colours", [[(9, 9, 9), (9, 9, 9)], [(0, 0, 0), (5, 6, 7)]])
def test_voc_needs_different_colours_and_makes_them(tmp_path, classes_of, colours):
    classes = classes_of(["sky", "sea"])
    object.__setattr__(classes, "colours", np.array(colours, np.uint8))
    root = write(tmp_path, "voc", {"a.png": np.zeros((2, 2), np.uint8)}, classes)
    lines = (root / "labelmap.txt").read_text().splitlines()
    assert lines == ["background:0,0,0::", "sky:1,1,1::", "sea:2,2,2::"]


def test_voc_refuses_a_name_that_its_list_cannot_hold(classes_of):
    for name in ("ratio 1:2", "# 1"):
        with pytest.raises(OutputError, match=rf"for voc and cvat without a colon.*comment; got '{name}'"):
            plan_outputs(["a.png"], ["voc"]).refuse_classes(classes_of(["sky", name]))
        plan_outputs(["a.png"], ["mmseg"]).refuse_classes(classes_of(["sky", name]))


@pytest.mark.parametrize("form", ["yolo", "yolo-semantic"])
def test_yolo_refuses_a_folder_that_would_hide_the_labels(form):
    with pytest.raises(OutputError, match=r"no folder called images.*got x/images/a\.png"):
        plan_outputs(["images.png", "x/images/a.png"], [form])
    plan_outputs(["images.png", "x/images/a.png"], ["mmseg"])


@pytest.mark.parametrize("n_classes", [1, 3, 5, 254])
def test_yolo_finds_images_and_masks_by_its_data_file(tmp_path, random_classes, maps, n_classes):
    classes, given = random_classes(n_classes), maps(n_classes)
    root = write(tmp_path, "yolo-semantic", given, classes)
    data = yaml.safe_load((root / "data.yaml").read_text())
    assert data["names"] == dict(enumerate(classes.names))
    for split in ("train", "val"):
        images = sorted(path for path in (root / data[split]).rglob("*") if path.is_file())
        assert len(images) == len(given)
        for image in images:
            relative = image.relative_to(root / data[split])
            assert same_file(image, tmp_path / "in" / relative)
            # Ultralytics replaces the last folder "images" of the path by masks_dir, and the ending by .png
            mask = root / data["masks_dir"] / image.relative_to(root / "images").with_suffix(".png")
            np.testing.assert_array_equal(grey(mask), given[relative.as_posix()])


def test_names_that_yaml_would_take_for_something_else_stay_names(tmp_path, classes_of):
    names = ["no", "1", "a: b", '"quoted"', "é", "\U0001f600", "# x", "null"]
    root = write(tmp_path, "yolo-semantic", {"a.png": np.zeros((2, 2), np.uint8)}, classes_of(names))
    assert list(yaml.safe_load((root / "data.yaml").read_text(encoding="utf-8"))["names"].values()) == names


@pytest.mark.parametrize("n_classes", [1, 3, 5, 254])
def test_mmseg_finds_images_and_masks_by_its_endings(tmp_path, random_classes, n_classes):
    classes = random_classes(n_classes)
    labels = scene_labels(n_classes)
    given = {"a.png": labels, "sub/b.c.png": labels[:, ::-1], "z.jpg": labels}
    root = write(tmp_path, "mmseg", given, classes)
    assert "# 1 images have another ending than '.png'" in (root / "dataset.py").read_text()
    config = runpy.run_path(str(root / "dataset.py"))["dataset"]
    assert config["type"] == "BaseSegDataset"
    assert config["reduce_zero_label"] is False
    assert config["metainfo"]["classes"] == list(classes.names)
    assert config["metainfo"]["palette"] == classes.colours.tolist()
    images = root / config["data_prefix"]["img_path"]
    found = sorted(path for path in images.rglob("*" + config["img_suffix"]))
    assert [path.relative_to(images).as_posix() for path in found] == ["a.png", "sub/b.c.png"]
    for image in found:
        relative = image.relative_to(images).as_posix()
        mask = relative.removesuffix(config["img_suffix"]) + config["seg_map_suffix"]
        np.testing.assert_array_equal(grey(root / config["data_prefix"]["seg_map_path"] / mask), given[relative])


@pytest.mark.parametrize("n_classes", [1, 3, 5, 254])
def test_datumaro_has_one_folder_and_no_label_is_the_first_name(tmp_path, random_classes, maps, n_classes):
    classes, given = random_classes(n_classes), maps(n_classes)
    root = write(tmp_path, "datumaro", given, classes)
    meta = json.loads((root / "dataset_meta.json").read_text())
    assert meta["label_map"] == {str(index): name for index, name in enumerate(["background", *classes.names])}
    assert meta["segmentation_colors"] == [[0, 0, 0], *classes.colours.tolist()]
    assert len(list((root / "masks").iterdir())) == len(given)
    for name, labels in given.items():
        flat = name.replace("/", "__")
        found = grey(root / "masks" / f"{flat.rpartition('.')[0]}.png")
        np.testing.assert_array_equal(np.where(found == 0, 255, found.astype(int) - 1), labels)
        assert same_file(root / "images" / flat, tmp_path / "in" / name)


def test_two_pictures_that_would_have_one_name_in_datumaro_are_refused():
    with pytest.raises(OutputError, match=r"no folders, so x/a\.png and x__a\.jpg would both be called x__a"):
        plan_outputs(["x/a.png", "x__a.jpg"], ["datumaro"])
    plan_outputs(["x/a.png", "x__a.jpg"], ["voc"])
    plan_outputs(["x/a.png", "y/a.png"], ["datumaro"])


def test_yolo_has_a_line_for_each_region_by_hand(tmp_path, classes_of):
    labels = np.full((10, 20), 255, np.uint8)
    labels[1:3, 1:5], labels[5, 7] = 1, 0
    root = write(tmp_path, "yolo", {"a.png": labels, "n.png": np.full_like(labels, 255)}, classes_of(["sky", "boat"]))
    assert (root / "labels" / "train" / "n.txt").read_text() == ""
    first, second = (line.split() for line in (root / "labels" / "train" / "a.txt").read_text().splitlines())
    assert (first[0], second[0]) == ("1", "0")
    assert np.array(first[1:], float) * ([20, 10] * 4) == pytest.approx([1, 1, 5, 1, 5, 3, 1, 3], abs=0.005)
    assert np.array(second[1:], float) * ([20, 10] * 4) == pytest.approx([7, 5, 8, 5, 8, 6, 7, 6], abs=0.005)
    data = yaml.safe_load((root / "data.yaml").read_text())
    assert data == {"train": "images/train", "val": "images/train", "names": {0: "sky", 1: "boat"}}


def test_endings_that_are_kept_are_in_both_names(tmp_path, classes_of):
    labels = np.zeros((2, 2), np.uint8)
    root = write(tmp_path, "voc", {"a.png": labels, "a.jpg": labels}, classes_of(["sky"]), keep_suffix=True)
    assert {path.name for path in (root / "JPEGImages").iterdir()} == {"a.png.png", "a.jpg.jpg"}
    assert {path.name for path in (root / "SegmentationClass").iterdir()} == {"a.png.png", "a.jpg.png"}
    assert (root / "ImageSets" / "Segmentation" / "default.txt").read_text().splitlines() == ["a.png", "a.jpg"]


def test_a_format_that_holds_the_picture_needs_its_file(tmp_path, classes_of):
    labels = np.zeros((2, 2), np.uint8)
    result = ImageResult(np.zeros((2, 2, 3), np.uint8), labels, classes_of(["sky"]))
    with pytest.raises(OutputError, match="Expected the file of the picture"):
        plan_outputs(["a.png"], ["voc"]).write("a.png", result, lambda file: tmp_path / file)


def test_an_image_without_its_files_is_not_listed(tmp_path, classes_of):
    """An earlier run wrote it in other formats."""
    plan = plan_outputs(["a.png"], ["voc"])
    entries = [
        Entry("a.png", plan.files("a.png").values(), np.zeros((2, 2))),
        Entry("b.png", ["labels/b.png"], np.zeros((2, 2))),
    ]
    write_run_files(plan, lambda: entries, classes_of(["sky"]), lambda file: tmp_path / file)
    assert (tmp_path / "voc" / "ImageSets" / "Segmentation" / "default.txt").read_text() == "a\n"


@pytest.mark.parametrize("form", sorted(EIGHT_BIT_FORMATS))
def test_formats_of_8_bits_refuse_more_classes(random_classes, form):
    plan = plan_outputs(["a.png"], ["labels", form])
    plan.refuse_classes(random_classes(254))
    with pytest.raises(OutputError, match=rf"at most 254 classes for {form}, whose readers take 8 bits.*got 255"):
        plan.refuse_classes(random_classes(255))
