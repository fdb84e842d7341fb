"""open_clip's models as dense image-text encoders: what they give against open_clip itself, untrained weights."""

import pytest
import torch

from densezero.encoders.base import stretch_to_patch
from densezero.encoders.openclip import OpenClipEncoder
from densezero.encoders.readouts import PATCH, READOUTS, find_readout
from densezero.errors import ModelError
from tests.encoders.towers import fill_randomly

open_clip = pytest.importorskip("open_clip")
timm = pytest.importorskip("timm")

TOLERANCE = {"rtol": 0, "atol": 1e-4}
VISION = {"image_size": 56, "patch_size": 14, "width": 32, "layers": 3, "head_width": 16, "mlp_ratio": 2.0}
TEXT = {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 1}
MEAN, STD = (0.1, 0.2, 0.3), (0.5, 0.4, 0.25)


def finish(model):
    open_clip.model.set_model_preprocess_cfg(model, {"mean": MEAN, "std": STD})
    return fill_randomly(model)


def small_clip(quick_gelu=False, **vision):
    return finish(open_clip.CLIP(24, {**VISION, **vision}, TEXT, quick_gelu=quick_gelu))


def small_siglip(**trunk):
    """The shape of SigLIP: a timm ViT without class token under an attention-pooling head."""
    sizes = {"img_size": 56, "patch_size": 14, "embed_dim": 32, "depth": 3, "num_heads": 2, "mlp_ratio": 2.0}
    kind = {"class_token": False, "global_pool": "map", "num_classes": 0, **trunk}
    model = open_clip.CLIP(32, VISION, TEXT)
    visual = open_clip.timm_model.TimmModel("test_vit", 32, pool="", proj="none", image_size=56)
    visual.trunk = timm.models.vision_transformer.VisionTransformer(**sizes, **kind)
    model.visual = visual
    return finish(model)


def encoder_of(model):
    return OpenClipEncoder("open_clip:small", model, lambda: open_clip.tokenize, "cpu", "float32")


def images(*hw, batch=2):
    return torch.rand(batch, 3, *hw, generator=torch.Generator().manual_seed(3))


def normed(pixels):
    return (pixels - torch.tensor(MEAN)[:, None, None]) / torch.tensor(STD)[:, None, None]


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"quick_gelu": True},
        {"ls_init_value": 0.3},
        {"no_ln_pre": True},
        {"final_ln_after_pool": True},
        {"qk_norm": True, "block_type": "custom"},
    ],
)
@torch.inference_mode()
def test_the_class_token_of_the_ordinary_tokens_is_open_clips_pooled_feature(change):
    model = small_clip(**change)
    tower, pixels = encoder_of(model)._tower, images(56, 56)
    expected = model.encode_image(pixels)
    assert expected.std() > 0.1
    torch.testing.assert_close(tower.tokens(pixels, PATCH)[:, 0], expected, **TOLERANCE)


@torch.inference_mode()
def test_ordinary_patch_tokens_are_open_clips_own():
    model = small_clip()
    pixels = images(56, 56)
    own = model.visual.forward_intermediates(
        normed(pixels), indices=1, normalize_intermediates=True, intermediates_only=True, output_fmt="NLC"
    )["image_intermediates"][0]
    grid = encoder_of(model).encode_dense(pixels, "patch")
    assert grid.shape == (2, 4, 4, 24)
    torch.testing.assert_close(grid.flatten(1, 2), own @ model.visual.proj, **TOLERANCE)


@torch.inference_mode()
def test_where_the_model_pools_by_the_mean_the_mean_of_the_map_is_its_feature():
    model, pixels = small_clip(pool_type="avg"), images(56, 56)
    mean = encoder_of(model).encode_dense(pixels, "patch").mean((1, 2))
    torch.testing.assert_close(mean, model.encode_image(normed(pixels)), **TOLERANCE)


@pytest.mark.parametrize("hw", [(84, 42), (28, 28), (112, 56)])
@torch.inference_mode()
def test_positions_are_resized_as_open_clip_does_at_loading(hw):
    model = small_clip()
    larger = small_clip(image_size=hw)
    state = model.state_dict()
    open_clip.model.resize_pos_embed(state, larger)
    larger.load_state_dict(state)
    pixels = images(*hw)
    expected = larger.visual.forward_intermediates(
        normed(pixels), indices=1, normalize_intermediates=True, intermediates_only=True, output_fmt="NLC"
    )["image_intermediates"][0]
    grid = encoder_of(model).encode_dense(pixels, "patch").flatten(1, 2)
    torch.testing.assert_close(grid, expected @ model.visual.proj, rtol=0, atol=1e-5)


@pytest.mark.parametrize("make", [small_clip, lambda: small_clip(ls_init_value=0.3, quick_gelu=True)])
@torch.inference_mode()
def test_the_value_read_out_is_the_last_block_on_each_token_alone(make):
    """open_clip's own block, given one token at a time, can attend to that token only."""
    model, pixels = make(), images(84, 42)
    *earlier, last = model.visual.transformer.resblocks
    tokens = encoder_of(model)._tower._embed(normed(pixels))
    for block in earlier:
        tokens = block(tokens)
    alone = last(tokens.reshape(-1, 1, 32)).reshape(tokens.shape)
    expected = (model.visual.ln_post(alone) @ model.visual.proj)[:, 1:].unflatten(1, (6, 3))
    torch.testing.assert_close(encoder_of(model).encode_dense(pixels, "value"), expected, **TOLERANCE)
    bare = last.ls_1(last.attn(*[last.ln_1(tokens).reshape(-1, 1, 32)] * 3)[0]).reshape(tokens.shape)
    expected = (model.visual.ln_post(bare) @ model.visual.proj)[:, 1:].unflatten(1, (6, 3))
    torch.testing.assert_close(encoder_of(model).encode_dense(pixels, "value-bare"), expected, **TOLERANCE)


@torch.inference_mode()
def test_self_self_attention_is_the_ordinary_one_where_queries_equal_keys():
    model, pixels = small_clip(), images(56, 56)
    packed = model.visual.transformer.resblocks[-1].attn
    for third in (packed.in_proj_weight, packed.in_proj_bias):
        third[:32] = third[32:64]
    encoder = encoder_of(model)
    ordinary = encoder.encode_dense(pixels, "patch")
    torch.testing.assert_close(encoder.encode_dense(pixels, "k-k"), ordinary, **TOLERANCE)
    torch.testing.assert_close(encoder.encode_dense(pixels, "q-q"), ordinary, **TOLERANCE)
    for third in (packed.in_proj_weight, packed.in_proj_bias):
        third[64:] = third[:32]
    torch.testing.assert_close(encoder.encode_dense(pixels, "v-v"), encoder.encode_dense(pixels, "patch"), **TOLERANCE)


@pytest.mark.parametrize("readout", ["patch", "value", "q-q", "k-k", "v-v"])
@torch.inference_mode()
def test_on_one_patch_siglips_map_is_its_pooled_feature(readout):
    """One token: attention in the block and in the head has only it to look at, whatever the read-out."""
    model, fresh, pixels = small_siglip(), small_siglip(), images(14, 14)
    fresh.visual.set_input_size((14, 14))
    expected = fresh.encode_image(normed(pixels))
    assert expected.std() > 0.1
    grid = encoder_of(model).encode_dense(pixels, readout)
    torch.testing.assert_close(grid, expected[:, None, None], **TOLERANCE)


@torch.inference_mode()
def test_siglips_head_sees_each_token_as_if_all_were_like_it():
    model, pixels = small_siglip(), images(56, 56)
    tokens = model.visual.trunk.forward_features(normed(pixels))
    grid = encoder_of(model).encode_dense(pixels, "patch").flatten(1, 2)
    for index in (0, 5, 15):
        alike = tokens[:, index : index + 1].expand(-1, 7, -1)
        expected = model.visual.head(model.visual.trunk.forward_head(alike))
        torch.testing.assert_close(grid[:, index], expected, **TOLERANCE)


@torch.inference_mode()
def test_a_timm_tower_with_a_class_token_has_its_head_on_each_token():
    model, pixels = small_siglip(class_token=True, global_pool="token", num_classes=32, fc_norm=True), images(56, 56)
    tokens = model.visual.trunk.forward_features(normed(pixels))
    expected = model.visual.trunk.head(model.visual.trunk.fc_norm(tokens))[:, 1:].unflatten(1, (4, 4))
    torch.testing.assert_close(encoder_of(model).encode_dense(pixels, "patch"), expected, **TOLERANCE)


@pytest.mark.parametrize("readout", READOUTS)
@pytest.mark.parametrize("make", [small_clip, small_siglip])
@torch.inference_mode()
def test_a_batch_equals_one_by_one_and_odd_sizes_are_stretched(make, readout):
    encoder, pixels = encoder_of(make()), images(41, 70)
    grid = encoder.encode_dense(pixels, readout)
    assert grid.shape == (2, 3, 5, encoder.width)
    single = torch.cat([encoder.encode_dense(image[None], readout) for image in pixels])
    torch.testing.assert_close(grid, single, rtol=0, atol=1e-5)
    assert torch.equal(grid, encoder.encode_dense(stretch_to_patch(pixels, 14), readout))


@torch.inference_mode()
def test_texts_are_open_clips_own_in_batches_of_any_number():
    model = small_clip()
    encoder = encoder_of(model)
    prompts = [f"a photo of thing {index}" for index in range(300)]
    expected = model.encode_text(open_clip.tokenize(prompts))
    assert encoder.has_text
    torch.testing.assert_close(encoder.encode_text(prompts), expected, **TOLERANCE)
    assert encoder.encode_text([]).shape == (0, 24)
    with pytest.raises(ModelError, match="whole characters"):
        encoder.encode_text(["half \udc80"])


@pytest.mark.parametrize("make", [small_clip, small_siglip])
def test_rounding_and_resizing_leave_the_hash_of_the_weights_alone(make):
    encoder = encoder_of(make())
    known = encoder.weights_hash
    encoder.encode_dense(images(28, 70))
    del encoder.weights_hash
    assert encoder.weights_hash == known
    rounded = OpenClipEncoder("x", make(), lambda: open_clip.tokenize, "cpu", "bfloat16")
    assert rounded.weights_hash == known
    other = make()
    with torch.no_grad():
        other.logit_scale.add_(1)
    assert encoder_of(other).weights_hash != known


@pytest.mark.parametrize("make", [small_clip, small_siglip])
def test_other_sizes_leave_the_module_as_it_was_loaded(make):
    model = make()
    encoder = encoder_of(model)
    kept, layers = {name: value.clone() for name, value in model.state_dict().items()}, repr(model)
    for hw in ((84, 42), (28, 98), (56, 56)):
        encoder.encode_dense(images(*hw), "patch")
        assert all(torch.equal(value, kept[name]) for name, value in model.state_dict().items())
        assert repr(model) == layers
    if make is small_siglip:
        assert tuple(model.visual.trunk.patch_embed.img_size) == (56, 56)
    else:
        assert tuple(model.visual.grid_size) == (4, 4)


def test_bfloat16_is_for_the_vision_tower_alone():
    rounded = OpenClipEncoder("x", small_clip(), lambda: open_clip.tokenize, "cpu", "bfloat16")
    exact, pixels = encoder_of(small_clip()), images(56, 42)
    grid = rounded.encode_dense(pixels)
    assert grid.dtype == torch.float32
    assert 0 < (grid - exact.encode_dense(pixels)).abs().max() < 0.2
    assert torch.equal(rounded.encode_text(["sky"]), exact.encode_text(["sky"]))


def test_what_is_known_of_a_model():
    model = small_clip()
    with torch.no_grad():
        model.logit_scale.fill_(4.605170)
    encoder = encoder_of(model)
    assert (encoder.patch_px, encoder.native_px, encoder.width) == (14, 56, 24)
    assert encoder.temperature == pytest.approx(0.01)
    assert encoder.readouts == tuple(READOUTS)
    assert encoder.note is None
    with pytest.raises(ModelError, match="Known: value, patch"):
        encoder.encode_dense(images(56, 56), "keys")


def test_blocks_of_another_arithmetic_have_their_ordinary_tokens_alone():
    encoder = encoder_of(small_clip(qk_norm=True, block_type="custom"))
    assert encoder.readouts == ("patch",)
    with pytest.raises(ModelError, match="Known: patch"):
        find_readout("value", encoder.readouts, encoder.name)


def test_towers_that_cannot_be_read_densely_are_refused():
    resnet = open_clip.CLIP(24, {**VISION, "layers": (1, 1, 1, 1), "image_size": 64}, TEXT)
    several = small_clip(attentional_pool=True)
    for model in (resnet, several):
        with pytest.raises(ModelError, match="without dense features"):
            encoder_of(model)
    pooled = small_siglip()
    pooled.visual.head.add_module("pool", torch.nn.Identity())
    with pytest.raises(ModelError, match="not defined for a single token"):
        encoder_of(pooled)
