"""``densezero depth``, ``normals`` and ``segment --head`` as a user types them."""

import json
import os
import subprocess
import sys

import pytest
from PIL import Image

from densezero.encoders.catalog import HEAD_MODELS
from densezero.errors import InputError, ModelError
from tests.cli.test_commands import run
from tests.encoders.hub_server import HubServer
from tests.heads.hub_files import write_small_hub
from tests.jobs.photos import write_scenes

COMMON = ("--device", "cpu", "--dtype", "float32")


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return write_small_hub(tmp_path_factory.mktemp("hub") / "small", classes=150)


@pytest.fixture
def folder(tmp_path):
    return write_scenes(tmp_path / "in", ["a.png"])


def test_depth_says_what_was_written_and_takes_the_settings_of_an_earlier_run(tmp_path, folder, model):
    first, again = tmp_path / "one", tmp_path / "two"
    words = ("--model", str(model), "--side", "56", "--also", "normals", "--save", "npz,ply", "--focal", "80", *COMMON)
    outcome = run("depth", str(folder), "--out", str(first), *words)
    assert (outcome.exit_code, outcome.stdout) == (0, f"1 written: {first}\n")
    assert run("depth", str(folder), "--out", str(first), *words).stdout == f"0 written, 1 there already: {first}\n"
    like = ("--like", str(first / "run.json"), "--device", "cpu")
    assert run("depth", str(folder), *like, "--out", str(again)).exit_code == 0
    for name in ("depth/a.npz", "normals/a.npz", "points/a.ply"):
        assert (first / name).read_bytes() == (again / name).read_bytes()
    with pytest.raises(InputError, match="was made by `densezero depth`"):
        run("normals", str(folder), *like, "--out", str(again))


def test_normals_reads_a_list_and_names_what_fails(tmp_path, folder, model):
    (folder / "b.jpg").write_text("no picture")
    (tmp_path / "list.txt").write_text(f"{folder / 'a.png'}\n{folder / 'b.jpg'}\n")
    words = ("--images", str(tmp_path / "list.txt"), "--model", str(model / "model.safetensors"), "--side", "56")
    outcome = run("normals", *words, "--keep-suffix", *COMMON, "--out", str(tmp_path / "out"))
    assert (outcome.exit_code, "b.jpg" in outcome.stderr) == (1, True)
    assert outcome.stdout == f"1 written, 1 failed: {tmp_path / 'out'}\n"
    assert len(list((tmp_path / "out").rglob("a.png.npz"))) == 1


def test_segment_with_a_head_repeats_its_settings(tmp_path, folder, model):
    words = ("segment", str(folder), "--device", "cpu")
    first = run(*words, "--head", "ade20k", "--model", str(model), "--short-side", "56", "--out", str(tmp_path / "one"))
    assert first.exit_code == 0
    assert "150 classes: wall, building, sky" in first.stderr
    run(*words, "--like", str(tmp_path / "one" / "run.json"), "--out", str(tmp_path / "two"))
    assert (tmp_path / "one/labels/a.png").read_bytes() == (tmp_path / "two/labels/a.png").read_bytes()


@pytest.mark.parametrize(
    ("words", "kind", "said"),
    [
        (("depth", "--model", "nano"), ModelError, "nano has no heads"),
        (("segment", "--head", "ade20k", "--model", "nano"), ModelError, "have them: tipsv2-b14"),
        (("segment", "--head", "ade20k", "--classes", "sky"), InputError, "--head without --classes"),
        (("normals", "--preset", "offical"), InputError, "Did you mean 'official'"),
        (("depth", "--also", "segmentatoin"), ModelError, "Did you mean 'segmentation'"),
    ],
)
def test_a_wrong_request_is_one_sentence(tmp_path, folder, words, kind, said):
    with pytest.raises(kind, match=said):
        run(words[0], str(folder), *words[1:], "--out", str(tmp_path / "out"))


def test_the_models_with_heads_are_listed_and_described(model):
    listed = run("models", "list").stdout
    assert all(f"{name} " in listed for name in HEAD_MODELS)
    assert {*HEAD_MODELS} <= {entry["name"] for entry in json.loads(run("models", "list", "--json").stdout)}
    assert "depth, normals, segmentation" in run("models", "info", "tipsv2-b14-dpt").stdout


def test_one_download_serves_encoder_and_heads(tmp_path, folder, model):
    files = {name: (model / name).read_bytes() for name in ("config.json", "model.safetensors")}
    own = {"HOME": str(tmp_path), "HF_HOME": str(tmp_path / "hf"), "DENSEZERO_CACHE": str(tmp_path / "cache")}
    words = (
        "depth",
        str(folder),
        "--model",
        "tipsv2-b14",
        "--side",
        "56",
        "--also",
        "normals",
        *COMMON,
        "--out",
        "out",
    )
    with HubServer(files, repository="google/tipsv2-b14-dpt") as hub:
        environment = {"PATH": os.environ["PATH"], "OMP_NUM_THREADS": "1", "HF_ENDPOINT": hub.endpoint, **own}
        command = [sys.executable, "-m", "densezero", *words]
        done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
        sent = [path for method, path, *_ in hub.asked if method == "GET" and path.startswith("/cdn/")]
    assert (done.returncode, done.stdout) == (0, "1 written: out\n"), done.stderr
    assert sent == ["/cdn/main/model.safetensors"]
    assert json.loads((tmp_path / "out" / "run.json").read_text())["request"]["encoder"] == "tipsv2-b14-dpt"


def test_the_picture_of_depth_can_be_opened(tmp_path, folder, model):
    words = ("--model", str(model), "--side", "56", "--save", "picture", *COMMON)
    assert run("depth", str(folder), *words, "--out", str(tmp_path / "out")).exit_code == 0
    with Image.open(tmp_path / "out" / "depth-pictures" / "a.jpg") as picture:
        assert picture.format == "JPEG"
