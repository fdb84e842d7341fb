import json

import numpy as np
import pytest
import torch
from safetensors import safe_open

import densezero
from densezero.errors import FeatureError, InputError, ModelError, OutputError
from densezero.features import encode_grid
from densezero.jobs.feature_settings import FeaturesSettings, GridChoice, SimilaritySettings
from densezero.jobs.features import write_features
from densezero.jobs.similarity import draw_similarity, text_similarity
from tests.jobs.photos import read_labels, write_scenes

QUICK = {"model": "nano", "grid": GridChoice(side=10), "dtype": "float32"}


@pytest.fixture
def photos(tmp_path):
    return write_scenes(tmp_path / "in", ["a.png", "b.png"])


@pytest.mark.parametrize("suffix", [".png", ".pdf", ".svg"])
def test_words_are_drawn_the_same_each_time(photos, tmp_path, suffix):
    asked = SimilaritySettings(photos / "a.png", tmp_path / f"x{suffix}", ("sky", "sea"), width_mm=80.0, **QUICK)
    draw_similarity(asked)
    first = asked.out.read_bytes()
    draw_similarity(asked)
    assert asked.out.read_bytes() == first


def test_points_and_words_share_a_figure_on_scales_of_their_own(photos, tmp_path):
    out = tmp_path / "x.png"
    with pytest.raises(InputError, match="add --each"):
        SimilaritySettings(photos / "a.png", out, ("sky",), ((3, 3),), **QUICK)
    draw_similarity(SimilaritySettings(photos / "a.png", out, ("sky",), ((3, 3),), each=True, **QUICK))
    assert read_labels(out).shape[1] > 2000


def test_cosines_with_words_by_hand():
    planes = text_similarity(torch.tensor([[[3.0, 0.0], [1.0, 1.0]]]), torch.tensor([[0.0, 2.0]]))
    assert np.allclose(planes, [[[0, 0.5**0.5]]])
    assert text_similarity(torch.ones(1, 1, 2), torch.empty(0, 2)) == []


def test_requests_that_cannot_be_met_are_refused(photos, tmp_path):
    image, out = photos / "a.png", tmp_path / "x.png"
    with pytest.raises(InputError, match="got neither"):
        SimilaritySettings(image, out, **QUICK)
    with pytest.raises(InputError, match="empty"):
        SimilaritySettings(image, out, (" ",), **QUICK)
    with pytest.raises(OutputError, match=r"ending in .png"):
        SimilaritySettings(image, tmp_path / "x.gif", ("sky",), **QUICK)
    with pytest.raises(FeatureError, match="64 x 48 pixels; got 64,3"):
        draw_similarity(SimilaritySettings(image, out, points=((64, 3),), **QUICK))
    with pytest.raises(InputError, match=r"none\.png"):
        draw_similarity(SimilaritySettings(photos / "none.png", out, ("sky",), **QUICK))
    assert not out.exists()


def test_an_encoder_without_words_says_so_and_still_compares_patches(photos, tmp_path):
    pytest.importorskip("timm")
    asked = {**QUICK, "model": "timm:vit_tiny_patch16_224/random", "readout": "patch"}
    with pytest.raises(ModelError, match="knows no words"):
        draw_similarity(SimilaritySettings(photos / "a.png", tmp_path / "x.png", ("sky",), **asked))
    draw_similarity(SimilaritySettings(photos / "a.png", tmp_path / "x.png", points=((3, 3),), **asked))
    assert (tmp_path / "x.png").is_file()


@pytest.mark.parametrize(("form", "half"), [("npz", False), ("safetensors", False), ("npz", True)])
def test_grids_are_written_as_they_are_encoded(photos, tmp_path, form, half):
    out = tmp_path / "out"
    summary = write_features(FeaturesSettings((photos,), out, form=form, half=half, **QUICK))
    assert summary.done == 2
    if form == "npz":
        with np.load(out / "a.npz", allow_pickle=False) as file:
            grid, about = file["features"], json.loads(str(file["about"]))
    else:
        with safe_open(out / "a.safetensors", "np") as file:
            grid, about = file.get_tensor("features"), json.loads(file.metadata()["about"])
    encoder = densezero.load_encoder("nano", dtype="float32")
    expected = encode_grid(encoder, densezero.read_rgb(photos / "a.png"), "patch", 10).numpy()
    assert grid.dtype == (np.float16 if half else np.float32)
    assert np.array_equal(grid, expected.astype(grid.dtype))
    assert about["image_hw"] == [48, 64]
    assert about["input_hw"] == [8 * 14, 10 * 14]
    assert about["weights_sha256"] == encoder.weights_hash
    assert write_features(FeaturesSettings((photos,), out, form=form, half=half, **QUICK)).skipped == 2


def test_the_long_side_may_be_given_in_pixels(photos, tmp_path):
    write_features(FeaturesSettings((photos,), tmp_path, model="nano", grid=GridChoice(side_px=100), dtype="float32"))
    with np.load(tmp_path / "a.npz") as file:
        assert file["features"].shape == (5, 7, 128)  # 100 / 14 is 7.1


def test_a_grid_below_one_patch_and_an_unknown_format_are_refused(photos, tmp_path):
    for change in ({"side": 0}, {"side_px": 0}, {"window_side": -1}):
        with pytest.raises(FeatureError, match="at least 1"):
            GridChoice(**change)
    with pytest.raises(FeatureError, match="Did you mean 'npz'"):
        FeaturesSettings((photos,), tmp_path, form="npy")
