import io

import cv2
import numpy as np
import pytest
from PIL import Image

from densezero.errors import OutputError
from densezero.output.confidence import encode_confidence


def test_the_confidence_comes_back_in_every_reader():
    confidence = np.random.default_rng(1).random((30, 40)).astype(np.float32)
    confidence[0, :2] = 0, 1
    content = encode_confidence(confidence)
    with Image.open(io.BytesIO(content)) as image:
        assert image.mode == "L"
        found = np.array(image)
    np.testing.assert_array_equal(cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_UNCHANGED), found)
    assert found[0, :2].tolist() == [0, 255]
    assert np.abs(found / 255 - confidence).max() <= 0.002


@pytest.mark.parametrize("wrong", [np.zeros((2, 2, 2)), np.zeros((0, 2)), np.full((2, 2), np.nan), np.array([[1.01]])])
def test_what_is_no_confidence_is_refused(wrong):
    with pytest.raises(OutputError, match="in 0 to 1"):
        encode_confidence(wrong)


def test_an_error_of_rounding_is_no_other_value():
    content = encode_confidence(np.array([[1.0000002]], np.float32))
    with Image.open(io.BytesIO(content)) as image:
        assert np.array(image).tolist() == [[255]]
