import io

import numpy as np
import pytest

from densezero.errors import OutputError
from densezero.output.scores import encode_scores


def test_scores_come_back_in_half_precision_without_pickle(classes_of):
    scores = np.random.default_rng(0).uniform(-1, 1, (2, 5, 7)).astype(np.float32)
    with np.load(io.BytesIO(encode_scores(scores, classes_of(["sky", "天空"]))), allow_pickle=False) as archive:
        assert archive["scores"].dtype == np.float16
        assert np.abs(archive["scores"] - scores).max() <= 2**-11  # half of a step below 1
        assert archive["classes"].tolist() == ["sky", "天空"]


@pytest.mark.parametrize("shape", [(3, 5, 7), (5, 7), (2, 0, 7)])
def test_scores_of_another_shape_are_refused(classes_of, shape):
    with pytest.raises(OutputError, match=r"Expected scores \(2, h, w\)"):
        encode_scores(np.zeros(shape, np.float32), classes_of(["sky", "sea"]))


def test_a_class_without_words_keeps_its_minus_infinity(classes_of):
    scores = np.stack([np.zeros((2, 3)), np.full((2, 3), -np.inf)]).astype(np.float32)
    with np.load(io.BytesIO(encode_scores(scores, classes_of(["sky", "unknown"])))) as archive:
        assert np.array_equal(archive["scores"], scores)
    scores[0, 0, 0] = -np.inf
    with pytest.raises(OutputError, match="65504"):
        encode_scores(scores, classes_of(["sky", "unknown"]))


@pytest.mark.parametrize("value", [1e6, np.nan, np.inf])
def test_scores_that_half_precision_cannot_hold_are_refused(classes_of, value):
    with pytest.raises(OutputError, match="65504"):
        encode_scores(np.full((1, 2, 2), value, np.float32), classes_of(["sky"]))
