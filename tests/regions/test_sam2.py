"""The published weights cannot be had offline: a tiny random SAM 2 goes the whole way, and a stand-in gives masks."""

import json
from functools import partial

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from densezero.encoders.device import plain_torch
from densezero.errors import ModelError
from densezero.jobs.segment import segment_images
from densezero.regions import sam2
from densezero.regions.open import open_regions
from tests.cli.test_commands import run
from tests.jobs.photos import read_labels, settings, write_scenes
from tests.regions.sam2_models import write_tiny_sam2

CPU = torch.device("cpu")


class StandIn:
    """Gives two masks for any image: all of it, and its left half; and one without a pixel."""

    def __init__(self, seed=0):
        self.model = torch.nn.Linear(2, 2)
        torch.nn.init.constant_(self.model.weight, seed)
        torch.nn.init.zeros_(self.model.bias)
        self.seen = []

    def __call__(self, image):
        self.seen.append(np.array(image))
        whole = torch.ones(image.height, image.width, dtype=torch.bool)
        left = whole.clone()
        left[:, image.width // 2 :] = False
        return {"masks": [left, whole, torch.zeros_like(whole)], "scores": torch.ones(3)}


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return write_tiny_sam2(tmp_path_factory.mktemp("sam") / "tiny")


@pytest.fixture
def folder(tmp_path):
    return write_scenes(tmp_path / "in", ["a.png", "b.png"])


def test_each_mask_gets_one_label(folder, tmp_path, monkeypatch):
    generator = StandIn()
    monkeypatch.setattr(sam2, "load_generator", lambda name, device: generator)
    summary = segment_images(settings(folder, tmp_path / "out", regions="sam2"))
    assert (summary.done, summary.failed) == (2, 0)
    labels = read_labels(tmp_path / "out" / "labels" / "a.png")
    assert len(np.unique(labels[:, :32])) == len(np.unique(labels[:, 32:])) == 1
    assert [image.shape for image in generator.seen] == [(48, 64, 3)] * 2
    regions = json.loads((tmp_path / "out" / "run.json").read_text())["request"]["regions"]
    assert regions["model"] == "facebook/sam2.1-hiera-small"
    assert len(regions["weights"]) == 64


def test_other_weights_or_another_name_are_another_request(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(sam2, "load_generator", lambda name, device: StandIn())
    segment_images(settings(folder, tmp_path / "out", regions="sam2"))
    assert segment_images(settings(folder, tmp_path / "out", regions="sam2")).skipped == 2
    with pytest.raises(Exception, match="these differ: regions"):
        segment_images(settings(folder, tmp_path / "out", regions="sam2:other"))
    monkeypatch.setattr(sam2, "load_generator", lambda name, device: StandIn(seed=1))
    with pytest.raises(Exception, match=r"these differ: regions\.weights"):
        segment_images(settings(folder, tmp_path / "out", regions="sam2"))


@pytest.mark.parametrize(
    ("given", "name"), [("sam2", "facebook/sam2.1-hiera-small"), ("sam2:a/b", "a/b"), ("sam2:C:/x", "C:/x")]
)
def test_the_name_follows_a_colon(given, name):
    assert open_regions(given, (), print).name == name


def test_a_real_model_of_random_weights_is_loaded_and_used(folder, tmp_path, tiny):
    outcome = run(
        "segment", str(folder), "--classes", "sky, grass, sea", "--model", "nano", "--templates", "plain",
        "--short-side", "56", "--device", "cpu", "--regions", f"sam2:{tiny}", "--out", str(tmp_path / "out"),
    )  # fmt: skip
    assert outcome.exit_code == 0, outcome.stderr
    assert outcome.stdout.startswith("2 written")


def test_its_masks_become_regions(tiny):
    with plain_torch(inference=False):
        generator = sam2.load_generator(str(tiny), CPU)
    assert {parameter.dtype for parameter in generator.model.parameters()} == {torch.float32}
    rgb = np.random.default_rng(0).integers(0, 255, (60, 90, 3), np.uint8)
    source = sam2.Sam2Regions((), str(tiny))
    source._generate = partial(generator, pred_iou_thresh=-10.0, stability_score_thresh=-1.0)  # random masks are poor
    from densezero.engine.segmenter import Prepared

    regions = source.complete(Prepared((60, 90), rgb), rgb).regions
    assert regions.shape == (60, 90)
    assert regions.max() >= 1


def test_its_hash_is_that_of_the_weights(tmp_path, tiny):
    other = write_tiny_sam2(tmp_path / "other", seed=1)
    requests = [sam2.Sam2Regions((), str(name)).start(CPU)["regions"]["weights"] for name in (tiny, tiny, other)]
    assert requests[0] == requests[1] != requests[2]


def test_offline_a_model_that_is_not_in_the_cache_is_a_sentence(folder, tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(ModelError, match=r"facebook/sam2.1-hiera-small .* HF_HUB_OFFLINE is set") as raised:
        segment_images(settings(folder, tmp_path / "out", regions="sam2"))
    assert "\n" not in str(raised.value)
    assert not (tmp_path / "out" / "labels").exists()


@pytest.mark.parametrize("content", [None, "{}", '{"model_type": "bert"}'])
def test_a_folder_that_is_no_mask_generator_is_a_sentence(tmp_path, content):
    if content is not None:
        (tmp_path / "config.json").write_text(content)
    with pytest.raises(ModelError, match="as a mask generator"):
        sam2.load_generator(str(tmp_path), CPU)


def test_a_pickle_is_never_loaded(tmp_path, tiny):
    for file in tiny.iterdir():
        if file.suffix == ".json":
            (tmp_path / file.name).write_bytes(file.read_bytes())
    torch.save(load_file(tiny / "model.safetensors"), tmp_path / "pytorch_model.bin")
    with pytest.raises(ModelError, match="cannot be loaded"):
        sam2.load_generator(str(tmp_path), CPU)
