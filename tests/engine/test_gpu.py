"""The same labels on a GPU as on the CPU. Skipped where torch sees no GPU."""

from dataclasses import replace

import numpy as np
import pytest
import torch

import densezero
from densezero.encoders.batches import encode_crops
from densezero.engine.labelling import class_scores, label_map
from densezero.engine.presets import with_changes
from densezero.engine.refine import grid_solve, pamr
from densezero.engine.score_map import ScoreMap
from densezero.errors import DenseZeroWarning
from densezero.pretrain.concepts import CONCEPTS
from densezero.pretrain.scenes import draw_scene
from tests.engine.score_maps import oracle
from tests.engine.test_labelling import random_case

GPUS = [
    name
    for name, available in (("cuda", torch.cuda.is_available()), ("mps", torch.backends.mps.is_available()))
    if available
]
pytestmark = pytest.mark.skipif(not GPUS, reason="torch sees no GPU")
each_gpu = pytest.mark.parametrize("gpu", GPUS)
NAMES = [concept.name for concept in CONCEPTS]
PRESETS = ("tips-slide", "tips-simple", "ovss")


def scene(index=0, hw=(300, 420)):
    return draw_scene((11, index), hw).rgb


def segmenter_on(device, preset, threshold=0.0, dtype="float32"):
    protocol = replace(densezero.find_protocol(preset), background=densezero.Background(threshold=threshold))
    encoder = densezero.load_encoder("nano", device=device, dtype=dtype)
    return densezero.Segmenter(encoder, NAMES, protocol, "plain", keep_scores=True)


@each_gpu
@pytest.mark.parametrize("threshold", [0.0, 0.3])
@pytest.mark.parametrize("preset", PRESETS)
def test_labels_and_scores_equal_those_of_the_cpu(gpu, preset, threshold):
    on_gpu, on_cpu = segmenter_on(gpu, preset, threshold), segmenter_on("cpu", preset, threshold)
    result, expected = on_gpu.segment(scene()), on_cpu.segment(scene())
    scores, expected_scores = result.scores(), expected.scores()
    finite = np.isfinite(expected_scores)
    np.testing.assert_array_equal(finite, np.isfinite(scores))
    np.testing.assert_allclose(scores[finite], expected_scores[finite], rtol=0, atol=5e-5)
    assert (result.labels == expected.labels).mean() > 0.9995
    assert len(np.unique(result.labels)) > 3


@each_gpu
@pytest.mark.parametrize("name", ["refine_a", "refine_b"])
def test_refinements_equal_the_reference(gpu, golden, name):
    io = {key: torch.from_numpy(value).to(gpu) for key, value in golden(name).items()}
    grid, smooth = grid_solve(io["image"], io["cosines"], io["text"]), pamr(io["image"], io["cosines"])
    assert grid.device.type == smooth.device.type == gpu
    torch.testing.assert_close(grid, io["grid_80"], rtol=0, atol=5e-5)
    torch.testing.assert_close(smooth, io["pamr_10_8_16"], rtol=0, atol=1e-5)


@each_gpu
@pytest.mark.parametrize("method", ["grid", "pamr"])
@pytest.mark.parametrize("preset", [*PRESETS, "ovss-naclip"])
def test_refined_labels_equal_those_of_the_cpu(gpu, preset, method):
    protocol = with_changes(densezero.find_protocol(preset), refine=method)
    labels = []
    for device in (gpu, "cpu"):
        encoder = densezero.load_encoder("nano", device=device, dtype="float32")
        labels.append(densezero.Segmenter(encoder, NAMES, protocol, "plain").segment(scene()).labels)
    assert (labels[0] == labels[1]).mean() > 0.999


@each_gpu
def test_random_maps_are_labelled_as_by_the_dense_oracle(gpu):
    for seed in range(60):
        scores, hw, rule = random_case(seed)
        expected, clear = oracle(scores, hw, rule)
        moved = ScoreMap(scores.grids.to(gpu), scores.windows, scores.hw, scores.softmax)
        labels = label_map(moved, hw, rule)
        assert torch.equal(labels.cpu().long()[clear], expected[clear]), f"case {seed}"
        np.testing.assert_allclose(class_scores(moved, hw, rule), class_scores(scores, hw, rule), atol=1e-5)


@each_gpu
def test_features_and_texts_equal_those_of_the_cpu_in_float32(gpu):
    on_gpu, on_cpu = (densezero.load_encoder("nano", device=device, dtype="float32") for device in (gpu, "cpu"))
    pixels = torch.rand(2, 3, 70, 98, generator=torch.Generator().manual_seed(0))
    for readout in on_cpu.readouts:
        expected = on_cpu.encode_dense(pixels, readout)
        torch.testing.assert_close(on_gpu.encode_dense(pixels, readout).cpu(), expected, rtol=1e-4, atol=1e-4)
    words = ["sky", "a photo of a boat", ""]
    torch.testing.assert_close(on_gpu.encode_text(words).cpu(), on_cpu.encode_text(words), rtol=1e-4, atol=1e-4)


@each_gpu
def test_half_precision_stays_near_float32(gpu):
    on_gpu, on_cpu = (
        segmenter_on(gpu, "tips-slide", dtype="bfloat16" if gpu == "cuda" else "float16"),
        segmenter_on("cpu", "tips-slide"),
    )
    assert (on_gpu.segment(scene()).labels == on_cpu.segment(scene()).labels).mean() > 0.99


@each_gpu
def test_an_encoder_moves_and_gives_the_same_labels(gpu):
    segmenter = segmenter_on("cpu", "tips-slide")
    expected = segmenter.segment(scene()).labels
    segmenter.encoder.to(gpu)
    assert (segmenter.segment(scene()).labels == expected).mean() > 0.9995
    segmenter.encoder.to("cpu")
    assert np.array_equal(segmenter.segment(scene()).labels, expected)


@each_gpu
def test_many_images_together_equal_one_by_one(gpu):
    segmenter = segmenter_on(gpu, "tips-slide")
    images = [scene(index, hw) for index, hw in enumerate([(300, 420), (200, 200), (420, 300), (300, 420), (90, 500)])]
    for image, result in zip(images, segmenter.segment_many(images), strict=True):
        assert (result.labels == segmenter.segment(image).labels).mean() > 0.999


@pytest.mark.skipif("cuda" not in GPUS, reason="torch sees no CUDA device")
def test_a_full_cuda_device_halves_the_batch_and_goes_on():
    encoder = densezero.load_encoder("nano", device="cuda", dtype="float32")
    crops = list(torch.rand(96, 3, 448, 448, device="cuda")[:, None].unbind(0))
    total = torch.cuda.get_device_properties(0).total_memory
    torch.cuda.empty_cache()
    encoder.batch_pixels = 96 * 448 * 448
    torch.cuda.set_per_process_memory_fraction((torch.cuda.memory_reserved() + 700e6) / total)
    try:
        with pytest.warns(DenseZeroWarning, match="Smaller batches"):
            features = {
                index: row
                for indices, rows in encode_crops(encoder, crops, "value")
                for index, row in zip(indices, rows, strict=True)
            }
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    assert sorted(features) == list(range(96))
    assert encoder.batch_pixels < 96 * 448 * 448
    torch.testing.assert_close(features[5], encoder.encode_dense(crops[5])[0], rtol=1e-4, atol=1e-4)
