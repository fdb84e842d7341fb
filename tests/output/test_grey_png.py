import cv2
import numpy as np
import pytest
from PIL import Image

from densezero.errors import OutputError
from densezero.output.labels import encode_grey, encode_grey_from_1, ignore_value
from tests.output.scenes import scene_labels

READERS = {
    "Pillow": lambda path: np.array(Image.open(path)),
    "OpenCV": lambda path: cv2.imread(str(path), cv2.IMREAD_UNCHANGED),
}


@pytest.mark.parametrize("reader", READERS.values(), ids=READERS)
@pytest.mark.parametrize(("n_classes", "dtype"), [(1, np.uint8), (5, np.uint8), (254, np.uint8), (300, np.uint16)])
def test_grey_values_are_the_labels_in_every_reader(tmp_path, random_classes, reader, n_classes, dtype):
    labels, path = scene_labels(n_classes), tmp_path / "a.png"
    path.write_bytes(encode_grey(labels, random_classes(n_classes)))
    found = reader(path)
    assert found.dtype == dtype
    np.testing.assert_array_equal(found, labels)


@pytest.mark.parametrize("reader", READERS.values(), ids=READERS)
@pytest.mark.parametrize(("n_classes", "dtype"), [(1, np.uint8), (5, np.uint8), (254, np.uint8), (300, np.uint16)])
def test_from_1_the_first_class_is_1_and_no_class_is_0(tmp_path, random_classes, reader, n_classes, dtype):
    labels, path = scene_labels(n_classes), tmp_path / "a.png"
    path.write_bytes(encode_grey_from_1(labels, random_classes(n_classes)))
    found = reader(path)
    assert found.dtype == dtype
    expected = labels.astype(int) + 1
    expected[labels == ignore_value(n_classes)] = 0
    np.testing.assert_array_equal(found, expected)


def test_by_hand(tmp_path, random_classes):
    labels, path = np.array([[0, 1, 255]], np.uint8), tmp_path / "a.png"
    path.write_bytes(encode_grey_from_1(labels, random_classes(2)))
    assert READERS["OpenCV"](path).tolist() == [[1, 2, 0]]


@pytest.mark.parametrize("encode", [encode_grey, encode_grey_from_1])
def test_labels_of_other_classes_are_refused(random_classes, encode):
    with pytest.raises(OutputError, match="below 3"):
        encode(np.array([[3]], np.uint8), random_classes(3))
