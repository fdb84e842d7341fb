"""One repository gives the heads and their encoder: from a stand-in for the hub on the loopback address."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
import torch

import densezero
from densezero.encoders.tips import TipsImageEncoder
from densezero.errors import ModelError
from densezero.heads import DensePredictor
from tests.encoders.hub_server import COMMIT, HubServer, large_hash
from tests.heads.fakes import small_head
from tests.heads.hub_files import TASKS, small_tower, write_small_hub

NAME = "tipsv2-b14-dpt"
PREDICT = """
import json, numpy as np, densezero
from densezero.heads import DensePredictor
encoder = densezero.load_encoder("tipsv2-b14-dpt", "cpu", "float32")
heads = [densezero.load_head("tipsv2-b14", task) for task in ("depth", "normals")]
result = DensePredictor(encoder, heads, side_px=56).predict(np.zeros((30, 40, 3), np.uint8))
limits = float(result.depth.min()), float(result.depth.max())
print(json.dumps([encoder.name, heads[0].name, heads[0].encoder, *limits]))
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_small_hub(tmp_path_factory.mktemp("hub") / NAME)


@pytest.fixture(scope="module")
def files(folder):
    return {name: (folder / name).read_bytes() for name in ("config.json", "model.safetensors")}


def run(home, *arguments, endpoint, **environment):
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "HF_HOME": str(home / "hf"),
        "DENSEZERO_CACHE": str(home / "cache"),
        "HF_ENDPOINT": endpoint,
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "OMP_NUM_THREADS": "1",
        **environment,
    }
    command = [sys.executable, *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)


def blobs(home):
    return home / "hf" / "hub" / f"models--google--{NAME}" / "blobs"


def test_a_folder_gives_the_encoder_and_every_head(folder):
    encoder = densezero.load_encoder(folder, "cpu", "float32")
    assert isinstance(encoder, TipsImageEncoder)
    tower, pixels = small_tower(), torch.rand(1, 3, 56, 70)
    with torch.inference_mode():
        for readout in ("value", "patch"):
            assert torch.equal(encoder.encode_dense(pixels, readout), tower(pixels, readout).grid)
    for task in TASKS:
        loaded, made = densezero.load_head(folder, task).decoder.state_dict(), small_head(task).decoder.state_dict()
        assert loaded.keys() == made.keys()
        assert all(torch.equal(loaded[name], made[name]) for name in made)
    with pytest.raises(ModelError, match=r"hold no text tower\. For class names take the model itself"):
        encoder.encode_text(["sky"])


def test_words_with_an_encoder_without_words_are_refused(folder):
    with pytest.raises(ModelError, match="encodes images only"):
        densezero.Segmenter(densezero.load_encoder(folder, "cpu", "float32"), "sky, grass")


def test_the_file_is_downloaded_once_for_encoder_and_heads_and_then_needs_no_network(tmp_path, files):
    with HubServer(files, repository=f"google/{NAME}") as hub:
        done = run(tmp_path, "-c", PREDICT, endpoint=hub.endpoint)
        assert done.returncode == 0, done.stderr
        sent = [path for method, path, *_ in hub.asked if method == "GET" and path.startswith("/cdn/")]
        assert sent == ["/cdn/main/model.safetensors"]
    name, head, encoder, nearest, farthest = json.loads(done.stdout)
    assert (name, head, encoder) == (NAME, NAME, "tipsv2-b14")
    assert 0.001 < nearest <= farthest < 10
    again = run(tmp_path, "-c", PREDICT, endpoint="http://127.0.0.1:9", HF_HUB_OFFLINE="1")
    assert again.stdout == done.stdout, again.stderr


def test_the_command_downloads_goes_on_and_says_where(tmp_path, files):
    half = len(files["model.safetensors"]) // 2
    blob = blobs(tmp_path) / large_hash(files["model.safetensors"])
    blob.parent.mkdir(parents=True)
    blob.with_name(f"{blob.name}.incomplete").write_bytes(files["model.safetensors"][:half])  # of a cut download
    with HubServer(files, repository=f"google/{NAME}") as hub:
        done = run(tmp_path, "-m", "densezero", "models", "download", NAME, endpoint=hub.endpoint)
        ranges = [asked[2] for asked in hub.asked if asked[0] == "GET" and asked[1].startswith("/cdn/")]
    assert done.returncode == 0, done.stderr
    assert ranges == [f"bytes={half}-"]
    assert f"{NAME} is in {blobs(tmp_path).parent / 'snapshots' / COMMIT}" in done.stdout
    assert blob.read_bytes() == files["model.safetensors"]


def test_a_damaged_download_is_deleted_and_named(tmp_path, files):
    damaged = bytearray(files["model.safetensors"])
    damaged[-100] ^= 1
    with HubServer({**files, "model.safetensors": bytes(damaged)}, files, repository=f"google/{NAME}") as hub:
        done = run(tmp_path, "-m", "densezero", "models", "download", NAME, endpoint=hub.endpoint)
    assert done.returncode == 2
    assert f"model.safetensors of google/{NAME} is damaged" in done.stderr
    assert not list(blobs(tmp_path).glob(f"{large_hash(files['model.safetensors'])}*"))


def test_offline_and_not_cached_says_what_to_do(tmp_path):
    done = run(tmp_path, "-c", PREDICT, endpoint="http://127.0.0.1:9", HF_HUB_OFFLINE="1")
    said = done.stderr.splitlines()[-1]
    for part in (
        f"google/{NAME} is not complete",
        f"densezero models download {NAME}",
        "config.json, model.safetensors",
    ):
        assert part in said


def test_the_encoder_of_a_damaged_file_is_refused(tmp_path, folder):
    from safetensors.torch import load_file, save_file

    tensors = load_file(folder / "model.safetensors")
    name = "backbone.encoder.layer.1.attention.k_proj.weight"
    (tmp_path / "config.json").write_text((folder / "config.json").read_text())
    for change, said in (
        ({name: None}, r"blocks\.1\.attn\.qkv\.weight has shape \(48, 24\)"),
        ({name: torch.ones(24, 23)}, "have shapes"),
        ({"backbone.extra": torch.ones(1)}, "extra is unexpected"),
    ):
        kept = {key: value for key, value in {**tensors, **change}.items() if value is not None}
        save_file(kept, tmp_path / "model.safetensors")
        with pytest.raises(ModelError, match=said):
            densezero.load_encoder(tmp_path, "cpu", "float32")
    (tmp_path / "config.json").write_text('{"backbone_config": {"num_attention_heads": 0}}')
    with pytest.raises(ModelError, match="num_attention_heads"):
        densezero.load_encoder(tmp_path, "cpu", "float32")


def test_a_head_of_the_repository_predicts(folder):
    encoder, head = densezero.load_encoder(folder, "cpu", "float32"), densezero.load_head(folder, "segmentation")
    labels = DensePredictor(encoder, head, side_px=56).predict(np.zeros((20, 30, 3), np.uint8)).labels
    assert labels.shape == (20, 30)
    assert labels.max() < 5
