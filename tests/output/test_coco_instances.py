import contextlib
import io
import tracemalloc

import numpy as np
import pytest
from pycocotools.coco import COCO
from scipy import ndimage

from densezero.output.coco import coco_pieces
from densezero.output.coco_instances import min_area_of, polygon_pieces, region_pieces, write_instances
from densezero.output.coco_json import CocoImage, labels_of
from densezero.output.labels import ignore_value
from tests.output.scenes import scene_labels

# decode() of pycocotools hands NumPy an array type that has not yet learnt its newest keyword
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")


def load(path):
    with contextlib.redirect_stdout(io.StringIO()):
        return COCO(str(path))


def images_of(maps, n_classes):
    return [CocoImage(name, labels.shape, coco_pieces(labels, n_classes)) for name, labels in maps.items()]


@pytest.mark.parametrize("n_classes", [1, 3, 5, 254, 300])
def test_masks_give_the_label_map_back(n_classes):
    labels = scene_labels(n_classes)
    found = labels_of(CocoImage("a.png", labels.shape, coco_pieces(labels, n_classes)), n_classes)
    np.testing.assert_array_equal(found, labels)


@pytest.mark.parametrize("n_classes", [1, 3, 5, 254, 300])
def test_pycocotools_reads_every_region_and_together_they_are_the_label_map(tmp_path, random_classes, n_classes):
    maps = {
        "a.png": scene_labels(n_classes),
        "none.png": np.full_like(scene_labels(n_classes), ignore_value(n_classes)),
    }
    path = tmp_path / "coco-instances.json"
    write_instances(path, lambda: images_of(maps, n_classes), random_classes(n_classes), 1)
    coco = load(path)
    assert len(coco.cats) == n_classes
    assert min(coco.anns, default=1) == min(coco.cats) == min(coco.imgs) == 1
    for number, labels in enumerate(maps.values(), 1):
        back = np.full_like(labels, ignore_value(n_classes))
        for found in coco.loadAnns(coco.getAnnIds(imgIds=number)):
            mask = coco.annToMask(found) > 0
            assert (back[mask] == ignore_value(n_classes)).all()
            assert ndimage.label(mask)[1] == 1
            assert found["area"] == mask.sum()
            y, x = np.nonzero(mask)
            assert found["bbox"] == [x.min(), y.min(), np.ptp(x) + 1, np.ptp(y) + 1]
            assert found["iscrowd"] == 0
            back[mask] = found["category_id"] - 1
        np.testing.assert_array_equal(back, labels)
        regions = sum(ndimage.label(labels == index)[1] for index in range(n_classes))
        assert len(coco.getAnnIds(imgIds=number)) == regions


@pytest.mark.parametrize("n_classes", [1, 3, 5, 300])
def test_polygons_are_the_regions(tmp_path, random_classes, n_classes):
    """Read by pycocotools; the masks, areas and boxes are those of the run lengths."""
    path, found = tmp_path / "a.json", []
    images = images_of({"a.png": scene_labels(n_classes)}, n_classes)
    for as_polygons in (False, True):
        write_instances(path, lambda: images, random_classes(n_classes), 1, as_polygons)
        coco = load(path)
        one = [
            (each["category_id"], each["area"], each["bbox"], coco.annToMask(each).tobytes())
            for each in coco.anns.values()
        ]
        found.append(sorted(one))
    assert found[0] == found[1]
    assert {len(each["segmentation"]) for each in coco.anns.values()} == {1}


def test_regions_by_hand():
    """A ring of eight pixels, its hole of one, and two pixels that share a corner only."""
    labels = np.array([[1, 1, 1, 0, 1], [1, 0, 1, 1, 0], [1, 1, 1, 0, 0]], np.uint8)
    found = [(index, area, box) for index, _, area, box in region_pieces(labels, 2, 1)]
    assert found == [
        (0, 1, [3.0, 0.0, 1.0, 1.0]), (0, 1, [1.0, 1.0, 1.0, 1.0]), (0, 3, [3.0, 1.0, 2.0, 2.0]),
        (1, 9, [0.0, 0.0, 4.0, 3.0]), (1, 1, [4.0, 0.0, 1.0, 1.0]),
    ]  # fmt: skip


@pytest.mark.parametrize("encode", [region_pieces, polygon_pieces])
@pytest.mark.parametrize("least", [1, 2, 9, 10, 1000])
def test_smaller_regions_are_left_out_and_the_others_stay(blob_labels, least, encode):
    labels = blob_labels((60, 80), 4)
    labels[::7, ::5] = 3
    every = encode(labels, 4, 1)
    assert encode(labels, 4, least) == [piece for piece in every if piece[2] >= least]


def test_the_file_says_how_small_its_regions_are(tmp_path, random_classes):
    path = tmp_path / "a.json"
    write_instances(path, list, random_classes(2), 37)
    assert min_area_of(path) == 37
    assert load(path).imgs == {}
    for content in (b"", b"[1, 2]\n", b"{}", b"\xff\xfe", b'{"info": {"description": "px"}}'):
        path.write_bytes(content)
        assert min_area_of(path) is None
    assert min_area_of(tmp_path / "no such file") is None


def test_memory_does_not_grow_with_the_images(tmp_path, random_classes, blob_labels):
    labels = blob_labels((150, 200), 6)
    pieces, peaks = coco_pieces(labels, 6), []
    for count in (3, 60):
        tracemalloc.start()
        images = lambda count=count: (CocoImage(f"{index}.jpg", labels.shape, pieces) for index in range(count))  # noqa: E731
        write_instances(tmp_path / "coco-instances.json", images, random_classes(6))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] + 100_000
