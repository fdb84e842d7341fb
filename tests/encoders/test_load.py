"""Models from files: both layouts give one model, and what does not belong together is refused."""

import json
from dataclasses import FrozenInstanceError

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

import densezero
from densezero.encoders.tips import (
    TextConfig,
    TextTower,
    TipsOptions,
    VisionConfig,
    VisionTower,
    load_tips,
    load_tips_folder,
)
from tests.encoders.towers import arrays_of, refusal, small_pair, write_folder, write_pair

TEXTS = ["a red boat", "sky", "", "a house by the sea, " * 20]
ON_CPU = TipsOptions(device="cpu", dtype="float32")
HUB_CONFIG = {
    "text_num_heads": 12,
    "temperature": 0.005,
    "vision_fn": "vit_base",
    "img_size": 448,
    "do_normalize": False,
}


@pytest.fixture(scope="module", params=["mlp", "swiglu"])
def towers(request):
    return small_pair(request.param)


def rewrite(file, change):
    """Write a weight file again after ``change`` had its tensors."""
    if file.suffix == ".npz":
        with np.load(file) as arrays:
            tensors = dict(arrays)
        change(tensors)
        np.savez(file, **tensors)
    else:
        tensors = load_file(file)
        change(tensors)
        save_file(tensors, file)


def test_both_layouts_and_the_towers_themselves_give_one_model(tmp_path, towers, tokenizer_file):
    for name in ("pair", "hub"):
        (tmp_path / name).mkdir()
    vision_file = write_pair(tmp_path / "pair", towers, tokenizer_file)
    write_folder(tmp_path / "hub", towers, tokenizer_file)
    options = TipsOptions(device="cpu", dtype="float32", vision_heads=2, text_heads=2)
    text_file = tmp_path / "pair" / "small_text.npz"
    models = [
        load_tips(vision_file, str(text_file), tokenizer_file, options),
        load_tips_folder(str(tmp_path / "pair"), ON_CPU),
        load_tips_folder(tmp_path / "hub", ON_CPU),
        densezero.load_encoder(vision_file, device="cpu", dtype="float32"),
        densezero.load_encoder(str(tmp_path / "hub"), device="cpu", dtype="float32"),
    ]
    pixels = torch.rand(2, 3, 42, 70, generator=torch.Generator().manual_seed(3))
    vision, text = towers
    with torch.inference_mode():
        grid = vision(pixels).grid
        tokens = models[0].tokenizer(TEXTS)
        embeddings = text(tokens.ids, tokens.paddings)
    for model in models:
        torch.testing.assert_close(model.encode_dense(pixels), grid, rtol=0, atol=1e-6)
        torch.testing.assert_close(model.encode_text(TEXTS), embeddings, rtol=0, atol=1e-5)
        assert model.temperature == pytest.approx(0.0125)
        assert (model.patch_px, model.native_px, model.width) == (14, 56, 24)
        assert (model.dtype, str(model.device)) == (torch.float32, "cpu")
    assert [model.name for model in models] == ["small", "small", "hub", "small", "hub"]
    assert grid.std() > 0.1
    assert (embeddings[0] - embeddings[1]).abs().max() > 0.1


def test_half_precision_files_and_half_precision_computing_stay_near(tmp_path, tokenizer_file):
    folder = write_folder(tmp_path, small_pair(), tokenizer_file)
    exact = load_tips_folder(folder, ON_CPU)
    pixels = torch.rand(1, 3, 56, 56)
    grid, embeddings = exact.encode_dense(pixels), exact.encode_text(["sky"])
    half = load_tips_folder(folder, TipsOptions(device="cpu", dtype="bfloat16"))
    assert half.dtype == torch.bfloat16
    assert half.encode_dense(pixels).dtype == torch.float32
    torch.testing.assert_close(half.encode_text(["sky"]), embeddings, rtol=0, atol=1e-6)
    torch.testing.assert_close(half.encode_dense(pixels), grid, rtol=0, atol=0.1)
    rewrite(folder / "model.safetensors", lambda tensors: tensors.update({k: v.half() for k, v in tensors.items()}))
    stored = load_tips_folder(folder, ON_CPU)
    torch.testing.assert_close(stored.encode_dense(pixels), grid, rtol=0, atol=0.01)
    torch.testing.assert_close(stored.encode_text(["sky"]), embeddings, rtol=0, atol=0.01)


def test_compressed_and_column_ordered_arrays_load_alike(pair):
    grid = densezero.load_encoder(pair, "cpu", "float32").encode_dense(torch.ones(1, 3, 28, 28))
    with np.load(pair) as arrays:
        np.savez_compressed(pair, **{name: np.asfortranarray(value) for name, value in arrays.items()})
    loaded = densezero.load_encoder(pair, "cpu", "float32").encode_dense(torch.ones(1, 3, 28, 28))
    torch.testing.assert_close(loaded, grid, rtol=0, atol=1e-6)


def test_the_hubs_own_config_is_taken_and_may_alone_tell_the_temperature(tmp_path, tokenizer_file):
    config = {**HUB_CONFIG, "vision_heads": 2, "text_heads": 2}
    folder = write_folder(tmp_path, small_pair(), tokenizer_file, config, temperature=None)
    assert load_tips_folder(folder, ON_CPU).temperature == 0.005
    (folder / "config.json").write_text(json.dumps({**config, "temperature": 1}))
    assert load_tips_folder(folder, ON_CPU).temperature == 1.0


def test_the_temperature_beside_the_text_weights_counts_before_the_configs(tmp_path, tokenizer_file):
    folder = write_folder(
        tmp_path, small_pair(), tokenizer_file, {"vision_heads": 2, "text_heads": 2, "temperature": 9}
    )
    assert load_tips_folder(folder, ON_CPU).temperature == pytest.approx(0.0125)


def test_without_any_temperature_of_an_unpublished_width_it_is_not_known(tmp_path, tokenizer_file):
    folder = write_folder(tmp_path, small_pair(), tokenizer_file, temperature=None)
    assert load_tips_folder(folder, ON_CPU).temperature is None
    assert load_tips_folder(folder, TipsOptions(temperature=0.5)).temperature == 0.5


def test_the_weights_hash_changes_with_the_weights_and_the_tokenizer_alone(folder):
    def hash_now():
        return densezero.load_encoder(folder, "cpu").weights_hash

    first = hash_now()
    (folder / "notes.txt").write_text("beside it")
    assert hash_now() == first
    rewrite(folder / "model.safetensors", lambda tensors: tensors["vision_encoder.norm.bias"].add_(1e-3))
    second = hash_now()
    with (folder / "tokenizer.model").open("ab") as content:
        content.write(b"\n\x00")
    assert len({first, second, hash_now()}) == 3


def test_options_are_frozen():
    with pytest.raises(FrozenInstanceError):
        ON_CPU.device = "cuda"


# Tensors that are missing, misshapen or too many


@pytest.mark.parametrize("name", ["norm.weight", "pos_embed", "blocks.1.ls1.gamma", "blocks.0.mlp.fc2.weight"])
def test_a_missing_tensor_is_named_with_its_file(pair, name):
    rewrite(pair, lambda tensors: tensors.pop(name))
    said = refusal(pair)
    assert str(pair) in said
    assert f"{name} is missing" in said


def test_a_missing_tensor_of_a_folder_is_named_with_its_file(folder):
    rewrite(folder / "model.safetensors", lambda tensors: tensors.pop("text_encoder.ln_final.bias"))
    said = refusal(folder)
    assert str(folder / "model.safetensors") in said
    assert "TextTower: ln_final.bias is missing" in said
    assert "Download the file again" in said


def test_a_block_left_out_in_the_middle_is_not_counted_over(pair):
    def leave_out(tensors):
        for name in [name for name in tensors if name.startswith("blocks.0.ls")]:
            tensors[name.replace("blocks.0.", "blocks.999999999.")] = tensors.pop(name)

    rewrite(pair, leave_out)
    said = refusal(pair)
    assert "blocks.0.ls1.gamma is missing" in said


def test_a_checkpoint_without_blocks_is_refused(pair):
    rewrite(pair, lambda tensors: [tensors.pop(name) for name in list(tensors) if name.startswith("blocks.1")])
    rewrite(pair, lambda tensors: tensors.update(blocks_gone=tensors.pop("blocks.0.ls1.gamma")))
    assert "blocks_gone is unexpected" in refusal(pair)
    rewrite(pair, lambda tensors: [tensors.pop(name) for name in list(tensors) if name.startswith("blocks.")])
    assert "has no transformer block" in refusal(pair)


def test_a_published_tower_that_lost_its_last_blocks_is_refused(tmp_path, tokenizer_file):
    vision = VisionTower(VisionConfig(384, 2, 6, 8, "mlp", 14, 28))
    text = TextTower(TextConfig(384, 2, 6, 8, 187))
    folder = write_folder(tmp_path, (vision, text), tokenizer_file, config={})
    said = refusal(folder)
    assert "2 transformer blocks where the published tower of width 384 has 12" in said
    (folder / "config.json").write_text('{"vision_heads": 6, "text_heads": 6}')
    assert densezero.load_encoder(folder, "cpu").vision.config.depth == 2


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("norm.weight", (25,)),
        ("norm.weight", (24, 1)),
        ("pos_embed", (1, 16, 24)),
        ("pos_embed", (17, 24)),
        ("patch_embed.proj.weight", (24, 3, 14, 13)),
        ("blocks.1.attn.qkv.weight", (71, 24)),
    ],
)
def test_a_misshapen_tensor_is_named_with_both_shapes(pair, name, shape):
    rewrite(pair, lambda tensors: tensors.update({name: np.zeros(shape, np.float32)}))
    said = refusal(pair)
    assert str(pair) in said
    assert f"{name} has shape" in said
    assert "expected" in said


@pytest.mark.parametrize("shape", [(1, 0, 24), (1, 17, 0), (0, 17, 24), (1, 1, 24)])
def test_a_tensor_without_room_for_a_patch_is_refused(pair, shape):
    rewrite(pair, lambda tensors: tensors.update(pos_embed=np.zeros(shape, np.float32)))
    said = refusal(pair)
    assert str(pair) in said
    assert "pos_embed" in said


@pytest.mark.parametrize("name", ["extra.weight", "temperature"])
def test_an_unexpected_tensor_is_named_even_if_it_is_the_text_files(pair, name):
    rewrite(pair, lambda tensors: tensors.update({name: np.zeros(3, np.float32)}))
    assert f"{name} is unexpected" in refusal(pair)


def test_many_wrong_tensors_are_counted_and_the_first_named(pair):
    rewrite(pair, lambda tensors: tensors.update({f"extra{i}": np.zeros(1, np.float32) for i in range(9)}))
    assert "and 4 more" in refusal(pair)


@pytest.mark.parametrize("kind", ["int64", "bool", "complex64", "U4", "uint16"])
def test_tensors_of_other_things_than_floating_point_numbers_are_refused(pair, kind):
    rewrite(pair, lambda tensors: tensors.update({"norm.bias": tensors["norm.bias"].real.astype(kind)}))
    assert str(pair) in refusal(pair)


@pytest.mark.parametrize(
    "value", [np.float32(0), np.float32(-1), np.float32("nan"), np.zeros(0, np.float32), np.ones(2)]
)
def test_a_temperature_that_divides_nothing_is_refused(pair, value):
    text_file = pair.with_name("small_text.npz")
    rewrite(text_file, lambda tensors: tensors.update(temperature=value))
    said = refusal(pair)
    assert str(text_file) in said
    assert "temperature" in said


def test_towers_of_two_sizes_are_refused_with_both_files(pair, tmp_path, tokenizer_file):
    text_file = pair.with_name("small_text.npz")
    np.savez(text_file, **arrays_of(TextTower(TextConfig(48, 1, 2, 48, 512))))
    said = refusal(pair)
    for part in (str(pair), str(text_file), "width 24", "width 48", "two different models"):
        assert part in said


def test_a_released_text_tower_is_read_again_and_gives_the_same(tmp_path, tokenizer_file):
    encoder = densezero.load_encoder(write_folder(tmp_path, small_pair(), tokenizer_file), "cpu", "float32")
    encoder.release_text()  # nothing has been read yet
    first = encoder.encode_text(["sky", "a green field"])
    encoder.release_text()
    assert all(value.is_meta for value in encoder._empty_text.parameters())
    assert torch.equal(encoder.encode_text(["sky", "a green field"]), first)
