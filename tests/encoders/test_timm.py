"""timm's ViTs as encoders of images alone, on untrained weights."""

import sys

import pytest
import torch

from densezero.encoders.base import stretch_to_patch
from densezero.encoders.readouts import READOUTS
from densezero.encoders.size_cache import SIZES_KEPT
from densezero.encoders.timm import TimmEncoder, describe_timm, load_timm
from densezero.encoders.tips import VisionConfig, VisionTower
from densezero.errors import ModelError
from tests.encoders.towers import fill_randomly

timm = pytest.importorskip("timm")

TOLERANCE = {"rtol": 0, "atol": 1e-4}
TINY = "timm:vit_tiny_patch16_224/random"
SMALL = {"img_size": 56, "patch_size": 14, "embed_dim": 24, "depth": 2, "num_heads": 2, "num_classes": 0}


def small(kind="vision_transformer.VisionTransformer", **changes):
    """A small model of one of timm's classes, lively random weights."""
    module, name = kind.split(".")
    cls = getattr(getattr(timm.models, module), name)
    model = fill_randomly(cls(**{**SMALL, "mlp_ratio": 2.0, **changes}))
    model.pretrained_cfg = {"architecture": name, "mean": (0.1, 0.2, 0.3), "std": (0.5, 0.4, 0.25)}
    return model


def encoder_of(model):
    return TimmEncoder("timm:small", model, "cpu", "float32")


def images(*hw, batch=2):
    return torch.rand(batch, 3, *hw, generator=torch.Generator().manual_seed(3))


@pytest.fixture(scope="module")
def tiny():
    return load_timm(TINY, "cpu", "float32")


# Where our names and timm's differ; the tokens differ too: our class position is added beforehand.
RENAMED = {"register_tokens": "reg_token", "mlp.w12.": "mlp.fc1.", "mlp.w3.": "mlp.fc2."}


def to_timm(state):
    """Our TIPS tower's weights under timm's names."""
    renamed = {}
    for name, value in state.items():
        for ours, theirs in RENAMED.items():
            name = name.replace(ours, theirs)
        renamed[name] = value
    renamed.pop("mask_token")
    position = renamed["pos_embed"]
    return {**renamed, "cls_token": renamed["cls_token"] + position[:, :1], "pos_embed": position[:, 1:]}


@pytest.mark.parametrize("readout", READOUTS)
@pytest.mark.parametrize("name", ["vit_base_patch14_reg1_tipsv2", "vit_giant_patch14_reg1_tipsv2"])
@torch.inference_mode()
def test_timms_tipsv2_with_our_weights_gives_our_patch_tokens(name, readout):
    ffn = "swiglu" if "giant" in name else "mlp"
    ours = fill_randomly(VisionTower(VisionConfig(48, 3, 4, 128, ffn, 14, 448)))
    ratio = {"mlp_ratio": 128 / 48 * (2 if ffn == "swiglu" else 1)}
    theirs = timm.create_model(name, pretrained=False, embed_dim=48, depth=3, num_heads=4, img_size=448, **ratio)
    theirs.load_state_dict(to_timm(ours.state_dict()), strict=True)
    pixels = images(448, 448, batch=1)
    expected = ours(pixels, readout).grid
    assert expected.std() > 0.1
    torch.testing.assert_close(encoder_of(theirs).encode_dense(pixels, readout), expected, **TOLERANCE)
    if readout == "patch":
        direct = theirs.forward_features(pixels)[:, 2:].unflatten(1, (32, 32))
        torch.testing.assert_close(direct, expected, **TOLERANCE)


def test_the_named_tipsv2_has_our_published_sizes():
    from densezero.encoders.tips import PUBLISHED_SIZES

    with torch.device("meta"):
        theirs = timm.create_model("vit_base_patch14_reg1_tipsv2", img_size=448)
        ours = VisionTower(PUBLISHED_SIZES["B"].vision)
    expected = {name: value.shape for name, value in to_timm(ours.state_dict()).items()}
    assert {name: value.shape for name, value in theirs.state_dict().items()} == expected
    assert theirs.pretrained_cfg["mean"] == (0, 0, 0)
    assert theirs.pretrained_cfg["std"] == (1, 1, 1)


@pytest.mark.parametrize(
    "model",
    [
        lambda: small(),
        lambda: small(class_token=False, global_pool="avg"),
        lambda: small(reg_tokens=4, no_embed_class=True, init_values=0.3),
        lambda: small("deit.VisionTransformerDistilled"),
        lambda: small("eva.Eva", swiglu_mlp=True, scale_mlp=True, init_values=0.3),
        lambda: small("eva.Eva", use_rot_pos_emb=True, num_reg_tokens=2, embed_dim=32),
        lambda: small("eva.Eva", use_rot_pos_emb=True, use_abs_pos_emb=False, rope_type="dinov3", embed_dim=32),
    ],
)
@torch.inference_mode()
def test_patch_tokens_are_timms_own_at_any_size(model):
    ours, oracle = encoder_of(model()), model()
    for hw in ((56, 56), (84, 42), (56, 56), (28, 98)):
        pixels = images(*hw)
        normed = (pixels - torch.tensor([0.1, 0.2, 0.3])[:, None, None]) / torch.tensor([0.5, 0.4, 0.25])[:, None, None]
        fresh = model()
        fresh.set_input_size(img_size=hw)
        expected = fresh.forward_features(normed)[:, oracle.num_prefix_tokens :]
        grid = ours.encode_dense(pixels, "patch")
        assert grid.shape == (2, hw[0] // 14, hw[1] // 14, oracle.embed_dim)
        torch.testing.assert_close(grid.flatten(1, 2), expected, **TOLERANCE)


@pytest.mark.parametrize(
    "model",
    [
        lambda: small(init_values=0.3, qk_norm=True),
        lambda: small(reg_tokens=2, global_pool="avg"),
        lambda: small("eva.Eva", swiglu_mlp=True, scale_attn_inner=True, init_values=0.3),
        lambda: small("eva.Eva", qkv_fused=False),
        lambda: small("eva.Eva", qkv_bias=False),
    ],
)
@torch.inference_mode()
def test_our_last_block_is_timms_where_it_attends_as_trained(model):
    """Queries, keys, values, norms, scales and MLP are read right: with keys as queries' like, k-k equals the block."""
    built = model()
    attention = built.blocks[-1].attn
    if attention.qkv is None:
        attention.q_proj.weight.copy_(attention.k_proj.weight)
        attention.q_proj.bias.zero_()
    else:
        attention.qkv.weight[:24] = attention.qkv.weight[24:48]
        for bias in (attention.qkv.bias, getattr(attention, "q_bias", None)):
            if bias is not None:
                bias[:24] = bias[24:48] if len(bias) > 24 else 0
    attention.q_norm.load_state_dict(attention.k_norm.state_dict())
    encoder, pixels = encoder_of(built), images(84, 42)
    ordinary = encoder.encode_dense(pixels, "patch")
    torch.testing.assert_close(encoder.encode_dense(pixels, "k-k"), ordinary, **TOLERANCE)
    torch.testing.assert_close(encoder.encode_dense(pixels, "q-q"), ordinary, **TOLERANCE)
    assert (encoder.encode_dense(pixels, "value") - ordinary).abs().max() > 1e-3


@torch.inference_mode()
def test_rotary_towers_have_the_read_outs_that_need_no_queries():
    encoder = encoder_of(small("eva.Eva", use_rot_pos_emb=True, embed_dim=32))
    assert encoder.readouts == ("value", "patch", "v-v", "value-bare", "v-v-bare")
    with pytest.raises(ModelError, match="Known: value, patch, v-v"):
        encoder.encode_dense(images(56, 56), "q-q")
    assert encoder.encode_dense(images(56, 56), "v-v").shape == (2, 4, 4, 32)


def test_blocks_of_another_arithmetic_have_their_ordinary_tokens_alone():
    assert encoder_of(small(block_fn=timm.models.vision_transformer.ResPostBlock, init_values=0.1)).readouts == (
        "patch",
    )
    assert encoder_of(small(depth=1)).readouts == ("patch",)
    assert encoder_of(small()).readouts == tuple(READOUTS)


@torch.inference_mode()
def test_a_model_with_tables_per_position_takes_its_own_size_alone():
    encoder = load_timm("timm:vit_relpos_small_patch16_224/random", "cpu", "float32")
    assert encoder.encode_dense(images(224, 224, batch=1), "patch").shape == (1, 14, 14, 384)
    with pytest.raises(ModelError, match="224 x 224 pixels; got 224 x 240"):
        encoder.encode_dense(images(224, 240), "patch")


@pytest.mark.parametrize("readout", READOUTS)
@torch.inference_mode()
def test_a_batch_equals_one_by_one(tiny, readout):
    pixels = images(48, 64)
    single = torch.cat([tiny.encode_dense(image[None], readout) for image in pixels])
    torch.testing.assert_close(tiny.encode_dense(pixels, readout), single, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    "kind", [{}, {"kind": "eva.Eva", "use_rot_pos_emb": True, "embed_dim": 32}], ids=["absolute", "rotary"]
)
def test_other_sizes_leave_the_module_as_it_was_loaded(kind):
    model = small(**kind)
    encoder = encoder_of(model)
    kept = {name: value.clone() for name, value in model.state_dict().items()}
    buffers = {name: value.clone() for name, value in model.named_buffers()}
    positions, known = model.pos_embed, encoder.weights_hash
    for hw in ((84, 42), (28, 98), (56, 56)):
        encoder.encode_dense(images(*hw), "patch")
        assert tuple(model.patch_embed.img_size) == (56, 56)
        assert tuple(model.patch_embed.grid_size) == (4, 4)
        assert model.pos_embed is positions
        assert type(model.patch_embed.proj) is torch.nn.Conv2d
        for name, value in {**model.state_dict(), **dict(model.named_buffers())}.items():
            assert torch.equal(value, {**kept, **buffers}[name]), name
        del encoder.weights_hash
        assert encoder.weights_hash == known


def test_copies_for_other_sizes_share_the_weights_and_few_are_kept():
    model = small()
    encoder = encoder_of(model)
    for columns in range(1, 3 + SIZES_KEPT):
        encoder.encode_dense(images(14, 14 * columns))
    copies = encoder._trunk._fitted._kept
    assert list(copies) == [(14, 14 * columns) for columns in range(3, 3 + SIZES_KEPT)]
    for trunk in copies.values():
        apart = [name for name, value in trunk.named_parameters() if value is not model.get_parameter(name)]
        assert apart == ["pos_embed"]


@torch.inference_mode()
def test_a_size_seen_in_between_changes_nothing(tiny):
    pixels, other = images(48, 64), images(96, 32)
    before, known = tiny.encode_dense(pixels), tiny.weights_hash
    tiny.encode_dense(other)
    assert torch.equal(tiny.encode_dense(pixels), before)
    del tiny.weights_hash
    assert tiny.weights_hash == known


def test_an_odd_size_is_stretched_to_the_next_patch(tiny):
    pixels = images(47, 50)
    assert torch.equal(tiny.encode_dense(pixels), tiny.encode_dense(stretch_to_patch(pixels, 16)))


def test_what_is_known_of_a_model(tiny):
    assert (tiny.name, tiny.patch_px, tiny.native_px, tiny.width, tiny.temperature) == (TINY, 16, 224, 192, None)
    assert tiny.note is not None
    assert "mean nothing" in tiny.note
    dino = load_timm("timm:vit_small_patch14_dinov2/random", "cpu", "bfloat16")
    assert (dino.patch_px, dino.native_px, dino.width, dino.dtype) == (14, 518, 384, torch.bfloat16)
    assert dino.encode_dense(images(28, 42)).dtype == torch.float32
    assert dino.weights_hash == load_timm("timm:vit_small_patch14_dinov2/random", "cpu", "float32").weights_hash


def test_random_weights_are_the_same_each_time_and_disturb_nobody(tiny):
    torch.manual_seed(11)
    expected = torch.rand(3)
    torch.manual_seed(11)
    again = load_timm(TINY, "cpu", "float32")
    assert torch.equal(torch.rand(3), expected)
    assert again.weights_hash == tiny.weights_hash
    assert len(again.weights_hash) == 64


def test_words_are_refused(tiny):
    assert not tiny.has_text
    with pytest.raises(ModelError, match="encodes images only; it has no text tower"):
        tiny.encode_text(["sky"])


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("timm:vit_smal_patch14_dinov2/random", ("'vit_small_patch14_dinov2'", "There are")),
        ("timm:vit_small_patch14_dinov2.lvd", ("'vit_small_patch14_dinov2.lvd142m'", "/random")),
        ("timm:vit_tiny_patch16_224/openai", ("timm:vit_tiny_patch16_224/random",)),
        ("timm:resnet18/random", ("vision transformer", "ResNet")),
        ("timm:swin_tiny_patch4_window7_224/random", ("vision transformer", "SwinTransformer")),
        ("timm:", ("timm has no model",)),
    ],
)
def test_a_name_that_cannot_be_used_says_what_can(name, parts):
    with pytest.raises(ModelError) as caught:
        load_timm(name, "cpu", "float32")
    assert all(part in str(caught.value) for part in parts), str(caught.value)
    assert len(str(caught.value)) < 400


def test_without_the_network_the_refusal_says_what_to_do(monkeypatch, tmp_path):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(ModelError) as caught:
        load_timm("timm:vit_tiny_patch16_224", "cpu", "float32")
    for part in ("cannot be loaded", "models download timm:vit_tiny_patch16_224", "timm:vit_tiny_patch16_224/random"):
        assert part in str(caught.value)


def test_without_the_library_the_refusal_says_how_to_repair_the_installation(monkeypatch):
    monkeypatch.setitem(sys.modules, "timm", None)
    for refuse in (load_timm, describe_timm):
        with pytest.raises(ModelError) as caught:
            refuse(TINY)
        assert "pip install --upgrade densezero timm" in str(caught.value)


def test_a_model_is_described_without_being_built():
    facts = describe_timm("timm:vit_small_patch14_dinov2")
    assert facts["licence"] == "apache-2.0"
    assert facts["repository"] == "timm/vit_small_patch14_dinov2.lvd142m"
    assert facts["native side"] == "518 px"
    assert "mean nothing" in describe_timm(TINY)["weights"]
