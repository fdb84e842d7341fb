"""Read as CVAT reads a zip of masks: grey values by their line in labelmap.txt, images by the list."""

import zipfile

import cv2
import numpy as np
import pytest

from densezero.output.coco import coco_pieces
from densezero.output.coco_json import CocoImage
from densezero.output.cvat import write_cvat
from densezero.output.labels import ignore_value
from tests.output.scenes import scene_labels


def read(path, names, maps):
    """Compare the masks in a zip with label maps, given by name without ending."""
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        files = {name: archive.read(name) for name in archive.namelist()}
    assert len(files) == 2 + 2 * len(maps)
    lines = [line.split(":")[0] for line in files["labelmap.txt"].decode().splitlines()]
    assert lines == ["background", *names]
    assert files["ImageSets/Segmentation/default.txt"].decode().splitlines() == [*maps]
    for name, labels in maps.items():
        for folder in ("SegmentationClass", "SegmentationObject"):
            content = np.frombuffer(files[f"{folder}/{name}.png"], np.uint8)
            found = cv2.imdecode(content, cv2.IMREAD_UNCHANGED)
            assert found.dtype == np.uint8
            back = np.where(found == 0, ignore_value(len(names)), found.astype(int) - 1)
            np.testing.assert_array_equal(back, labels)


@pytest.mark.parametrize("n_classes", [1, 3, 5, 254])
def test_the_masks_are_the_label_maps(tmp_path, random_classes, n_classes):
    labels, classes = scene_labels(n_classes), random_classes(n_classes)
    maps = {"a": labels, "sub dir/b.c": labels[::-1], "n": np.full_like(labels, 255)}
    images = [CocoImage(f"{name}.jpg", each.shape, coco_pieces(each, n_classes), name) for name, each in maps.items()]
    write_cvat(tmp_path / "cvat.zip", lambda: images, classes)
    read(tmp_path / "cvat.zip", classes.names, maps)
    write_cvat(tmp_path / "again.zip", lambda: images, classes)
    assert (tmp_path / "again.zip").read_bytes() == (tmp_path / "cvat.zip").read_bytes()


def test_a_name_that_is_no_text_is_spelled_out(tmp_path, random_classes):
    images = [CocoImage("a\udcff.jpg", (1, 2), coco_pieces(np.zeros((1, 2), np.uint8), 1), "a\udcff")]
    write_cvat(tmp_path / "cvat.zip", lambda: images, random_classes(1))
    with zipfile.ZipFile(tmp_path / "cvat.zip") as archive:
        assert "SegmentationClass/a\\xff.png" in archive.namelist()
