import json
import shutil

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

import densezero
from densezero.encoders import MODELS
from densezero.errors import ModelError
from densezero.heads.hub_config import read_hub_config
from tests.conftest import GOLDEN


def refusal(*arguments):
    with pytest.raises(ModelError) as caught:
        densezero.load_head(*arguments)
    return str(caught.value)


@pytest.fixture
def arrays():
    with np.load(GOLDEN / "dpt_b_depth.npz") as stored:
        return dict(stored)


def write(folder, arrays, name="tips_v2_b14_depth_dpt.npz"):
    np.savez(folder / name, **arrays)
    return folder / name


def test_sizes_are_read_from_shapes():
    config = densezero.load_head(GOLDEN / "dpt_a_normals.npz").decoder.config
    assert (config.width, config.channels, config.level_widths, config.outputs) == (32, 16, (4, 8, 16, 32), 3)


def test_the_hash_covers_the_file_and_the_task():
    hashes = {densezero.load_head(GOLDEN / f"dpt_{name}_depth.npz").weights_hash for name in "ab"}
    assert len(hashes) == 2
    assert all(len(one) == 64 for one in hashes)


def test_half_precision_in_a_file_becomes_float32(tmp_path, arrays):
    head = densezero.load_head(write(tmp_path, {name: value.astype(np.float16) for name, value in arrays.items()}))
    assert {value.dtype for value in head.decoder.state_dict().values()} == {torch.float32}


def test_a_folder_of_several_heads_needs_the_task(tmp_path):
    for task in ("depth", "normals", "segmentation"):
        shutil.copy(GOLDEN / f"dpt_b_{task}.npz", tmp_path / f"tips_v2_b14_{task}_dpt.zip")
    assert densezero.load_head(tmp_path, "normals").task == "normals"
    said = refusal(tmp_path)
    assert "to hold one head; found:" in said
    assert "tips_v2_b14_depth_dpt.zip (depth)" in said
    shutil.copy(GOLDEN / "dpt_a_depth.npz", tmp_path / "tips_v2_l14_depth_dpt.zip")
    assert "one head for depth" in refusal(tmp_path, "depth")


def test_a_file_for_another_task_is_refused():
    assert "Expected a head for normals in" in refusal(GOLDEN / "dpt_a_depth.npz", "normals")
    assert "Expected a task out of depth, normals, segmentation" in refusal(GOLDEN / "dpt_a_depth.npz", "colour")


@pytest.mark.parametrize("name", [name for name in MODELS if not name.startswith("tipsv2")] + ["open_clip:ViT-B-16/x"])
def test_a_model_without_heads_names_those_that_have_them(name):
    said = refusal(name, "depth")
    assert f"{name} has no heads for depth, normals or segmentation" in said
    assert "tipsv2-b14, tipsv2-l14, tipsv2-so400m14, tipsv2-g14" in said


def test_unknown_names_missing_files_and_other_files_are_refused(tmp_path):
    assert "Did you mean 'tipsv2-l14'?" in refusal("tipsv2-l41", "depth")
    assert "which is none of these" in refusal(tmp_path / "absent.zip", "depth")
    (tmp_path / "head.txt").write_text("")
    assert "ending in .zip, .npz or .safetensors" in refusal(tmp_path / "head.txt")
    assert "found: none. Put model.safetensors" in refusal(tmp_path)
    assert "Only hub repositories have revisions" in refusal(tmp_path, None, "v1")


def test_a_file_that_is_no_head_is_refused(tmp_path):
    assert "is not a published DPT head" in refusal(GOLDEN / "vision_a.npz")
    save_file({"vision_encoder.norm.weight": torch.ones(3)}, tmp_path / "model.safetensors")
    assert "holds no DPT head" in refusal(tmp_path)
    (tmp_path / "cut.zip").write_bytes((GOLDEN / "dpt_b_depth.npz").read_bytes()[:2000])
    assert "cannot be read as a tensor file" in refusal(tmp_path / "cut.zip")


def test_missing_unexpected_and_misshapen_tensors_are_named(tmp_path, arrays):
    kernel = "decoder/dpt/convs_2/kernel"
    said = refusal(write(tmp_path, {name: value for name, value in arrays.items() if name != kernel}))
    assert f"does not hold a complete DPT head for depth: {kernel} is missing" in said
    assert "decoder/extra is unexpected" in refusal(write(tmp_path, {**arrays, "decoder/extra": np.ones(3)}))
    said = refusal(write(tmp_path, {**arrays, kernel: arrays[kernel].transpose(3, 2, 0, 1)}))
    assert f"{kernel} has shape (8, 8, 3, 3) where (3, 3, 8, 8) was expected" in said
    bias = "decoder/dpt/project/bias"
    assert "it is missing" in refusal(write(tmp_path, {name: value for name, value in arrays.items() if name != bias}))
    assert "it has shape (8, 1)" in refusal(write(tmp_path, {**arrays, bias: arrays[bias][:, None]}))
    assert "floating-point" in refusal(write(tmp_path, {**arrays, bias: arrays[bias].astype(np.int64)}))


def test_two_kinds_of_head_in_one_file_are_refused(tmp_path, arrays):
    said = refusal(write(tmp_path, {**arrays, "decoder/pixel_normals/bias": np.ones(3, np.float32)}))
    assert "it has 2 of them" in said


def test_config_json_states_blocks_depths_and_activation(tmp_path):
    file = tmp_path / "config.json"
    file.write_text(
        json.dumps(
            {
                "backbone_config": {"out_indices": [3, 6, 9, 12]},
                "depth_decoder_activation": None,
                "min_depth": 0.5,
                "max_depth": 80,
                "architectures": ["Tipsv2DptForDepthEstimation"],
            }
        )
    )
    config = read_hub_config(file)
    assert (config.blocks, config.depth_activation, config.task) == ((2, 5, 8, 11), "identity", "depth")
    assert (config.depths.nearest_m, config.depths.farthest_m) == (0.5, 80.0)
    assert read_hub_config(tmp_path / "absent.json").blocks is None


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "cannot be read as JSON"),
        ("[]", "Expected a JSON object"),
        ('{"readout_activation": "relu"}', "readout_activation"),
        ('{"min_depth": -1}', "metres above 0"),
        ('{"min_depth": 3, "max_depth": 2}', "0 < nearest < farthest"),
        ('{"max_depth": true}', "metres above 0"),
        ('{"backbone_config": {"out_indices": [0, 1, 2, 3]}}', "out_indices"),
        ('{"backbone_config": {"out_indices": [1, 2, 3]}}', "out_indices"),
        ('{"backbone_config": {"out_indices": [4, 3, 2, 1]}}', "out_indices"),
        ('{"backbone_config": {"out_indices": "all"}}', "out_indices"),
    ],
)
def test_a_wrong_config_json_is_refused(tmp_path, content, said):
    (tmp_path / "config.json").write_text(content)
    with pytest.raises(ModelError, match=said):
        read_hub_config(tmp_path / "config.json")


def test_an_unknown_activation_is_refused(tmp_path):
    from tests.heads.hub_files import write_small_hub

    folder = write_small_hub(tmp_path / "small-dpt", {"depth_decoder_activation": "tanh"})
    assert "Expected an activation out of identity, relu; got 'tanh'" in refusal(folder, "depth")
    assert densezero.load_head(folder, "normals").task == "normals"
    assert "State the task" in refusal(folder)
