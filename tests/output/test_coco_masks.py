import contextlib
import io
import json

import numpy as np
import pytest
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO

from densezero.output.coco import encode_coco

# decode() of pycocotools hands NumPy an array type that has not yet learnt its newest keyword
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy:DeprecationWarning")


@pytest.mark.parametrize("hw", [(1, 1), (13, 200), (200, 13), (64, 48)])
def test_decoded_masks_are_the_masks(classes_of, blob_labels, hw):
    classes = classes_of(["sky", "sea", "sand", "boat", "gull"])
    labels = blob_labels(hw, 4)  # the gull is absent
    labels[: hw[0] // 3, : hw[1] // 3] = 255
    entries = json.loads(encode_coco(labels, classes))
    assert [entry["category_id"] for entry in entries] == sorted(set(labels.ravel().tolist()) - {255})
    for entry in entries:
        mask = labels == entry["category_id"]
        np.testing.assert_array_equal(coco_mask.decode(entry["segmentation"]), mask)
        reference = coco_mask.encode(np.asfortranarray(mask.astype(np.uint8)))
        assert entry["segmentation"] == {"size": list(hw), "counts": reference["counts"].decode()}
        assert entry["area"] == int(coco_mask.area(reference))
        assert entry["bbox"] == coco_mask.toBbox(reference).tolist()
        assert entry["category_name"] == classes.names[entry["category_id"]]
        assert entry["iscrowd"] == 0


def test_an_entry_by_hand(classes_of):
    labels = np.array([[0, 1, 1], [0, 0, 1]], dtype=np.uint8)
    entry = json.loads(encode_coco(labels, classes_of(["sky", "boat"])))[1]
    assert (entry["area"], entry["bbox"], entry["category_name"]) == (3, [1.0, 0.0, 2.0, 2.0], "boat")


def test_noise_with_many_classes_comes_back(random_classes):
    labels = np.random.default_rng(3).integers(0, 300, (40, 50)).astype(np.uint16)
    back = np.zeros((40, 50), dtype=np.uint16)
    for entry in json.loads(encode_coco(labels, random_classes(300))):
        back[coco_mask.decode(entry["segmentation"]) > 0] = entry["category_id"]
    np.testing.assert_array_equal(back, labels)


def test_pycocotools_takes_the_list_as_results(classes_of, blob_labels):
    classes = classes_of(["sky", "sea", "sand"])
    labels = blob_labels((30, 40), 3)
    entries = json.loads(encode_coco(labels, classes))
    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO()
        truth.dataset = {
            "images": [{"id": 7, "height": 30, "width": 40}],
            "annotations": [],
            "categories": [{"id": index, "name": name} for index, name in enumerate(classes.names)],
        }
        truth.createIndex()
        results = truth.loadRes([{**entry, "image_id": 7, "score": 1.0} for entry in entries])
    for found in results.loadAnns(results.getAnnIds(imgIds=7)):
        np.testing.assert_array_equal(results.annToMask(found), labels == found["category_id"])
