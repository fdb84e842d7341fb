import json

import pytest
import torch

from densezero.encoders.base import stretch_to_patch
from densezero.encoders.tips import PUBLISHED_SIZES, TextConfig, TextTower, VisionConfig, VisionTower
from densezero.encoders.tips.config import published_heads
from densezero.errors import ModelError
from tests.conftest import SHARED
from tests.encoders.towers import fill_randomly, golden_text, golden_vision

TOLERANCE = {"rtol": 0, "atol": 1e-5}
SIZES_OF = {"a": 3, "b": 2, "c": 2}
CASES = [(name, index) for name, count in SIZES_OF.items() for index in range(count)]


@pytest.fixture
def vision(golden):
    def load(name):
        io = golden(f"vision_{name}_io")
        return golden_vision(golden(f"vision_{name}"), io), {
            k: torch.from_numpy(v) for k, v in io.items() if k != "config"
        }

    return load


@pytest.mark.parametrize(("name", "index"), CASES)
@torch.inference_mode()
def test_both_read_outs_equal_the_reference(vision, name, index):
    tower, io = vision(name)
    ordinary = tower(io[f"image_{index}"], readout="patch")
    torch.testing.assert_close(ordinary.cls[:, :1], io[f"cls1_{index}"], **TOLERANCE)
    torch.testing.assert_close(ordinary.cls[:, 1:], io[f"cls2_{index}"], **TOLERANCE)
    torch.testing.assert_close(ordinary.grid.flatten(1, 2), io[f"patches_{index}"], **TOLERANCE)
    torch.testing.assert_close(tower(io[f"image_{index}"]).grid, io[f"value_{index}"], **TOLERANCE)


@pytest.mark.parametrize("name", SIZES_OF)
@torch.inference_mode()
def test_an_odd_size_is_stretched_as_in_the_reference(vision, name):
    tower, io = vision(name)
    stretched = stretch_to_patch(io["image_odd"], 14)
    assert stretched.shape[-2:] == (84, 112)
    torch.testing.assert_close(tower(stretched).grid, io["value_odd"], **TOLERANCE)


@torch.inference_mode()
def test_text_embeddings_equal_the_reference(golden):
    io = golden("text_a_io")
    tower = golden_text(golden("text_a"), io)
    ids, paddings = torch.from_numpy(io["ids"]), torch.from_numpy(io["paddings"])
    torch.testing.assert_close(tower(ids, paddings), torch.from_numpy(io["embeddings"]), **TOLERANCE)


@torch.inference_mode()
def test_padding_does_not_change_a_text_embedding(golden):
    io = golden("text_a_io")
    tower = golden_text(golden("text_a"), io)
    ids, paddings = torch.from_numpy(io["ids"]), torch.from_numpy(io["paddings"])
    kept = int((paddings[1] == 0).sum())
    short = tower(ids[1:2, :kept], paddings[1:2, :kept])
    torch.testing.assert_close(short, torch.from_numpy(io["embeddings"])[1:2], **TOLERANCE)
    noisy = ids.clone()
    noisy[paddings == 1] = 5
    torch.testing.assert_close(tower(noisy, paddings), torch.from_numpy(io["embeddings"]), **TOLERANCE)


@torch.inference_mode()
def test_a_text_without_tokens_gives_zeros(golden):
    io = golden("text_a_io")
    tower = golden_text(golden("text_a"), io)
    assert torch.equal(tower(torch.zeros(1, 4, dtype=torch.int64), torch.ones(1, 4)), torch.zeros(1, 48))


@torch.inference_mode()
def test_a_batch_equals_one_by_one(vision):
    tower, io = vision("a")
    batch = tower(io["image_1"]).grid
    single = torch.cat([tower(image[None]).grid for image in io["image_1"]])
    torch.testing.assert_close(batch, single, **TOLERANCE)


@torch.inference_mode()
def test_the_value_read_out_looks_at_no_other_token_in_the_last_block():
    tower = fill_randomly(VisionTower(VisionConfig(24, 1, 2, 48, "mlp", 14, 28)))
    pixels = torch.rand(1, 3, 28, 28)
    changed = pixels.clone()
    changed[..., :14, :14] = 0  # only the first patch changes
    value, ordinary = (tower(pixels, kind).grid - tower(changed, kind).grid for kind in ("value", "patch"))
    assert value[0, 0, 0].abs().max() > 1e-4
    assert value[0, 1, 1].abs().max() == 0
    assert ordinary[0, 1, 1].abs().max() > 1e-6


@pytest.mark.parametrize("size", ["S", "B", "L", "SO", "g"])
def test_keys_and_shapes_are_the_published_ones(size):
    layout_file = SHARED / "reference" / "checkpoint_layout.json"
    if not layout_file.exists():
        pytest.skip("the published layout is not beside this checkout")
    layout = json.loads(layout_file.read_text())[size]
    with torch.device("meta"):
        towers = {"vision": VisionTower(PUBLISHED_SIZES[size].vision), "text": TextTower(PUBLISHED_SIZES[size].text)}
    for part, tower in towers.items():
        expected = {}
        for name, shape in layout[part]["tensors"].items():
            for block in range(layout[part]["blocks"] if "{i}" in name else 1):
                expected[name.replace("{i}", str(block))] = tuple(shape)
        expected.pop("temperature", None)
        assert {name: tuple(value.shape) for name, value in tower.state_dict().items()} == expected


def test_heads_are_known_for_published_widths_alone():
    assert [published_heads(width) for width in (384, 768, 1024, 1152, 1536, 48)] == [6, 12, 16, 16, 24, None]


@pytest.mark.parametrize(
    "change",
    [{"width": 25}, {"depth": 0}, {"ffn": "relu"}, {"native_px": 30}],
)
def test_contradicting_sizes_are_refused(change):
    sizes = {"width": 24, "depth": 1, "heads": 2, "mlp_width": 48, "ffn": "mlp", "patch_px": 14, "native_px": 28}
    with pytest.raises(ModelError):
        VisionConfig(**{**sizes, **change})


def test_contradicting_text_sizes_are_refused():
    with pytest.raises(ModelError, match="vocab_size"):
        TextConfig(24, 1, 2, 48, vocab_size=0)


def test_sides_that_are_no_multiples_of_the_patch_and_unknown_read_outs_are_refused():
    tower = VisionTower(VisionConfig(24, 1, 2, 48, "mlp", 14, 28))
    with pytest.raises(ModelError, match="multiples of 14"):
        tower(torch.zeros(1, 3, 28, 30))
    with pytest.raises(ModelError, match="read-out"):
        tower(torch.zeros(1, 3, 28, 28), readout="keys")
