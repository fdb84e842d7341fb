import json

import numpy as np
import pytest
from safetensors import safe_open

from densezero.encoders.catalog import load_encoder
from densezero.errors import ModelError, OutputError
from densezero.features import encode_grid
from densezero.features.choices import GridChoice
from densezero.features.encoder_cache import EncoderCache
from densezero.jobs.features.grids import write_features
from densezero.jobs.features.settings import FeaturesSettings
from tests.jobs.photos import Recorder, read_labels, write_scenes


def request(inputs, out, **changes):
    inputs = inputs if isinstance(inputs, tuple) else (inputs,)
    return FeaturesSettings(inputs, out, **{"model": "nano", "grid": GridChoice(8), "dtype": "float32", **changes})


def read_grid(file):
    """The grid and what is told about it; no pickle is read."""
    if file.suffix == ".npz":
        with np.load(file, allow_pickle=False) as arrays:
            return arrays["features"], json.loads(str(arrays["about"]))
    with safe_open(str(file), "np") as stored:
        return stored.get_tensor("features"), json.loads(stored.metadata()["about"])


@pytest.fixture
def folder(tmp_path):
    return write_scenes(tmp_path / "in", ["a.png", "sub/b.png"])


def grid_of(folder, readout="patch"):
    return encode_grid(load_encoder("nano", dtype="float32"), read_labels(folder / "a.png"), readout, 8).numpy()


@pytest.mark.parametrize("form", ["npz", "safetensors"])
@pytest.mark.parametrize("readout", ["patch", "value"])
def test_a_grid_is_what_the_encoder_gives(tmp_path, folder, form, readout):
    summary = write_features(request(folder, tmp_path / "out", form=form, readout=readout))
    assert (summary.done, summary.failed, summary.skipped) == (2, 0, 0)
    grid, about = read_grid(tmp_path / "out" / f"a.{form}")
    expected = grid_of(folder, readout)
    assert grid.dtype == np.float32
    assert grid.shape == expected.shape
    assert grid.shape[:2] == (6, 8)
    assert np.array_equal(grid, expected)
    assert about == {
        "model": "nano",
        "weights_sha256": load_encoder("nano").weights_hash,
        "readout": readout,
        "image_hw": [48, 64],
        "input_hw": [84, 112],
        "patch_px": 14,
    }
    assert (tmp_path / "out" / "sub" / f"b.{form}").is_file()


@pytest.mark.parametrize("form", ["npz", "safetensors"])
def test_half_is_the_grid_rounded_to_half_precision(tmp_path, folder, form):
    write_features(request(folder, tmp_path / "out", form=form, half=True))
    grid, _ = read_grid(tmp_path / "out" / f"a.{form}")
    assert grid.dtype == np.float16
    assert np.array_equal(grid, grid_of(folder).astype(np.float16))


def test_features_too_large_for_half_precision_are_refused_by_name(tmp_path, folder, monkeypatch):
    real = EncoderCache.encode
    monkeypatch.setattr(EncoderCache, "encode", lambda self, source, rgb: real(self, source, rgb) * 1e9)
    recorder = Recorder()
    summary = write_features(request(folder, tmp_path / "out", half=True), recorder)
    assert (summary.done, summary.failed) == (0, 2)
    assert all("Run without --half" in progress.error for progress in recorder.images)
    assert "a.png" in recorder.images[0].error


@pytest.mark.parametrize("form", ["npz", "safetensors"])
def test_two_runs_write_the_same_bytes(tmp_path, folder, form):
    for name in ("one", "two"):
        write_features(request(folder, tmp_path / name, form=form))
    first, second = ((tmp_path / name / f"a.{form}").read_bytes() for name in ("one", "two"))
    assert first == second


def test_a_second_run_does_only_what_is_missing_and_another_request_is_refused(tmp_path, folder):
    out = tmp_path / "out"
    write_features(request(folder, out))
    (out / "a.npz").unlink()
    summary = write_features(request(folder, out))
    assert (summary.done, summary.skipped) == (1, 1)
    with pytest.raises(OutputError, match=r"another request.*half.*--overwrite"):
        write_features(request(folder, out, half=True))
    assert write_features(request(folder, out, half=True, overwrite=True)).done == 2


def test_broken_files_are_named_and_the_rest_is_written(tmp_path, folder):
    (folder / "broken.jpg").write_text("no picture")
    recorder = Recorder()
    summary = write_features(request(folder, tmp_path / "out"), recorder)
    assert (summary.done, summary.failed) == (2, 1)
    assert [progress.relative for progress in recorder.images if progress.error] == ["broken.jpg"]


def test_a_side_in_pixels_and_windows_choose_the_grid(tmp_path, folder):
    write_features(request(folder, tmp_path / "side", grid=GridChoice(side_px=112)))
    grid, _ = read_grid(tmp_path / "side" / "a.npz")
    assert np.array_equal(grid, grid_of(folder))
    write_features(request(folder, tmp_path / "windows", grid=GridChoice(8, window_side=4)))
    blended, _ = read_grid(tmp_path / "windows" / "a.npz")
    assert blended.shape == grid.shape
    assert not np.array_equal(blended, grid)


def test_two_images_that_would_write_one_file_are_refused(tmp_path):
    folder = write_scenes(tmp_path / "in", ["a.png", "a.jpg"])
    with pytest.raises(OutputError, match=r"a\.jpg.*a\.png|a\.png.*a\.jpg"):
        write_features(request(folder, tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_unknown_names_give_the_nearest(tmp_path, folder):
    with pytest.raises(ModelError, match="Did you mean 'nano'"):
        write_features(request(folder, tmp_path / "out", model="nan0"))
    with pytest.raises(ModelError, match="Did you mean 'patch'"):
        write_features(request(folder, tmp_path / "out", readout="pathc"))
