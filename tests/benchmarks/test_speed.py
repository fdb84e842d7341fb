"""What the benchmark of speed compares with and counts by: the transcription, the GFLOP, near ties."""

import json

import numpy as np
import pytest
import torch
import torch.nn.functional as F

import densezero
from densezero.encoders.tips import VisionConfig
from densezero.pretrain.concepts import CONCEPTS
from densezero.pretrain.scenes import draw_scene
from tests.conftest import ROOT

NANO = ROOT / "densezero" / "encoders" / "nano"


@pytest.fixture(autouse=True)
def beside_the_scripts(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))


@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize("index", range(5))
def test_the_transcription_gives_the_references_scores_and_labels(golden, index, fused):
    from transcription import PlainTower, plain_scores

    io, weights = golden("slide_a_io"), golden("vision_a")
    heads = json.loads(str(golden("vision_a_io")["config"]))["num_heads"]
    tower = PlainTower({name: torch.from_numpy(value) for name, value in weights.items()}, heads, fused)
    pixels, text = torch.from_numpy(io[f"image_{index}"])[None], torch.from_numpy(io["text"])
    scores = plain_scores(tower, pixels, text, int(io["side"]), int(io["stride"]))
    np.testing.assert_allclose(scores[0].numpy(), io[f"slide_{index}"], rtol=0, atol=1e-5)
    labels = F.interpolate(scores, size=io[f"labels_{index}"].shape, mode="bilinear", align_corners=False)[0].argmax(0)
    clear = io[f"margin_{index}"] > 1e-5
    assert np.array_equal(labels.numpy()[clear], io[f"labels_{index}"][clear])


def test_the_transcription_gives_the_labels_of_tips_slide_with_nano():
    from transcription import plain_image_scores, read_plain_tower

    rgb = draw_scene((9, 1), (120, 161)).rgb
    encoder = densezero.load_encoder("nano", device="cpu", dtype="float32")
    segmenter = densezero.Segmenter(encoder, [concept.name for concept in CONCEPTS], "tips-slide")
    best, index = plain_image_scores(read_plain_tower(NANO), rgb, segmenter.rule.bank.vectors).topk(2, dim=0)
    clear = (best[0] - best[1] > 1e-6).numpy()
    assert clear.mean() > 0.99
    assert len(index[0].unique()) > 3
    assert np.array_equal(segmenter.segment(rgb).labels[clear], index[0].numpy()[clear])


def test_gflop_of_a_window_are_those_counted_by_hand():
    from speed_parts.encoder import window_gflop

    # One patch of 14 x 14, width 2, MLP of 3; two blocks. Embedding 588 x 2; a block of 3 tokens 3 x (4 x 4 + 2 x 6)
    # and 2 x 9 x 2 of attention; the last block of 1 token 2 x 4 + 2 x 6. Sum 1176 + 84 + 36 + 20 = 1316, twice.
    assert window_gflop(VisionConfig(2, 2, 1, 3), (14, 14)) == pytest.approx(2632e-9)


def test_unequal_labels_are_told_with_the_gap_of_their_two_best_scores():
    from speed_parts.slide import Likeness

    likeness = Likeness()
    scores = torch.tensor([[[1.0, 1.0]], [[0.0, 0.995]], [[0.5, 0.0]]])  # gaps 50 and 0.5 percent of the spread
    likeness.add(scores, np.array([[0, 1]], np.uint8))
    found = likeness.to_json()
    assert (found["equal labels %"], found["unequal pixels"], found["of them near ties %"]) == (50, 1, 100)
    assert found["gap of the unequal, %: 50, 90, 99, 100"] == "0.5 0.5 0.5 0.5"
    assert found["classes found"] == 1


@torch.inference_mode()
def test_recorded_features_give_the_labels_of_the_encoder_itself():
    from speed_parts.after import RecordedEncoder
    from speed_parts.request import segmenter_with

    encoder = densezero.load_encoder("nano", device="cpu", dtype="float32")
    vectors = F.normalize(torch.randn(5, encoder.width, generator=torch.Generator().manual_seed(1)), dim=-1)
    recorded, rgb = RecordedEncoder(encoder), draw_scene((9, 2), (60, 90)).rgb
    segmenter = segmenter_with(recorded, vectors, "tips-slide")
    first = segmenter.segment(rgb).labels
    recorded.replays = True
    assert len(np.unique(first)) > 1
    assert np.array_equal(segmenter.segment(rgb).labels, first)
    assert np.array_equal(segmenter_with(encoder, vectors, "tips-slide").segment(rgb).labels, first)


def test_every_way_of_the_roof_multiplies():
    from gemm_roof import TIMES, best_rate, roof_ways

    ways, gflop = roof_ways(VisionConfig(8, 2, 2, 16), 10, torch.float32)
    assert {f"{layer} by linear" for layer in ("qkv", "proj", "fc1", "fc2")} <= set(ways) == set(gflop)
    assert gflop["fc1 by linear"] == pytest.approx(TIMES * 2e-9 * 10 * 8 * 16)
    assert best_rate({name: 1e-9 if name == "proj by numpy" else 1.0 for name in ways}, gflop)[0] == "proj by numpy"


def test_the_3_x_3_convolutions_of_a_head_are_counted_by_hand():
    from speed_parts.head import ConvolutionTimer

    from tests.heads.fakes import random_features, small_head

    head = small_head("depth")  # levels of 4, 8, 16, 24 channels, 16 channels of the decoder
    timer = ConvolutionTimer(head.decoder)
    timer.run(lambda: head(random_features((2, 2))))
    # Maps of 8, 4, 2 and 1 rows; the resize of the deepest level, four levels to 16 channels, then fused maps of 1, 2,
    # 4 and 8 rows with two convolutions each, four with the lateral unit, and the last map of 16 rows.
    levels = 1 * 24 * 24 + 64 * 4 * 16 + 16 * 8 * 16 + 4 * 16 * 16 + 1 * 24 * 16
    fused = (2 * 1 + 4 * 4 + 4 * 16 + 4 * 64 + 256) * 16 * 16
    assert timer.gflop == pytest.approx(2e-9 * 9 * (levels + fused))
    assert len(timer.layers) == 1 + 4 + 14 + 1
