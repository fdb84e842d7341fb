"""Features of single blocks of timm's and open_clip's towers, against the libraries' own intermediate features."""

import pytest
import torch

from densezero.errors import ModelError
from densezero.heads.fit import require_fit
from tests.encoders import test_openclip, test_timm
from tests.encoders.test_openclip import normed, open_clip, small_clip, small_siglip
from tests.encoders.test_timm import small
from tests.heads.fakes import small_head

TOLERANCE = {"rtol": 0, "atol": 1e-4}
DEPTH = 3
TIMM_MODELS = {
    "class token": lambda: small(depth=DEPTH),
    "no prefix": lambda: small(depth=DEPTH, class_token=False, global_pool="avg"),
    "registers": lambda: small(depth=DEPTH, reg_tokens=4, no_embed_class=True, init_values=0.3),
    "rotary": lambda: small("eva.Eva", depth=DEPTH, use_rot_pos_emb=True, embed_dim=32),
    "DINOv3": lambda: small(
        "eva.Eva", depth=DEPTH, use_rot_pos_emb=True, use_abs_pos_emb=False, rope_type="dinov3", embed_dim=32
    ),
}
CLIP_MODELS = {
    "plain": small_clip,
    "quick": lambda: small_clip(quick_gelu=True, ls_init_value=0.3),
    "custom": lambda: small_clip(qk_norm=True, block_type="custom"),
}


def pixels_of(hw):
    return torch.rand(2, 3, *hw, generator=torch.Generator().manual_seed(3))


def encoders():
    yield from (test_timm.encoder_of(make()) for make in TIMM_MODELS.values())
    yield from (test_openclip.encoder_of(make()) for make in [*CLIP_MODELS.values(), small_siglip])


@pytest.mark.parametrize("name", TIMM_MODELS)
@torch.inference_mode()
def test_blocks_equal_timms_normed_intermediate_features(name):
    encoder = test_timm.encoder_of(TIMM_MODELS[name]())
    for hw in ((56, 56), (84, 42)):
        pixels, oracle = pixels_of(hw), TIMM_MODELS[name]()
        oracle.set_input_size(img_size=hw)
        mean, std = torch.tensor([0.1, 0.2, 0.3])[:, None, None], torch.tensor([0.5, 0.4, 0.25])[:, None, None]
        _, theirs = oracle.forward_intermediates((pixels - mean) / std, norm=True)
        assert len(theirs) == encoder.depth == DEPTH
        for ours, expected in zip(encoder.encode_blocks(pixels, range(DEPTH)), theirs, strict=True):
            assert expected.std() > 0.1
            torch.testing.assert_close(ours.grid.permute(0, 3, 1, 2), expected, **TOLERANCE)


@torch.inference_mode()
def test_the_class_token_of_a_block_is_timms_first_prefix_token():
    encoder, pixels = test_timm.encoder_of(TIMM_MODELS["registers"]()), pixels_of((56, 56))
    model = encoder._model
    mean, std = torch.tensor([0.1, 0.2, 0.3])[:, None, None], torch.tensor([0.5, 0.4, 0.25])[:, None, None]
    theirs = model.forward_intermediates(
        (pixels - mean) / std, indices=[1], norm=True, return_prefix_tokens=True, intermediates_only=True
    )
    torch.testing.assert_close(encoder.encode_blocks(pixels, [1])[0].cls, theirs[0][1][:, 0], **TOLERANCE)
    without = test_timm.encoder_of(TIMM_MODELS["no prefix"]())
    assert without.encode_blocks(pixels, [1])[0].cls.shape == (2, 0)


@pytest.mark.parametrize("name", CLIP_MODELS)
@torch.inference_mode()
def test_blocks_equal_open_clips_normed_intermediate_features_in_the_space_of_the_texts(name):
    model, pixels = CLIP_MODELS[name](), pixels_of((56, 56))
    theirs = model.visual.forward_intermediates(
        normed(pixels), normalize_intermediates=True, output_fmt="NLC", output_extra_tokens=True
    )
    found = test_openclip.encoder_of(model).encode_blocks(pixels, range(3))
    expected = zip(theirs["image_intermediates"], theirs["image_intermediates_prefix"], strict=True)
    for ours, (patches, prefix) in zip(found, expected, strict=True):
        torch.testing.assert_close(ours.grid.flatten(1, 2), patches @ model.visual.proj, **TOLERANCE)
        torch.testing.assert_close(ours.cls, prefix[:, 0] @ model.visual.proj, **TOLERANCE)


@torch.inference_mode()
def test_blocks_of_siglip_pass_its_pooling_head_token_by_token():
    model, pixels = small_siglip(), pixels_of((56, 56))
    theirs = model.visual.forward_intermediates(normed(pixels), normalize_intermediates=True, output_fmt="NLC")
    for ours, patches in zip(
        test_openclip.encoder_of(model).encode_blocks(pixels, [0, 1, 2]), theirs["image_intermediates"], strict=True
    ):
        alone = model.visual.trunk.attn_pool(patches.reshape(-1, 1, 32))  # one token at a time
        torch.testing.assert_close(ours.grid.reshape(-1, 32), alone, **TOLERANCE)


@torch.inference_mode()
def test_the_last_block_gives_the_ordinary_patch_tokens_at_any_size():
    for encoder in encoders():
        for hw in ((56, 56), (50, 60)):  # the second is stretched to 56 x 70
            first, last, again = encoder.encode_blocks(pixels_of(hw), [0, -1, 0])
            torch.testing.assert_close(last.grid, encoder.encode_dense(pixels_of(hw), "patch"), **TOLERANCE)
            assert torch.equal(first.grid, again.grid)
            assert (first.grid - last.grid).abs().max() > 1e-2
            assert (last.grid.shape[-1], last.grid.dtype) == (encoder.width, torch.float32)


def test_blocks_that_a_tower_does_not_have_are_refused():
    for encoder in encoders():
        with pytest.raises(ModelError, match="Expected blocks from 0 to 2, or from -1 to -3"):
            encoder.encode_blocks(pixels_of((28, 28)), [3])


def test_a_convolutional_tower_is_refused_when_it_is_loaded():
    vision = {"image_size": 64, "layers": (1, 1, 1, 1), "width": 16, "patch_size": None, "head_width": 8}
    with pytest.raises(ModelError, match="without dense features"):
        test_openclip.encoder_of(test_openclip.finish(open_clip.CLIP(24, vision, test_openclip.TEXT)))


def test_a_head_of_tipsv2_does_not_fit_other_encoders_of_the_same_size():
    encoder = test_timm.encoder_of(small(depth=4))
    with pytest.raises(ModelError, match=r"trained on the features of TIPSv2; got timm:small"):
        require_fit(encoder, small_head("depth"))
