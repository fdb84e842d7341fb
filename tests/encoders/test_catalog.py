"""Models by name: what is known of them, and what becomes of a name or a path."""

import json
import subprocess
import sys

import pytest
import torch

import densezero
from densezero.encoders import DEFAULT_MODEL, MODELS, find_model
from densezero.encoders.catalog import NANO_NOTE
from densezero.encoders.download import describe_model, download_model
from densezero.encoders.hub import fetch_repository
from densezero.errors import ModelError
from tests.conftest import ROOT
from tests.encoders.towers import small_pair, write_folder, write_pair

NANO = ROOT / "densezero" / "encoders" / "nano" / "model.safetensors"


def test_every_name_is_its_own_entry_and_the_default_is_among_them():
    assert all(entry.name == name for name, entry in MODELS.items())
    assert DEFAULT_MODEL == "tipsv2-l14"
    assert {name for name, entry in MODELS.items() if entry.repository} == {
        f"tipsv2-{size}" for size in ("b14", "l14", "so400m14", "g14")
    }
    assert all(entry.repository == f"google/{name}" for name, entry in MODELS.items() if entry.repository)


@pytest.mark.parametrize(
    ("given", "nearest"),
    [("tipsv2-l", "tipsv2-l14"), ("TIPSv2-B14", "tipsv2-b14"), ("nanno", "nano"), ("tips-g", "tips-g14")],
)
def test_an_unknown_name_is_refused_with_the_nearest_and_all(given, nearest):
    for refuse in (find_model, densezero.load_encoder, describe_model):
        with pytest.raises(ModelError) as caught:
            refuse(given)
        assert repr(given) in str(caught.value)
        assert f"Did you mean {nearest!r}?" in str(caught.value)
        assert all(name in str(caught.value) for name in MODELS)


@pytest.mark.parametrize("path", ["models/gone", "gone_vision.npz", "x" * 5000, "nul\0byte", "a\nb"])
def test_a_path_that_is_nothing_is_refused(path):
    for refuse in (densezero.load_encoder, describe_model):
        with pytest.raises(ModelError, match="Expected"):
            refuse(path)


def test_a_model_that_is_published_as_files_says_which_and_where(own_cache):
    entry = find_model("tips-b14")
    for attempt in (lambda: densezero.load_encoder("tips-b14"), lambda: download_model(entry)):
        with pytest.raises(ModelError) as caught:
            attempt()
        for part in ("tips_oss_b14_highres_distilled", "tokenizer.model", str(own_cache / "models" / "tips-b14")):
            assert part in str(caught.value)


def test_a_pair_put_into_its_folder_is_found_by_the_models_name(own_cache, tokenizer_file):
    folder = own_cache / "models" / "tips-b14"
    folder.mkdir(parents=True)
    write_pair(folder, small_pair(), tokenizer_file, stem="tips_oss_b14_highres_distilled")
    encoder = densezero.load_encoder("tips-b14", "cpu", "float32")
    assert encoder.name == "tips-b14"
    assert encoder.note is None
    facts = describe_model("tips-b14")
    assert (facts["here"], facts["width"], facts["native side"]) == ("yes", "24", "56 px")
    assert facts["sha256"] == encoder.weights_hash


def test_a_model_that_is_not_here_is_described_without_its_sizes(monkeypatch, tmp_path):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    facts = describe_model("tipsv2-l14")
    assert facts["here"] == "no"
    assert facts["repository"] == "google/tipsv2-l14"
    assert "width" not in facts


@pytest.mark.parametrize("write", [write_pair, write_folder])
def test_files_are_described_by_their_sizes(tmp_path, tokenizer_file, write):
    facts = describe_model(str(write(tmp_path, small_pair("swiglu"), tokenizer_file)))
    assert facts["vision"] == "2 blocks, 2 heads, swiglu of width 48"
    assert facts["text"] == "2 blocks, 2 heads, 512 pieces"
    assert facts["temperature"] == "0.012500"
    assert facts["patch"] == "14 px"


@pytest.mark.skipif(not NANO.exists(), reason="the embedded model is not in this checkout")
def test_nano_is_in_the_package_and_says_what_it_is():
    encoder = densezero.load_encoder("nano", "cpu", "float32")
    assert encoder.note == NANO_NOTE
    assert "tipsv2-l14" in encoder.note
    assert encoder.encode_dense(torch.rand(1, 3, 30, 28)).shape == (1, 3, 2, encoder.width)
    assert encoder.encode_text(["sky", "boat"]).shape == (2, encoder.width)
    assert "nothing to download" in download_model(find_model("nano"))
    assert describe_model("nano")["here"] == "yes"


def test_a_folder_in_the_working_directory_does_not_hide_a_model(tmp_path, monkeypatch):
    (tmp_path / "tips-b14").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModelError, match="published as files"):
        densezero.load_encoder("tips-b14")


def test_offline_nothing_is_asked_of_the_hub(monkeypatch, tmp_path):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(ModelError, match="google/tipsv2-g14 is not complete in the cache") as caught:
        fetch_repository("google/tipsv2-g14")
    assert "HF_HUB_OFFLINE is set" in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_the_catalog_is_read_without_torch():
    code = "import sys, densezero.encoders.catalog, json; print(json.dumps('torch' in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert json.loads(done.stdout) is False
