"""The hub's client against a stand-in on the loopback address, from the command line, as a user meets it."""

import os
import pty
import shutil
import subprocess
import sys
import termios
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.encoders.hub_server import COMMIT, LARGE, HubServer, large_hash
from tests.encoders.towers import small_pair, write_folder

CONFIG = {"vision_heads": 2, "text_heads": 2, "text_num_heads": 2, "temperature": 0.005, "vision_fn": "vit_base"}
MANY_PIECES = 200_000  # 19 MB: the hub's client writes what it receives in pieces of 10 MB
CHUNK = 10 * 1024 * 1024


@pytest.fixture(scope="module")
def files(tmp_path_factory, tokenizer_file):
    """Content of a repository of the published layout, and small sizes."""
    folder = tmp_path_factory.mktemp("published")
    write_folder(folder, small_pair(vocab_size=MANY_PIECES), tokenizer_file, CONFIG, temperature=None)
    return {name: (folder / name).read_bytes() for name in ("config.json", "tokenizer.model", "model.safetensors")}


@dataclass
class Home:
    """A user's folders, and the command line run in them."""

    folder: Path

    @property
    def blobs(self):
        return self.folder / "hf" / "hub" / "models--google--tipsv2-b14" / "blobs"

    def run(self, *arguments, endpoint, terminal=False, **environment):
        """Run ``densezero``; what it writes to standard error goes through a terminal if that is asked for."""
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "HF_HOME": str(self.folder / "hf"),
            "DENSEZERO_CACHE": str(self.folder / "cache"),
            "HF_ENDPOINT": endpoint,
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "OMP_NUM_THREADS": "1",
            **environment,
        }
        command = [sys.executable, "-m", "densezero", *map(str, arguments)]
        if terminal:
            return _run_at_terminal(command, environment)
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)

    def segment(self, endpoint, **environment):
        Image.fromarray(np.arange(30 * 40 * 3, dtype=np.uint8).reshape(30, 40, 3)).save(self.folder / "photo.png")
        out = self.folder / "out"
        arguments = (
            "--classes",
            "sky, boat",
            "--out",
            out,
            "--device",
            "cpu",
            "--dtype",
            "float32",
            "--save",
            "labels",
        )
        command = ("segment", self.folder / "photo.png", "--model", "tipsv2-b14", *arguments)
        return self.run(*command, endpoint=endpoint, **environment), out / "labels" / "photo.png"


def _run_at_terminal(command, environment):
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, 100))
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=theirs, text=True)
    os.close(theirs)
    shown = b""
    while True:
        try:
            piece = os.read(ours, 65536)
        except OSError:  # how a terminal says that its program has gone
            break
        if not piece:
            break
        shown += piece
    os.close(ours)
    out, _ = process.communicate(timeout=60)
    return subprocess.CompletedProcess(command, process.returncode, out, shown.decode())


@pytest.fixture
def home(tmp_path):
    return Home(tmp_path)


@pytest.fixture(scope="module")
def full_home(tmp_path_factory, files):
    """A home whose cache holds the model."""
    home = Home(tmp_path_factory.mktemp("full"))
    with HubServer(files) as hub:
        done = home.run("models", "download", "tipsv2-b14", endpoint=hub.endpoint)
    assert done.returncode == 0, done.stderr
    return home


@pytest.fixture
def copied_home(tmp_path, full_home):
    shutil.copytree(full_home.folder, tmp_path / "copied", symlinks=True)
    return Home(tmp_path / "copied")


def refusal(done):
    """The one sentence that a failed command ends with."""
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    lines = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1
    assert done.stderr.rstrip().endswith(lines[0])
    return lines[0]


def test_a_cut_download_goes_on_where_it_stopped_and_shows_its_progress(home, files):
    with HubServer(files) as hub:
        hub.cut_after = CHUNK + 5_000_000
        said = refusal(home.run("models", "download", "tipsv2-b14", endpoint=hub.endpoint))
        assert "model.safetensors of google/tipsv2-b14 broke off" in said
        assert "Run the command again" in said
        (part,) = home.blobs.glob("*.incomplete")
        assert part.stat().st_size == CHUNK
        hub.asked.clear()
        done = home.run("models", "download", "tipsv2-b14", endpoint=hub.start().endpoint, terminal=True)
        assert done.returncode == 0, done.stderr
        assert [asked[2] for asked in hub.asked if asked[:2] == ("GET", "/cdn/main/model.safetensors")] == [
            f"bytes={CHUNK}-"
        ]
    assert "model.safetensors" in done.stderr
    assert "100%" in done.stderr
    snapshot = home.blobs.parent / "snapshots" / COMMIT
    assert done.stdout == f"tipsv2-b14 is in {snapshot}\nUse these files with --model {snapshot}\n"
    assert (home.blobs / large_hash(files["model.safetensors"])).read_bytes() == files["model.safetensors"]
    assert not list(home.blobs.glob("*.incomplete"))


def test_a_cached_model_is_used_without_any_request(full_home, files):
    with HubServer(files) as hub:
        done = full_home.run("models", "download", "tipsv2-b14", endpoint=hub.endpoint)
        assert "tipsv2-b14 is already in" in done.stdout
        assert hub.asked == []
    done = full_home.run("models", "download", "tipsv2-b14", endpoint=hub.endpoint)
    assert done.returncode == 0, done.stderr
    done, labels = full_home.segment(hub.endpoint, HF_HUB_OFFLINE="1")
    assert done.returncode == 0, done.stderr
    with Image.open(labels) as image:
        assert image.size == (40, 30)


def test_a_token_goes_to_the_hub_and_not_to_where_it_points(home, files):
    with HubServer(files) as hub:
        done = home.run("models", "download", "tipsv2-b14", endpoint=hub.endpoint, HF_TOKEN="hf_secret")
    assert done.returncode == 0, done.stderr
    assert {(path.startswith("/cdn/"), token) for _, path, _, token in hub.asked} == {
        (False, "Bearer hf_secret"),
        (True, None),
    }


def test_a_file_with_other_bytes_than_announced_is_refused_and_can_be_had_again(home, files):
    damaged = bytearray(files["model.safetensors"])
    damaged[-100] ^= 1
    with HubServer({**files, "model.safetensors": bytes(damaged)}, announced=files) as hub:
        said = refusal(home.run("models", "download", "tipsv2-b14", endpoint=hub.endpoint))
    assert "model.safetensors of google/tipsv2-b14 is damaged" in said
    assert "deleted; run the command again" in said
    assert not list(home.blobs.glob(f"{large_hash(files['model.safetensors'])}*"))
    with HubServer(files) as hub:
        done = home.run("models", "download", "tipsv2-b14", endpoint=hub.endpoint)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", LARGE)
def test_a_cached_file_that_was_changed_is_found_and_deleted(copied_home, files, name):
    blob = copied_home.blobs / large_hash(files[name])
    content = bytearray(files[name])
    content[len(content) // 2] ^= 1
    blob.write_bytes(content)
    done = copied_home.run("models", "download", "tipsv2-b14", endpoint="http://127.0.0.1:9")
    assert f"{name} of google/tipsv2-b14 is damaged" in refusal(done)
    assert not blob.exists()


@pytest.mark.parametrize("size", ["longer", "equal"])
def test_a_left_over_part_with_other_bytes_does_not_stay_in_the_way(home, files, size):
    sha256, length = large_hash(files["model.safetensors"]), len(files["model.safetensors"])
    home.blobs.mkdir(parents=True)
    (home.blobs / f"{sha256}.incomplete").write_bytes(bytes(length + 1 if size == "longer" else length))
    with HubServer(files) as hub:
        if size == "equal":
            assert "is damaged" in refusal(home.run("models", "download", "tipsv2-b14", endpoint=hub.endpoint))
        done = home.run("models", "download", "tipsv2-b14", endpoint=hub.endpoint)
    assert done.returncode == 0, done.stderr


def test_offline_and_not_cached_is_one_sentence_with_ways_out(home):
    done, _ = home.segment("http://127.0.0.1:9", HF_HUB_OFFLINE="1")
    said = refusal(done)
    for part in ("google/tipsv2-b14", "HF_HUB_OFFLINE is set", str(home.folder / "hf" / "hub"), "--model nano"):
        assert part in said


def test_a_hub_out_of_reach_is_one_sentence(home):
    hub = HubServer({}).start()
    hub.stop()
    said = refusal(home.run("models", "download", "tipsv2-b14", endpoint=hub.endpoint))
    for part in ("google/tipsv2-b14", f"{hub.endpoint} cannot be reached", "refused", "--model FOLDER"):
        assert part in said


def test_a_hub_that_does_not_answer_is_asked_once_and_not_for_half_a_minute(home):
    with HubServer({}) as hub:
        hub.drops_all = True
        said = refusal(home.run("models", "download", "tipsv2-b14", endpoint=hub.endpoint))
        assert f"{hub.endpoint} cannot be reached" in said
        assert len(hub.asked) == 1


def test_an_unknown_repository_is_one_sentence(home, files):
    with HubServer(files) as hub:
        done = home.run("models", "download", "tipsv2-l14", endpoint=hub.endpoint)
        said = refusal(done)
    assert f"{hub.endpoint} answered 404 for config.json of google/tipsv2-l14" in said
    assert "HF_ENDPOINT" in said


def test_a_repository_without_one_of_the_files_is_one_sentence(home, files):
    with HubServer({name: content for name, content in files.items() if name != "tokenizer.model"}) as hub:
        said = refusal(home.run("models", "download", "tipsv2-b14", endpoint=hub.endpoint))
    assert "answered 404 for tokenizer.model of google/tipsv2-b14" in said


# Revisions

OTHER_COMMIT = "2e" * 20


@pytest.fixture(scope="module")
def revisions(tmp_path_factory, tokenizer_file):
    """A tag of the repository that holds other weights than its main branch, by its name and by its commit."""
    folder = tmp_path_factory.mktemp("tagged")
    write_folder(folder, small_pair(seed=5), tokenizer_file, CONFIG, temperature=None)
    other = {name: (folder / name).read_bytes() for name in ("config.json", "tokenizer.model", "model.safetensors")}
    return {"v1.0": (OTHER_COMMIT, other), OTHER_COMMIT: (OTHER_COMMIT, other)}


@pytest.mark.parametrize("revision", ["v1.0", OTHER_COMMIT])
def test_a_revision_is_downloaded_beside_the_main_branch_and_then_needs_no_network(home, files, revisions, revision):
    command = ("models", "download", "tipsv2-b14")
    with HubServer(files, revisions=revisions) as hub:
        main = home.run(*command, endpoint=hub.endpoint)
        done = home.run(*command, "--revision", revision, endpoint=hub.endpoint)
        assert done.returncode == 0, done.stderr
        snapshots = home.blobs.parent / "snapshots"
        assert str(snapshots / COMMIT) in main.stdout
        assert f"--model {snapshots / OTHER_COMMIT}" in done.stdout
        model = (snapshots / OTHER_COMMIT / "model.safetensors").read_bytes()
        assert model == revisions[revision][1]["model.safetensors"] != files["model.safetensors"]
        hub.asked.clear()
        again = home.run(*command, "--revision", revision, endpoint=hub.endpoint)
        assert "is already in" in again.stdout
        assert hub.asked == []
    offline = home.run(*command, "--revision", revision, endpoint=hub.endpoint, HF_HUB_OFFLINE="1")
    assert offline.stdout == again.stdout
    info = home.run("models", "info", snapshots / OTHER_COMMIT, endpoint=hub.endpoint)
    assert "2 blocks, 2 heads" in info.stdout


def test_a_revision_that_is_not_cached_is_not_taken_from_another(full_home):
    done = full_home.run(
        "models", "download", "tipsv2-b14", "--revision", "v1.0", endpoint="http://127.0.0.1:9", HF_HUB_OFFLINE="1"
    )
    assert "google/tipsv2-b14 at revision v1.0 is not complete in the cache" in refusal(done)


def test_an_unknown_revision_is_one_sentence(home, files):
    with HubServer(files) as hub:
        done = home.run("models", "download", "tipsv2-b14", "--revision", "v9", endpoint=hub.endpoint)
    said = refusal(done)
    assert "answered 404 for config.json of google/tipsv2-b14 at revision v9" in said
    assert "the revision" in said


def test_python_loads_a_revision(home, files, revisions, monkeypatch):
    import densezero

    with HubServer(files, revisions=revisions) as hub:
        for command in ((), ("--revision", "v1.0")):
            home.run("models", "download", "tipsv2-b14", *command, endpoint=hub.endpoint)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(home.folder / "hf" / "hub"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    encoders = [
        densezero.load_encoder("tipsv2-b14", "cpu", "float32", revision=revision)
        for revision in (None, "main", "v1.0", OTHER_COMMIT)
    ]
    hashes = [encoder.weights_hash for encoder in encoders]
    assert hashes[0] == hashes[1] != hashes[2] == hashes[3]
    assert [encoder.name for encoder in encoders] == ["tipsv2-b14"] * 4


@pytest.mark.parametrize(
    "model", ["nano", "tips-b14", "open_clip:ViT-B-32/openai", "timm:vit_tiny_patch16_224/random", "some/folder"]
)
def test_a_model_without_a_hub_repository_takes_no_revision(model):
    import densezero
    from densezero.encoders.download import download_by_name
    from densezero.errors import ModelError

    refusals = [lambda: densezero.load_encoder(model, revision="v1.0")]
    if model != "some/folder":
        refusals.append(lambda: download_by_name(model, "v1.0"))
    for refuse in refusals:
        with pytest.raises(ModelError, match=r"tipsv2-b14, .* got revision 'v1\.0' for ") as caught:
            refuse()
        assert model in str(caught.value)
        assert "Leave the revision out" in str(caught.value)
