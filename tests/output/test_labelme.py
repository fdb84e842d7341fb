"""Read as labelme reads a mask: a PNG of the box, whose points are its first and last pixel."""

import base64
import io
import json

import numpy as np
import pytest
from PIL import Image

from densezero.errors import OutputError
from densezero.output.labelme import encode_labelme
from densezero.output.labels import ignore_value
from densezero.output.writer import plan_outputs
from tests.output.scenes import scene_labels


def read(content, names):
    """(H, W) label map of a file, and the names of its shapes."""
    values = json.loads(content)
    hw = (values["imageHeight"], values["imageWidth"])
    back = np.full(hw, ignore_value(len(names)), np.uint16)
    for shape in values["shapes"]:
        assert shape["shape_type"] == "mask"
        (left, top), (right, bottom) = ([int(side) for side in point] for point in shape["points"])
        with Image.open(io.BytesIO(base64.b64decode(shape["mask"]))) as image:
            mask = np.array(image).astype(bool)
        assert mask.shape == (bottom - top + 1, right - left + 1)
        box = back[top : bottom + 1, left : right + 1]
        assert (box[mask] == ignore_value(len(names))).all()
        box[mask] = names.index(shape["label"])
    return back, [shape["label"] for shape in values["shapes"]]


@pytest.mark.parametrize("n_classes", [1, 3, 5, 254, 300])
def test_the_masks_are_the_label_map(random_classes, n_classes):
    labels, classes = scene_labels(n_classes), random_classes(n_classes)
    back, shapes = read(encode_labelme(labels, classes, "a.jpg"), classes.names)
    np.testing.assert_array_equal(back, labels)
    present = sorted({*labels.ravel().tolist()} - {ignore_value(n_classes)})
    assert shapes == [classes.names[index] for index in present]


def test_an_image_without_a_class_has_no_shape(random_classes):
    content = encode_labelme(np.full((3, 4), 255, np.uint8), random_classes(2), "a.jpg")
    assert json.loads(content)["shapes"] == []


def test_a_picture_that_would_have_the_name_of_its_json_file_is_refused():
    with pytest.raises(OutputError, match=r"ends in \.json for labelme, got x/a\.JSON"):
        plan_outputs(["b.png", "x/a.JSON"], ["labelme"])
    plan_outputs(["x/a.JSON"], ["voc"])


def test_by_hand(classes_of):
    labels = np.full((5, 7), 255, np.uint8)
    labels[1:4, 1:4], labels[2, 2] = 1, 255
    values = json.loads(encode_labelme(labels, classes_of(["sky", "boat"]), "é\udcff.jpg"))
    (shape,) = values["shapes"]
    assert (shape["label"], shape["points"]) == ("boat", [[1, 1], [3, 3]])
    with Image.open(io.BytesIO(base64.b64decode(shape["mask"]))) as image:
        assert np.array(image).tolist() == [[1, 1, 1], [1, 0, 1], [1, 1, 1]]
    assert values["imagePath"] == "é\udcff.jpg"
    assert values["imageData"] is None
    assert (values["imageHeight"], values["imageWidth"], values["version"]) == (5, 7, "5.5.0")
