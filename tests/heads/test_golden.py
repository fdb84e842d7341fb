"""The official decoders' numbers, on small random weights in the published layout; b has an odd grid."""

import shutil

import numpy as np
import pytest
import torch

import densezero
from tests.conftest import GOLDEN, SHARED, callers_torch_settings
from tests.heads.fakes import golden_features

CASES = ("a", "b")
TOLERANCE = {"depth": 2e-5, "normals": 1e-5}


def size_of(io):
    return tuple(int(side) for side in io["size"])


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("task", TOLERANCE)
def test_depth_and_normals_equal_the_reference(golden, name, task):
    io = golden(f"dpt_{name}_io")
    head = densezero.load_head(GOLDEN / f"dpt_{name}_{task}.npz")
    features, hw = golden_features(io), size_of(io)
    assert head.task == task
    np.testing.assert_allclose(head(features)[0], io[f"{task}_low"], rtol=0, atol=TOLERANCE[task])
    np.testing.assert_allclose(head(features, hw)[0], io[task], rtol=0, atol=TOLERANCE[task])


@pytest.mark.parametrize("name", CASES)
def test_segmentation_equals_the_reference(golden, name):
    io = golden(f"dpt_{name}_io")
    head = densezero.load_head(GOLDEN / f"dpt_{name}_segmentation.npz", "segmentation")
    features, hw = golden_features(io), size_of(io)
    logits = head(features)[0]
    # The file in this repository keeps every fourth row and column, to be small.
    np.testing.assert_allclose(logits[:, ::4, ::4], io["segmentation_low"], rtol=0, atol=1e-4)
    certain = io["segmentation_margin"] > 1e-3
    assert certain.mean() > 0.99
    for labels in (head.labels(features, hw)[0], head(features, hw)[0].argmax(0)):
        assert labels.shape == hw
        assert np.array_equal(labels.numpy()[certain], io["segmentation_labels"][certain])


@pytest.mark.parametrize("name", CASES)
def test_every_logit_equals_the_reference(name):
    file = SHARED / "reference" / "golden" / f"dpt_{name}_io.npz"
    if not file.exists():
        pytest.skip("the whole reference file is not beside this checkout")
    with np.load(file) as io:
        logits = densezero.load_head(GOLDEN / f"dpt_{name}_segmentation.npz")(golden_features(io))
        np.testing.assert_allclose(logits[0], io["segmentation_low"], rtol=0, atol=1e-4)


def test_a_callers_torch_settings_do_not_change_what_is_loaded(golden):
    features = golden_features(golden("dpt_b_io"))
    expected = densezero.load_head(GOLDEN / "dpt_b_normals.npz")(features)
    with callers_torch_settings():
        found = densezero.load_head(GOLDEN / "dpt_b_normals.npz")(features)
    assert torch.equal(found, expected)


def test_a_file_published_as_zip_is_the_same(tmp_path, golden):
    zipped = tmp_path / "tips_v2_b14_depth_dpt_pytorch.zip"
    shutil.copy(GOLDEN / "dpt_b_depth.npz", zipped)
    features = golden_features(golden("dpt_b_io"))
    expected = densezero.load_head(GOLDEN / "dpt_b_depth.npz")(features)
    assert torch.equal(densezero.load_head(zipped)(features), expected)
    assert torch.equal(densezero.load_head(tmp_path, "depth")(features), expected)
