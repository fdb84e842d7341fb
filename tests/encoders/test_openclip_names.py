"""What becomes of the names ``open_clip:...``, without any network."""

import logging
import sys

import pytest
import torch
from safetensors.torch import save_file

import densezero
from densezero.encoders import hub, openclip
from densezero.encoders.download import describe_model, download_by_name
from densezero.encoders.openclip import _load_tokenizer, _Parts, describe_openclip, load_openclip
from densezero.encoders.readouts import READOUTS
from densezero.errors import ModelError

open_clip = pytest.importorskip("open_clip")

SMALL = {
    "embed_dim": 24,
    "vision_cfg": {"image_size": 56, "patch_size": 14, "width": 32, "layers": 2, "head_width": 16},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 1},
}
NAME = "open_clip:ViT-B-32/random"


@pytest.fixture
def small(monkeypatch):
    """open_clip's ViT-B-32 shrunk, so that it is built in a moment."""
    monkeypatch.setitem(open_clip.factory._MODEL_CONFIGS, "ViT-B-32", SMALL)
    return NAME


def refusal(name):
    with pytest.raises(ModelError) as caught:
        load_openclip(name, "cpu", "float32")
    return str(caught.value)


def test_random_weights_are_the_same_each_time_and_disturb_nobody(small):
    torch.manual_seed(11)
    expected = torch.rand(3)
    torch.manual_seed(11)
    encoder = densezero.load_encoder(small, "cpu", "float32")
    assert torch.equal(torch.rand(3), expected)
    assert encoder.weights_hash == load_openclip(small, "cpu", "float32").weights_hash
    assert (encoder.name, encoder.width) == (NAME, 24)
    assert "mean nothing" in encoder.note
    assert encoder.encode_text(["sky", "boat"]).shape == (2, 24)


def test_the_whole_way_from_an_image_to_labels(small):
    import numpy as np

    segmenter = densezero.Segmenter(densezero.load_encoder(small, "cpu", "float32"), ["sky", "grass"])
    assert segmenter.segment(np.zeros((60, 80, 3), np.uint8)).labels.shape == (60, 80)


def test_logging_of_the_process_is_left_alone(small, monkeypatch):
    monkeypatch.setattr(logging.root, "handlers", [])
    load_openclip(small, "cpu", "float32").encode_text(["sky"])
    assert logging.root.handlers == []


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("open_clip:vit-b-16-siglip3/random", ("'ViT-B-16-SigLIP'", "There are")),
        ("open_clip:ViT-B-32", ("openai", "laion2b_s34b_b79k", "random: untrained", ".safetensors")),
        ("open_clip:ViT-B-32/open_ai", ("Did you mean 'openai'?",)),
        ("open_clip:ViT-B-32/weights/model.pt", (".safetensors", "pickle")),
        ("open_clip:ViT-B-32/weights/gone.safetensors", ("weights/gone.safetensors", "no such file")),
        ("open_clip:", ("open_clip has no model",)),
    ],
)
def test_a_name_that_cannot_be_used_says_what_can(name, parts):
    message = refusal(name)
    assert all(part in message for part in parts), message
    assert len(message) < 900


def test_a_local_file_is_loaded_and_a_wrong_one_refused(small, tmp_path):
    encoder = load_openclip(small, "cpu", "float32")
    state = {name: value.clone() for name, value in encoder._model.state_dict().items()}
    state["logit_scale"] += 1
    save_file(state, tmp_path / "own.safetensors")
    loaded = load_openclip(f"open_clip:ViT-B-32/{tmp_path}/own.safetensors", "cpu", "float32")
    assert loaded.temperature == pytest.approx(encoder.temperature / torch.e)
    assert loaded.note is None
    (tmp_path / "damaged.safetensors").write_bytes(b"no weights")
    assert "cannot be loaded" in refusal(f"open_clip:ViT-B-32/{tmp_path}/damaged.safetensors")


def test_a_tag_that_was_trained_with_the_quick_activation_gets_it(monkeypatch):
    asked = {}

    def create_model(model, **settings):
        asked[model, settings["pretrained"]] = settings["force_quick_gelu"]
        raise RuntimeError("asked enough")

    monkeypatch.setattr(open_clip, "create_model", create_model)
    monkeypatch.setattr(openclip, "offline_if_unreachable", openclip.nullcontext)
    refusal("open_clip:ViT-B-32/openai")
    refusal("open_clip:ViT-B-32/laion2b_s34b_b79k")
    assert asked == {("ViT-B-32", "openai"): True, ("ViT-B-32", "laion2b_s34b_b79k"): False}


def test_nothing_is_unpickled(monkeypatch):
    """open_clip's default: a pickle is read with torch's weights_only."""
    import inspect

    assert inspect.signature(open_clip.create_model).parameters["weights_only"].default is True


@pytest.mark.parametrize("tag", ["openai", "laion2b_s34b_b79k"])
def test_without_the_network_the_refusal_comes_at_once_and_says_what_to_do(monkeypatch, tmp_path, tag):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    message = refusal(f"open_clip:ViT-B-32/{tag}")
    for part in ("cannot be loaded", f"models download open_clip:ViT-B-32/{tag}", "open_clip:ViT-B-32/random"):
        assert part in message


def test_without_the_library_the_refusal_says_how_to_repair_the_installation(monkeypatch):
    monkeypatch.setitem(sys.modules, "open_clip", None)
    for refuse in (load_openclip, describe_openclip, densezero.load_encoder):
        with pytest.raises(ModelError) as caught:
            refuse(NAME)
        assert "pip install --upgrade densezero open-clip-torch" in str(caught.value)


@pytest.mark.slow
def test_untrained_siglip2_runs_without_its_tokenizer_which_is_a_download(monkeypatch, tmp_path):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    encoder = load_openclip("open_clip:ViT-B-16-SigLIP2/random", "cpu", "float32")
    assert encoder.encode_dense(torch.rand(1, 3, 32, 48)).shape == (1, 2, 3, 768)
    assert (encoder.patch_px, encoder.native_px, encoder.readouts) == (16, 224, tuple(READOUTS))
    assert encoder._mean.flatten().tolist() == [0.5, 0.5, 0.5]
    texts = encoder.encode_text(["sky", "a red house"])  # untrained, so any split will do
    assert texts.shape == (2, 768)
    assert not torch.equal(texts[0], texts[1])


def test_trained_weights_insist_on_their_own_tokenizer(monkeypatch):
    def gone(model):
        raise OSError("no network")

    monkeypatch.setattr("open_clip.get_tokenizer", gone)
    encoder = load_openclip(NAME, "cpu", "float32")
    monkeypatch.setattr(encoder, "_load_tokenizer", lambda: _load_tokenizer(_Parts("ViT-B-32", "openai")))
    with pytest.raises(ModelError, match="tokenizer of open_clip:ViT-B-32/random cannot be loaded"):
        encoder.encode_text(["sky"])


def test_clips_own_b32_runs_under_its_real_name():
    encoder = load_openclip(NAME, "cpu", "float32")
    assert encoder.encode_dense(torch.rand(1, 3, 64, 96)).shape == (1, 2, 3, 512)
    assert encoder.encode_text(["sky"]).shape == (1, 512)


def test_a_model_is_described_and_downloaded_by_its_name(small, monkeypatch, tmp_path):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    facts = describe_model("open_clip:ViT-B-32/openai")
    assert facts["repository"] == "timm/vit_base_patch32_clip_224.openai"
    assert facts["here"] == "no"
    assert "laion2b_s34b_b79k" in facts["other tags"]
    random = describe_model(small)
    assert (random["patch"], random["words"]) == ("14 px", "yes")
    assert "q-q-bare" in random["read-outs"]
    assert "nothing to download" in download_by_name(small)
    with pytest.raises(ModelError, match="cannot be loaded"):
        download_by_name("open_clip:ViT-B-32/openai")
    assert describe_model("timm:vit_small_patch14_dinov2")["here"] == "no"
    for unknown in ("open_clip:ViT-B-99/random", "timm:vit_none/random"):
        for refuse in (describe_model, download_by_name):
            with pytest.raises(ModelError, match="has no model"):
                refuse(unknown)


def test_other_libraries_look_in_the_cache_alone_where_the_hub_is_silent(monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    with hub.offline_if_unreachable():  # the network of tests is blocked
        assert constants.HF_HUB_OFFLINE
    assert not constants.HF_HUB_OFFLINE
    monkeypatch.setattr(hub, "_answers", lambda: True)
    with hub.offline_if_unreachable():
        assert not constants.HF_HUB_OFFLINE
