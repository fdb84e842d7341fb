"""Hashes of models: another one after every change that changes a vector, and the same one otherwise."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch

import densezero
from densezero.encoders import weights
from densezero.encoders.clip_tokenizer import WrappedTokenizer, tokenizer_sha256
from densezero.encoders.openclip import OpenClipEncoder
from densezero.encoders.weights import facts_sha256, weights_sha256
from tests.encoders.test_openclip import small_clip
from tests.encoders.test_timm import encoder_of as timm_encoder_of
from tests.encoders.test_timm import small as small_vit
from tests.encoders.towers import small_pair, write_folder, write_pair

open_clip = pytest.importorskip("open_clip")


def test_facts_are_hashed_by_content_and_scheme(monkeypatch):
    first = facts_sha256({"a": 1, "b": [2, 3]})
    assert first == facts_sha256({"b": [2, 3], "a": 1})
    assert first != facts_sha256({"a": 1, "b": [3, 2]})
    monkeypatch.setattr(weights, "HASH_VERSION", 99)
    assert first != facts_sha256({"a": 1, "b": [2, 3]})


def test_tensors_are_hashed_by_name_shape_type_and_bytes():
    tensor = torch.arange(6, dtype=torch.float32)
    states = [
        {"a": tensor},
        {"b": tensor},
        {"a": tensor.reshape(2, 3)},
        {"a": tensor.to(torch.float64)},
        {"a": tensor + 1},
        {},
    ]
    assert len({weights_sha256(state) for state in states}) == len(states)
    assert weights_sha256({"a": tensor, "b": tensor}) == weights_sha256({"b": tensor.clone(), "a": tensor})


# TIPS


def change_config(folder, **changes):
    file = folder / "config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))


@pytest.mark.parametrize("change", [{"vision_heads": 4}, {"text_heads": 4}])
def test_another_number_of_heads_is_another_tips_model(folder, change):
    first = densezero.load_encoder(folder, "cpu", "float32")
    change_config(folder, **change)
    second = densezero.load_encoder(folder, "cpu", "float32")
    if "text_heads" in change:  # so that the old text vectors would be wrong
        assert not torch.equal(first.encode_text(["a red boat"]), second.encode_text(["a red boat"]))
    assert first.weights_hash != second.weights_hash
    assert first.text_hash != second.text_hash


def test_another_temperature_in_the_configuration_is_another_tips_model(tmp_path, tokenizer_file):
    folder = write_folder(tmp_path, small_pair(), tokenizer_file, temperature=None)
    hashes = []
    for temperature in (0.01, 0.02, 0.01):
        change_config(folder, temperature=temperature)
        hashes.append(densezero.load_encoder(folder, "cpu").weights_hash)
    assert hashes[0] == hashes[2] != hashes[1]


def test_other_keys_of_the_configuration_are_the_same_tips_model(folder):
    first = densezero.load_encoder(folder, "cpu").weights_hash
    change_config(folder, do_normalize=False, img_size=448)
    assert densezero.load_encoder(folder, "cpu").weights_hash == first


@pytest.mark.parametrize("name", ["small_vision.npz", "small_text.npz", "tokenizer.model"])
def test_a_change_in_any_file_of_a_pair_is_another_tips_model(tmp_path, tokenizer_file, name):
    pair = write_pair(tmp_path, small_pair(), tokenizer_file)
    first = densezero.load_encoder(pair, "cpu").weights_hash
    file = pair.with_name(name)
    if name.endswith(".npz"):
        with np.load(file) as arrays:
            changed = {key: value + 1e-3 if key.endswith("bias") else value for key, value in arrays.items()}
        np.savez(file, **changed)
    else:
        file.write_bytes(file.read_bytes() + b"\n\x00")
    assert densezero.load_encoder(pair, "cpu").weights_hash != first


def test_device_and_type_do_not_change_the_hash(folder):
    hashes = {densezero.load_encoder(folder, "cpu", dtype).weights_hash for dtype in ("float32", "bfloat16")}
    assert len(hashes) == 1


# timm


def test_pixel_statistics_and_architecture_are_part_of_a_timm_model():
    hashes = set()
    for change in ({}, {"mean": (0.5, 0.2, 0.3)}, {"std": (0.5, 0.4, 0.3)}, {"architecture": "another"}):
        model = small_vit()
        model.pretrained_cfg |= change
        hashes.add(timm_encoder_of(model).weights_hash)
    assert len(hashes) == 4
    assert timm_encoder_of(small_vit()).weights_hash in hashes


# open_clip


def clip_encoder(model=None, tokenizer=open_clip.tokenize, config=None):
    return OpenClipEncoder("open_clip:small", model or small_clip(), lambda: tokenizer, "cpu", "float32", None, config)


def test_pixel_statistics_activation_and_configuration_are_part_of_an_open_clip_model():
    other_mean = small_clip()
    open_clip.model.set_model_preprocess_cfg(other_mean, {"mean": (0.0, 0.0, 0.0), "std": other_mean.visual.image_std})
    encoders = [
        clip_encoder(),
        clip_encoder(other_mean),
        clip_encoder(small_clip(quick_gelu=True)),
        clip_encoder(config={"vision_cfg": {"head_width": 32}}),
    ]
    assert len({encoder.weights_hash for encoder in encoders}) == 4
    assert clip_encoder().weights_hash == encoders[0].weights_hash
    assert {weights_sha256(encoder._model.state_dict()) for encoder in encoders} == {
        weights_sha256(small_clip().state_dict())
    }


def test_the_loaded_configuration_is_hashed(monkeypatch):
    config = {
        "embed_dim": 24,
        "vision_cfg": {"image_size": 56, "patch_size": 14, "width": 32, "layers": 2, "head_width": 16},
        "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 1},
    }
    hashes = []
    for heads in (2, 4):
        changed = {**config, "text_cfg": {**config["text_cfg"], "heads": heads}}
        monkeypatch.setitem(open_clip.factory._MODEL_CONFIGS, "ViT-B-32", changed)
        hashes.append(densezero.load_encoder("open_clip:ViT-B-32/random", "cpu", "float32").weights_hash)
    assert hashes[0] != hashes[1]


def test_the_tokenizer_is_part_of_the_text_hash_alone():
    first = clip_encoder()
    other = clip_encoder(tokenizer=open_clip.SimpleTokenizer(context_length=64))
    assert first.weights_hash == other.weights_hash
    assert first.text_hash != other.text_hash
    assert first.text_hash == clip_encoder().text_hash


def bytes_tokenizer(words=("sky", "boat"), lower=False):
    """A tokenizer of the Hugging Face kind, made here."""
    transformers = pytest.importorskip("transformers")
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers

    vocabulary = {word: index for index, word in enumerate(["[PAD]", "[UNK]", *words])}
    backend = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    backend.pre_tokenizer = pre_tokenizers.Whitespace()
    if lower:
        backend.normalizer = normalizers.Lowercase()
    return transformers.PreTrainedTokenizerFast(tokenizer_object=backend, pad_token="[PAD]", unk_token="[UNK]")


def wrapped_by_open_clip(inner, **settings):
    tokenizer = open_clip.tokenizer.HFTokenizer.__new__(open_clip.tokenizer.HFTokenizer)
    vars(tokenizer).update(
        {"tokenizer": inner, "context_length": 8, "tokenizer_mode": "", "strip_sep_token": False}
        | {"clean_fn": open_clip.tokenizer.get_clean_fn("whitespace")}
        | settings
    )
    return tokenizer


def test_every_setting_of_a_hugging_face_tokenizer_is_part_of_its_fingerprint():
    tokenizers = [
        wrapped_by_open_clip(bytes_tokenizer()),
        wrapped_by_open_clip(bytes_tokenizer(("sky", "ship"))),
        wrapped_by_open_clip(bytes_tokenizer(lower=True)),
        wrapped_by_open_clip(bytes_tokenizer(), context_length=9),
        wrapped_by_open_clip(bytes_tokenizer(), strip_sep_token=True),
        wrapped_by_open_clip(bytes_tokenizer(), clean_fn=open_clip.tokenizer.get_clean_fn("canonicalize")),
    ]
    assert len({tokenizer_sha256(tokenizer) for tokenizer in tokenizers}) == len(tokenizers)


def test_use_does_not_change_a_fingerprint():
    for tokenizer in (wrapped_by_open_clip(bytes_tokenizer()), open_clip.SimpleTokenizer()):
        before = tokenizer_sha256(tokenizer)
        tokenizer(["sky boat", "a much longer text " * 9])
        assert tokenizer_sha256(tokenizer) == before


def test_a_slow_hugging_face_tokenizer_is_known_by_its_vocabulary():
    slow = [SimpleNamespace(get_vocab=lambda words=words: dict.fromkeys(words, 0)) for words in ("ab", "ac")]
    assert len({tokenizer_sha256(wrapped_by_open_clip(inner)) for inner in slow}) == 2


def test_the_tokenizer_of_untrained_weights_is_another_one():
    own = open_clip.SimpleTokenizer()
    wrapped = [WrappedTokenizer(own, size) for size in (1000, 2000)]
    assert len({tokenizer_sha256(tokenizer) for tokenizer in (own, *wrapped)}) == 3
    assert int(wrapped[0](["a photo of the sky"]).max()) < 1000


def test_the_librarys_version_is_part_of_a_fingerprint(monkeypatch):
    first = tokenizer_sha256(open_clip.SimpleTokenizer())
    monkeypatch.setattr("densezero.encoders.clip_tokenizer.version", lambda name: "0.0.0")
    assert tokenizer_sha256(open_clip.SimpleTokenizer()) != first
