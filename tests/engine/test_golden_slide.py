"""The sliding window against the official implementation's numbers."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from densezero.engine import Protocol, dense_scores
from densezero.engine.labelling import LabelRule, label_map
from densezero.engine.scoring import score_images
from densezero.metrics import count_pairs, iou_scores
from densezero.vocabulary.text_bank import TextBank
from tests.encoders.towers import TowerEncoder, golden_vision

IMAGES = range(5)


@pytest.fixture
def case(golden):
    io = golden("slide_a_io")
    encoder = TowerEncoder(golden_vision(golden("vision_a"), golden("vision_a_io")))
    protocol = Protocol("golden", window_px=int(io["side"]), stride_px=int(io["stride"]))
    return io, encoder, protocol


@pytest.mark.parametrize("index", IMAGES)
def test_sliding_scores_equal_the_reference(case, index):
    io, encoder, protocol = case
    scores = dense_scores(encoder, torch.from_numpy(io[f"image_{index}"]), torch.from_numpy(io["text"]), protocol)
    np.testing.assert_allclose(scores.numpy(), io[f"slide_{index}"], rtol=0, atol=1e-5)


@pytest.mark.parametrize("index", IMAGES)
def test_whole_image_cosines_equal_the_reference(case, index):
    io, encoder, _ = case
    whole = Protocol("whole", window_px=None, window_scores="cosine")
    scores = dense_scores(encoder, torch.from_numpy(io[f"image_{index}"])[None], torch.from_numpy(io["text"]), whole)
    np.testing.assert_allclose(scores.numpy(), io[f"whole_{index}"], rtol=0, atol=1e-5)


def labels_of(io, encoder, protocol, index):
    text = F.normalize(torch.from_numpy(io["text"]), dim=-1)
    bank = TextBank(text, torch.arange(len(text)), len(text))
    (scores,) = score_images(encoder, [torch.from_numpy(io[f"image_{index}"])[None]], bank, protocol)
    return label_map(scores, io[f"labels_{index}"].shape, LabelRule(protocol, bank, None, None)).numpy()


@pytest.mark.parametrize("index", IMAGES)
def test_labels_equal_the_reference_wherever_the_margin_is_clear(case, index):
    io, encoder, protocol = case
    clear = io[f"margin_{index}"] > 1e-5
    assert clear.mean() > 0.9
    labels = labels_of(io, encoder, protocol, index)
    assert np.array_equal(labels[clear], io[f"labels_{index}"][clear])


def test_confusion_and_miou_equal_the_reference(case):
    io, encoder, protocol = case
    confusion = np.zeros((7, 7), np.int64)
    for index in IMAGES:
        labels = labels_of(io, encoder, protocol, index)
        confusion += count_pairs(labels, io[f"target_{index}"], classes=7, ignore=255)
    assert np.array_equal(confusion, io["confusion"])
    # The reference takes its mean in float32, whose last digit is 1.5e-6 percent here.
    assert iou_scores(confusion).miou == pytest.approx(100 * float(io["miou"]), abs=2e-6)
