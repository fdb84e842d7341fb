"""A trained head in place of words: what ``segment --head`` and ``evaluate --head`` label with."""

import numpy as np
import pytest
import torch

from densezero.classifiers.head_segmenter import HeadSegmenter, head_protocol
from densezero.engine.protocol import Protocol
from densezero.errors import ModelError
from densezero.evaluation.confidence import confidence_map
from densezero.heads import DensePredictor
from tests.conftest import callers_torch_settings
from tests.heads.fakes import small_encoder, small_head


@pytest.fixture
def image():
    return np.random.default_rng(0).integers(0, 256, (45, 63, 3), dtype=np.uint8)


def head():
    return small_head("segmentation", outputs=150)


def segmenter(preset="ratio", side_px=56):
    return HeadSegmenter(small_encoder(), head(), head_protocol(preset, side_px))


@pytest.mark.parametrize(("preset", "side_px"), [("ratio", 56), ("official", 448)])
def test_labels_are_those_of_the_predictor(image, preset, side_px):
    predictor = DensePredictor(small_encoder(), head(), side_px, square=preset == "official")
    result = segmenter(preset, side_px).segment(image)
    assert np.array_equal(result.labels, predictor.predict(image).labels)
    assert len(np.unique(result.labels)) > 3
    assert (result.classes.name, len(result.classes)) == ("ade20k", 150)


def test_scores_are_the_resized_logits(image):
    ours = segmenter()
    (scored,) = ours.score([ours.prepare(image)])
    encoded = ours.predictor.encode([ours.prepare(image).resized])[0]
    logits = ours.head(ours.predictor.choose(ours.head, encoded), (45, 63))[0]  # by torch's own resize
    np.testing.assert_allclose(ours.class_scores(scored), logits, rtol=0, atol=1e-4)
    confidence = confidence_map(scored.scores, (45, 63), ours.rule)
    np.testing.assert_allclose(confidence, logits.softmax(0).amax(0), rtol=0, atol=1e-4)


def test_several_images_equal_one_by_one(image):
    ours, other = segmenter(), np.ascontiguousarray(image[:, ::-1])
    together = [
        ours.label(scored) for scored in ours.score([ours.prepare(each) for each in (image, other, image[:20])])
    ]
    for labels, each in zip(together, (image, other, image[:20]), strict=True):
        assert (labels != ours.segment(each).labels).mean() < 0.001  # a batch rounds differently


def test_a_region_gets_the_class_of_its_mean_logits(image):
    ours = segmenter()
    regions = np.zeros((45, 63), np.int64)
    regions[10:30, 20:50] = 1
    (scored,) = ours.score([ours.prepare(image)])
    labels = ours.segment(image, regions).labels
    assert set(np.unique(labels[10:30, 20:50])) == {ours.class_scores(scored)[:, 10:30, 20:50].mean((1, 2)).argmax()}
    outside = regions == 0
    assert np.array_equal(labels[outside], ours.segment(image).labels[outside])


def test_a_result_says_which_head_it_was_made_with(image):
    made = segmenter("official", 448).provenance.to_json()
    assert made["examples"] == [{"head": "small-segmentation", "head_sha256": "0" * 64}]
    assert (made["encoder"], made["class_list"], made["templates"]) == ("small", "ade20k", "none, a trained head")
    assert Protocol.from_json(made["protocol"]) == head_protocol("official")
    assert (made["protocol"]["name"], made["protocol"]["short_side_px"]) == ("dpt-official", 448)


def test_a_callers_torch_settings_change_nothing(image):
    encoder, trained = small_encoder(), head()
    expected = HeadSegmenter(encoder, trained, head_protocol(side_px=56)).segment(image).labels
    with callers_torch_settings():
        found = HeadSegmenter(encoder, trained, head_protocol(side_px=56)).segment(image).labels
    assert np.array_equal(found, expected)


def test_a_head_that_does_not_fit_is_refused():
    with pytest.raises(ModelError, match="150 classes of ADE20K; small-segmentation has 5 outputs"):
        HeadSegmenter(small_encoder(), small_head("segmentation"), head_protocol())
    with pytest.raises(ModelError, match="features of width 24; small has width 16"):
        HeadSegmenter(small_encoder(width=16), head(), head_protocol())


def test_features_that_are_not_finite_are_refused(image):
    ours = segmenter()
    with torch.no_grad():
        ours.encoder.vision.norm.weight.fill_(float("nan"))
    with pytest.raises(Exception, match="are not finite"):
        ours.segment(image)
