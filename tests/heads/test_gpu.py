"""The same numbers on a GPU as on the CPU. Skipped where torch sees no GPU."""

import numpy as np
import pytest
import torch

import densezero
from densezero.heads import TASKS, DensePredictor
from tests.conftest import GOLDEN
from tests.heads.fakes import golden_features, small_encoder, small_head

GPUS = [
    name
    for name, available in (("cuda", torch.cuda.is_available()), ("mps", torch.backends.mps.is_available()))
    if available
]
pytestmark = pytest.mark.skipif(not GPUS, reason="torch sees no GPU")
each_gpu = pytest.mark.parametrize("gpu", GPUS)


@each_gpu
@pytest.mark.parametrize("name", ["a", "b"])
def test_depth_and_normals_equal_the_reference(golden, gpu, name):
    io = golden(f"dpt_{name}_io")
    features = [(cls.to(gpu), grid.to(gpu)) for cls, grid in golden_features(io)]
    for task, tolerance in (("depth", 2e-5), ("normals", 1e-5)):
        head = densezero.load_head(GOLDEN / f"dpt_{name}_{task}.npz").to(gpu)
        hw = tuple(int(side) for side in io["size"])
        np.testing.assert_allclose(head(features)[0].cpu(), io[f"{task}_low"], rtol=0, atol=tolerance)
        np.testing.assert_allclose(head(features, hw)[0].cpu(), io[task], rtol=0, atol=tolerance)


@each_gpu
@pytest.mark.parametrize("name", ["a", "b"])
def test_labels_equal_the_reference(golden, gpu, name):
    io = golden(f"dpt_{name}_io")
    features = [(cls.to(gpu), grid.to(gpu)) for cls, grid in golden_features(io)]
    head = densezero.load_head(GOLDEN / f"dpt_{name}_segmentation.npz").to(gpu)
    labels = head.labels(features, io["segmentation_labels"].shape)[0].cpu().numpy()
    certain = io["segmentation_margin"] > 1e-3
    assert np.array_equal(labels[certain], io["segmentation_labels"][certain])


@each_gpu
def test_a_predictor_follows_its_encoder_to_another_device(gpu):
    image = np.random.default_rng(0).integers(0, 256, (45, 63, 3), dtype=np.uint8)
    predictor = DensePredictor(small_encoder(), [small_head(task) for task in TASKS], side_px=56)
    expected = predictor.predict(image)
    predictor.encoder.to(gpu)
    found = predictor.predict(image)
    np.testing.assert_allclose(found.depth, expected.depth, rtol=0, atol=1e-3)
    np.testing.assert_allclose(found.normals, expected.normals, rtol=0, atol=1e-3)
    assert (found.labels == expected.labels).mean() > 0.99
