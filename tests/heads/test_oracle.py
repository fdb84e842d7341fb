"""Heads and backbone in the hub's layout, against ``Tipsv2DptFor...`` of transformers with the same random weights."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

import densezero
from densezero.encoders.tips import PUBLISHED_SIZES, VisionTower
from densezero.encoders.tips.backbone import HubBackbone
from densezero.encoders.tips.checkpoint import TensorFile
from densezero.encoders.tips.layout import check_layout, read_vision_config
from densezero.heads import DensePredictor
from densezero.heads.layout import HeadSource, check_head, read_config
from tests.heads.fakes import fill_by_fan_in, random_features

transformers = pytest.importorskip("transformers", reason="transformers, the oracle, is not installed")
if not hasattr(transformers, "Tipsv2DptForDensePrediction"):
    pytest.skip("this transformers has no Tipsv2DptForDensePrediction", allow_module_level=True)

CLOSE = {"rtol": 0, "atol": 1e-4}
TASKS = ("depth", "normals", "segmentation")
SINGLE = {
    "depth": "Tipsv2DptForDepthEstimation",
    "normals": "Tipsv2DptForNormalEstimation",
    "segmentation": "Tipsv2DptForSemanticSegmentation",
}
STAGES = {"B": [3, 6, 9, 12], "L": [6, 12, 18, 24], "SO": [7, 14, 21, 27], "g": [10, 20, 30, 40]}


def oracle_config(width=48, heads=3, depth=5, stages=(1, 2, 4, 5), swiglu=False, activation="relu", channels=16):
    backbone = {
        "model_type": "tipsv2_vision_model",
        "hidden_size": width,
        "num_hidden_layers": depth,
        "num_attention_heads": heads,
        "image_size": 56,
        "use_swiglu_ffn": swiglu,
        "out_indices": list(stages),
        "apply_layernorm": True,
        "reshape_hidden_states": False,
    }
    return transformers.Tipsv2DptConfig(
        backbone_config=backbone,
        neck_hidden_sizes=[width // 8, width // 4, width // 2, width],
        fusion_hidden_size=channels,
        depth_decoder_activation=activation,
        num_labels=7,
    )


def build(class_name, config):
    return fill_by_fan_in(getattr(transformers, class_name)(config))


def write_hub(model, folder):
    """Write a model as its repository has it."""
    folder.mkdir(exist_ok=True)
    save_file(model.state_dict(), folder / "model.safetensors")
    config = {**model.config.to_dict(), "architectures": [type(model).__name__]}
    (folder / "config.json").write_text(json.dumps(config))
    return folder


def outputs_of(model, pixels):
    """Low-resolution results of the oracle by task, unit normals."""
    with torch.inference_mode():
        outputs = model(pixels)
    unit = torch.nn.functional.normalize(outputs.normals, dim=1)
    return {"depth": outputs.predicted_depth, "normals": unit, "segmentation": outputs.segmentation_logits}


def our_outputs(folder, pixels):
    encoder = densezero.load_encoder(folder, "cpu", "float32")
    results = {}
    for task in TASKS:
        head = densezero.load_head(folder, task)
        features = encoder.encode_blocks(pixels, head.blocks)
        results[task] = head([(cls, grid.permute(0, 3, 1, 2)) for cls, grid in features])
    return results


@pytest.mark.parametrize("settings", [{}, {"activation": "linear"}, {"swiglu": True}])
def test_every_head_and_the_backbone_equal_the_oracle(tmp_path, settings):
    model = build("Tipsv2DptForDensePrediction", oracle_config(**settings))
    folder = write_hub(model, tmp_path / "small-dpt")
    pixels = torch.rand(2, 3, 70, 98, generator=torch.Generator().manual_seed(1))  # 5 x 7 patches
    theirs, ours = outputs_of(model, pixels), our_outputs(folder, pixels)
    for task in TASKS:
        assert theirs[task].std() > 0.05, "the comparison would see nothing"
        torch.testing.assert_close(ours[task], theirs[task], **CLOSE, msg=lambda said, task=task: f"{task}: {said}")


def test_the_activation_is_taken_from_config_json(tmp_path):
    folder = write_hub(build("Tipsv2DptForDensePrediction", oracle_config(activation="linear")), tmp_path / "small-dpt")
    features = random_features(width=48)
    assert densezero.load_head(folder, "depth").decoder.config.activation == "identity"
    plain = densezero.load_head(folder, "depth")(features)
    (folder / "config.json").unlink()
    assert densezero.load_head(folder, "depth").decoder.config.activation == "relu"
    assert densezero.load_head(folder, "normals").decoder.config.activation == "identity"
    assert (densezero.load_head(folder, "depth")(features) - plain).abs().max() > 1e-3


@pytest.mark.parametrize("task", TASKS)
def test_a_repository_of_one_head_needs_no_task(tmp_path, task):
    model = build(SINGLE[task], oracle_config())
    folder = write_hub(model, tmp_path / "one")
    head = densezero.load_head(folder)
    assert (head.task, head.blocks) == (task, (0, 1, 3, 4))
    pixels = torch.rand(1, 3, 70, 98)
    found = densezero.load_encoder(folder, "cpu", "float32").encode_blocks(pixels, head.blocks)
    ours = head([(cls, grid.permute(0, 3, 1, 2)) for cls, grid in found])
    with torch.inference_mode():
        outputs = model(pixels)
    theirs = {
        "depth": lambda: outputs.predicted_depth,
        "normals": lambda: torch.nn.functional.normalize(outputs.normals, dim=1),
        "segmentation": lambda: outputs.logits,
    }[task]()
    torch.testing.assert_close(ours, theirs, **CLOSE)


def test_one_file_predicts_everything_of_an_image(tmp_path, monkeypatch):
    folder = write_hub(build("Tipsv2DptForDensePrediction", oracle_config()), tmp_path / "small-dpt")
    encoder = densezero.load_encoder(folder, "cpu", "float32")
    assert (encoder.name, encoder.has_text, encoder.depth, encoder.width) == ("small-dpt", False, 5, 48)
    assert len(encoder.weights_hash) == 64
    prediction = DensePredictor(encoder, [densezero.load_head(folder, task) for task in TASKS], side_px=56).predict(
        torch.rand(3, 40, 61)
    )
    assert prediction.depth.shape == prediction.labels.shape == (40, 61)
    assert prediction.normals.shape == (40, 61, 3)


class ShapesAlone(TensorFile):
    """A file of which only the shapes are known."""

    def __init__(self, shapes):
        self.file, self.shapes = Path("model.safetensors"), shapes

    def _read(self, names):
        raise AssertionError("no values are needed")


@pytest.mark.parametrize("size", STAGES)
def test_the_four_published_sizes_are_read_from_shapes(size):
    vision = PUBLISHED_SIZES[size].vision
    config = oracle_config(vision.width, vision.heads, vision.depth, STAGES[size], vision.ffn == "swiglu", channels=256)
    config.backbone_config.image_size = 448
    if vision.ffn == "mlp":
        config.backbone_config.mlp_ratio = vision.mlp_width / vision.width
    with torch.device("meta"):
        model = transformers.Tipsv2DptForDensePrediction(config)
    tensors = ShapesAlone({name: tuple(value.shape) for name, value in model.state_dict().items()})
    backbone = HubBackbone(tensors)
    assert read_vision_config(backbone.shapes, backbone.file) == vision
    with torch.device("meta"):
        check_layout(VisionTower(vision), backbone.shapes, backbone.file)
    for task in TASKS:
        source = HeadSource(tensors, task, flax=False, prefix=f"{task}_")
        sizes = read_config(source, "identity")
        check_head(source, sizes)
        assert (sizes.width, sizes.channels) == (vision.width, 256)
        assert sizes.level_widths == (vision.width // 8, vision.width // 4, vision.width // 2, vision.width)
        assert sizes.outputs == {"depth": 256, "normals": 3, "segmentation": 7}[task]


@pytest.mark.slow
def test_the_full_size_b_equals_the_oracle(tmp_path):
    model = build("Tipsv2DptForDensePrediction", oracle_config(768, 12, 12, STAGES["B"], channels=256))
    pixels = torch.rand(1, 3, 70, 98, generator=torch.Generator().manual_seed(1))
    theirs, folder = outputs_of(model, pixels), write_hub(model, tmp_path / "b-dpt")
    ours = our_outputs(folder, pixels)
    for task in TASKS:
        assert theirs[task].std() > 0.05
        torch.testing.assert_close(ours[task], theirs[task], **CLOSE, msg=lambda said, task=task: f"{task}: {said}")
