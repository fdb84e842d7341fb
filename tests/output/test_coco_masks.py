import contextlib
import io
import json
import tracemalloc

import numpy as np
import pytest
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO

from densezero.errors import DenseZeroWarning, OutputError
from densezero.output.coco import CocoImage, coco_pieces, encode_coco, read_coco, write_coco

# decode() of pycocotools hands NumPy an array type that has not yet learnt its newest keyword
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")


def load(path):
    with contextlib.redirect_stdout(io.StringIO()):
        return COCO(str(path))


def images_of(maps, classes):
    return [CocoImage(name, labels.shape, coco_pieces(labels, len(classes))) for name, labels in maps.items()]


@pytest.mark.parametrize("hw", [(1, 1), (13, 200), (200, 13), (64, 48)])
def test_pieces_are_what_pycocotools_makes_of_the_masks(blob_labels, hw):
    labels = blob_labels(hw, 4)  # the fifth class is absent
    labels[: hw[0] // 3, : hw[1] // 3] = 255
    pieces = coco_pieces(labels, 5)
    assert [piece[0] for piece in pieces] == sorted(set(labels.ravel().tolist()) - {255})
    for index, runs, area, box in pieces:
        reference = coco_mask.encode(np.asfortranarray((labels == index).astype(np.uint8)))
        assert runs == reference["counts"].decode()
        assert area == int(coco_mask.area(reference))
        assert box == coco_mask.toBbox(reference).tolist()


def test_a_piece_by_hand():
    labels = np.array([[0, 1, 1], [0, 0, 1]], dtype=np.uint8)
    index, _, area, box = coco_pieces(labels, 2)[1]
    assert (index, area, box) == (1, 3, [1.0, 0.0, 2.0, 2.0])


def test_pycocotools_loads_the_file_of_a_run_and_gives_the_masks_back(tmp_path, classes_of, blob_labels):
    classes = classes_of(["sky", "sea", "sand"])
    maps = {
        "a.jpg": blob_labels((30, 40), 3),
        "x/é.jpg": blob_labels((20, 10), 2),
        "none.jpg": np.full((2, 2), 255, np.uint8),
    }
    write_coco(tmp_path / "coco.json", lambda: images_of(maps, classes), classes)
    coco = load(tmp_path / "coco.json")
    assert [(one["id"], one["name"]) for one in coco.loadCats(coco.getCatIds())] == [
        (1, "sky"),
        (2, "sea"),
        (3, "sand"),
    ]
    assert [one["file_name"] for one in coco.loadImgs(coco.getImgIds())] == list(maps)
    for number, labels in enumerate(maps.values(), 1):
        back = np.full(labels.shape, 255, np.uint8)
        for found in coco.loadAnns(coco.getAnnIds(imgIds=number)):
            back[coco.annToMask(found) > 0] = found["category_id"] - 1
            assert found["iscrowd"] == 0
        np.testing.assert_array_equal(back, labels)
    with contextlib.redirect_stdout(io.StringIO()):
        results = coco.loadRes([{**one, "score": 1.0} for one in coco.dataset["annotations"]])
    assert len(results.anns) == len(coco.anns)


def test_one_image_is_a_file_of_its_own(tmp_path, random_classes):
    labels = np.random.default_rng(3).integers(0, 300, (40, 50)).astype(np.uint16)
    (tmp_path / "a.json").write_bytes(encode_coco(labels, random_classes(300)))
    coco, back = load(tmp_path / "a.json"), np.zeros((40, 50), dtype=np.uint16)
    for found in coco.anns.values():
        back[coco.annToMask(found) > 0] = found["category_id"] - 1
    np.testing.assert_array_equal(back, labels)


def test_the_pieces_of_a_file_come_back(tmp_path, classes_of, blob_labels):
    classes = classes_of(["sky", "sea", "sand"])
    maps = {
        "a\udcff.jpg": blob_labels((30, 40), 3),
        "b.jpg": np.full((2, 2), 255, np.uint8),
        "c.jpg": blob_labels((9, 9), 2),
    }
    images = images_of(maps, classes)
    write_coco(tmp_path / "coco.json", lambda: images, classes)
    assert list(read_coco(tmp_path / "coco.json")) == [(image.name, image.pieces) for image in images]
    write_coco(tmp_path / "coco.json", list, classes)
    assert list(read_coco(tmp_path / "coco.json")) == []


def test_a_file_that_no_run_wrote_does_not_come_back(tmp_path):
    (tmp_path / "coco.json").write_text(json.dumps({"images": [], "annotations": [], "categories": []}))
    with pytest.raises(OutputError, match=r"not what an earlier run wrote.*--overwrite"):
        list(read_coco(tmp_path / "coco.json"))


@pytest.mark.parametrize(("came", "go"), [((3, 7, 90), [3, 7, 90]), ((0, 7, 90), [1, 8, 91])])
def test_ids_that_came_with_the_classes_go_out_again(tmp_path, classes_of, came, go):
    classes = classes_of(["sky", "sea", "sand"])
    object.__setattr__(classes, "ids", came)
    images = images_of({"a.jpg": np.array([[0, 1, 2]], np.uint8)}, classes)
    if 0 in came:
        with pytest.warns(DenseZeroWarning, match="id 0.*one larger"):
            write_coco(tmp_path / "coco.json", lambda: images, classes)
    else:
        write_coco(tmp_path / "coco.json", lambda: images, classes)
    coco = load(tmp_path / "coco.json")
    assert [(one["id"], one["name"]) for one in coco.cats.values()] == list(zip(go, classes.names, strict=True))
    assert [one["category_id"] for one in coco.anns.values()] == go
    assert list(read_coco(tmp_path / "coco.json")) == [("a.jpg", images[0].pieces)]


def test_memory_does_not_grow_with_the_images(tmp_path, classes_of):
    classes = classes_of(["sky", "sea"])

    def images(count):
        return lambda: (
            CocoImage(f"{index}.jpg", (1, 9000), [[0, "x" * 10_000, 1, [0.0] * 4]]) for index in range(count)
        )

    peaks = []
    for count in (20, 400):
        tracemalloc.start()
        write_coco(tmp_path / "coco.json", images(count), classes)
        assert sum(len(pieces) for _, pieces in read_coco(tmp_path / "coco.json")) == count
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] + 500_000  # the pieces of 400 take four million bytes
