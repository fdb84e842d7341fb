"""Both towers against ``Tipsv2Model`` of transformers, with the same random weights."""

import re

import pytest
import torch

from densezero.encoders.tips import TextConfig, TextTower, VisionConfig, VisionTower
from tests.encoders.towers import fill_randomly

transformers = pytest.importorskip("transformers", reason="transformers, the oracle, is not installed")
if not hasattr(transformers, "Tipsv2Model"):
    pytest.skip("this transformers has no Tipsv2Model", allow_module_level=True)

WIDTH, HEADS, DEPTH, NATIVE_PX, PIECES = 48, 3, 3, 56, 90
CLOSE = {"rtol": 0, "atol": 1e-5}
# Our names to theirs, in order; theirs has q, k and v (and the two halves of a gated layer) apart.
VISION_NAMES = (
    (r"^(cls_token|mask_token|register_tokens)$", r"embeddings.\1"),
    (r"^pos_embed$", "embeddings.position_embeddings"),
    (r"^patch_embed\.proj", "embeddings.patch_embeddings.projection"),
    (r"^blocks\.", "encoder.layer."),
    (r"attn\.proj", "attention.o_proj"),
    (r"attn\.", "attention."),
    (r"ls(\d)\.gamma", r"layer_scale\1.lambda1"),
    (r"mlp\.w3", "mlp.down_proj"),
    (r"^norm\.", "layernorm."),
)
TEXT_NAMES = (
    (r"^token_embedding", "embeddings.token_embedding"),
    (r"^transformer\.resblocks", "encoder.layers"),
    (r"^ln_final", "final_layer_norm"),
    (r"\.ln_(\d)", r".layer_norm\1"),
    (r"\.attn\.out_proj", ".self_attn.out_proj"),
    (r"\.attn\.in_proj_", ".self_attn.in_proj."),
    (r"mlp\.c_fc", "mlp.fc1"),
    (r"mlp\.c_proj", "mlp.fc2"),
)
SPLITS = {
    "attention.qkv.": ("attention.q_proj.", "attention.k_proj.", "attention.v_proj."),
    "self_attn.in_proj.": ("self_attn.q_proj.", "self_attn.k_proj.", "self_attn.v_proj."),
    "mlp.w12.": ("mlp.gate_proj.", "mlp.up_proj."),
}


def renamed(tower, names, prefix):
    """A tower's weights under the other library's names."""
    weights = {}
    for name, value in tower.state_dict().items():
        for pattern, replacement in names:
            name = re.sub(pattern, replacement, name)
        joined = next((joined for joined in SPLITS if joined in name), None)
        parts = SPLITS[joined] if joined else (joined,)
        for part, piece in zip(parts, value.chunk(len(parts)), strict=True):
            weights[prefix + (name.replace(joined, part) if joined else name)] = piece
    return weights


def towers_and_oracle(ffn):
    """Both towers, and the other library's model with their weights."""
    # The other library rounds the gated width to a multiple of 8, as the published g has it.
    mlp_width = {"mlp": 4 * WIDTH, "swiglu": (int(4 * WIDTH * 2 / 3) + 7) // 8 * 8}[ffn]
    vision = fill_randomly(VisionTower(VisionConfig(WIDTH, DEPTH, HEADS, mlp_width, ffn, 14, NATIVE_PX)))
    text = fill_randomly(TextTower(TextConfig(WIDTH, DEPTH, HEADS, 4 * WIDTH, PIECES)), seed=1)
    sizes = {"hidden_size": WIDTH, "num_hidden_layers": DEPTH, "num_attention_heads": HEADS}
    config = transformers.Tipsv2Config(
        vision_config={**sizes, "image_size": NATIVE_PX, "use_swiglu_ffn": ffn == "swiglu"},
        text_config={**sizes, "intermediate_size": 4 * WIDTH, "vocab_size": PIECES},
    )
    oracle = transformers.Tipsv2Model(config).eval()
    weights = renamed(vision, VISION_NAMES, "vision_model.") | renamed(text, TEXT_NAMES, "text_model.")
    weights["temperature"] = oracle.temperature
    missing, unexpected = oracle.load_state_dict(weights, strict=False)
    assert not unexpected
    assert all(name.endswith(("position_ids", "position_embedding.weights")) for name in missing)
    return vision, text, oracle


@pytest.fixture(scope="module", params=["mlp", "swiglu"])
def models(request):
    return towers_and_oracle(request.param)


@pytest.mark.parametrize("hw", [(NATIVE_PX, NATIVE_PX), (84, 42), (28, 112), (14, 14)])
@torch.inference_mode()
def test_patch_and_class_tokens_equal_the_oracle(models, hw):
    vision, _, oracle = models
    pixels = torch.rand(2, 3, *hw, generator=torch.Generator().manual_seed(5))
    ours, theirs = vision(pixels, readout="patch"), oracle.vision_model(pixel_values=pixels).last_hidden_state
    assert theirs.std() > 0.3
    torch.testing.assert_close(ours.cls, theirs[:, :2], **CLOSE)
    torch.testing.assert_close(ours.grid.flatten(1, 2), theirs[:, 2:], **CLOSE)


@torch.inference_mode()
def test_text_embeddings_equal_the_oracle(models):
    _, text, oracle = models
    ids = torch.randint(0, PIECES, (4, 64), generator=torch.Generator().manual_seed(6))
    paddings = torch.arange(64)[None, :] >= torch.tensor([64, 7, 1, 20])[:, None]  # (4, 64)
    ours = text(ids, paddings.float())
    theirs = oracle.get_text_features(input_ids=ids, attention_mask=(~paddings).long()).pooler_output
    assert theirs.std() > 0.3
    torch.testing.assert_close(ours, theirs, **CLOSE)
