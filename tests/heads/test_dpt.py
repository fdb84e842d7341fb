import pytest
import torch

from densezero.errors import ModelError
from densezero.heads.dpt import DptConfig, DptDecoder, Fusion, Reassemble, ResidualUnit
from tests.conftest import callers_torch_settings
from tests.heads.fakes import random_features, small_head


def centre(value):
    """A 3 x 3 kernel that multiplies a pixel by a number."""
    kernel = torch.zeros(1, 1, 3, 3)
    kernel[0, 0, 1, 1] = value
    return torch.nn.Parameter(kernel)


@torch.inference_mode()
def test_a_residual_unit_by_hand():
    unit = ResidualUnit(1)
    unit.conv1.weight, unit.conv2.weight = centre(2.0), centre(-1.0)
    maps = torch.tensor([3.0, -1.0]).reshape(1, 1, 1, 2)
    assert unit(maps).flatten().tolist() == [3 - 6, -1 - 0]


@torch.inference_mode()
def test_the_deepest_fusion_by_hand():
    fusion = Fusion(1, lateral=False)
    fusion.main.conv1.weight = fusion.main.conv2.weight = centre(0.0)
    fusion.projection.weight, fusion.projection.bias = (
        torch.nn.Parameter(torch.full((1, 1, 1, 1), 2.0)),
        torch.nn.Parameter(torch.ones(1)),
    )
    fused = fusion(torch.tensor([[0.0, 3.0], [6.0, 9.0]])[None, None], None)[0, 0]
    # Corners stay corners: 0, 1, 2, 3 along the first row before the projection 2 x + 1.
    torch.testing.assert_close(fused[0], torch.tensor([1.0, 3.0, 5.0, 7.0]))
    torch.testing.assert_close(fused[:, 0], torch.tensor([1.0, 5.0, 9.0, 13.0]))


@torch.inference_mode()
def test_a_lateral_map_of_another_size_is_resized_before_its_unit():
    fusion = Fusion(1, lateral=True)
    fusion.main.conv1.weight = fusion.main.conv2.weight = centre(0.0)
    fusion.lateral.conv1.weight, fusion.lateral.conv2.weight = centre(1.0), centre(1.0)
    fusion.projection.weight = torch.nn.Parameter(torch.ones(1, 1, 1, 1))
    fusion.projection.bias = torch.nn.Parameter(torch.zeros(1))
    level = torch.tensor([-4.0, 4.0, 0.0]).reshape(1, 1, 1, 3)
    fused = fusion(level, torch.zeros(1, 1, 1, 1))
    # Three columns to one: the middle, 4. Then its unit: 4 + relu(relu(4)) = 8. The order matters where signs mix.
    torch.testing.assert_close(fused, torch.full((1, 1, 2, 2), 8.0))


@torch.inference_mode()
def test_the_class_token_is_the_second_half_of_the_read_out():
    reassemble = Reassemble(1, 1, level=2)
    reassemble.readout.weight = torch.nn.Parameter(torch.tensor([[1.0, 10.0]]))
    reassemble.readout.bias = torch.nn.Parameter(torch.tensor([5.0]))
    reassemble.projection.weight = torch.nn.Parameter(torch.ones(1, 1, 1, 1))
    reassemble.projection.bias = torch.nn.Parameter(torch.zeros(1))
    mapped = reassemble(torch.tensor([[2.0]]), torch.tensor([3.0, 4.0]).reshape(1, 1, 1, 2))
    torch.testing.assert_close(mapped.flatten(), torch.tensor([3.0 + 20 + 5, 4.0 + 20 + 5]))  # GELU(x) = x for large x


@pytest.mark.parametrize(("grid_hw", "hw"), [((6, 8), (48, 64)), ((5, 7), (48, 64)), ((1, 1), (16, 16))])
def test_raw_outputs_have_sixteen_rows_for_two_rows_of_patches(grid_hw, hw):
    assert small_head("depth")(random_features(grid_hw)).shape == (1, *hw)


@pytest.mark.parametrize("task", ["depth", "normals", "segmentation"])
def test_a_batch_equals_one_by_one(task):
    head, features = small_head(task), random_features(batch=3)
    single = [head([(cls[image : image + 1], grid[image : image + 1]) for cls, grid in features]) for image in range(3)]
    together = head(features)
    torch.testing.assert_close(together, torch.cat(single), rtol=0, atol=1e-5 * float(together.abs().max()))


def test_relu_between_the_last_layers_changes_the_numbers():
    config = DptConfig(24, (4, 8, 16, 24), 16, 3)
    decoders = [DptDecoder(config), DptDecoder(DptConfig(24, (4, 8, 16, 24), 16, 3, "relu"))]
    decoders[1].load_state_dict(decoders[0].state_dict())
    with torch.inference_mode():
        plain, relu = (decoder(random_features()) for decoder in decoders)
    assert (plain - relu).abs().max() > 1e-3


def test_a_callers_torch_settings_change_nothing():
    head, features = small_head("depth"), random_features()
    expected = head(features, (30, 40))
    with callers_torch_settings():
        assert torch.equal(head(features, (30, 40)), expected)


@pytest.mark.parametrize(
    "change", [{"width": 0}, {"level_widths": (4, 8, 16)}, {"channels": -1}, {"outputs": 0}, {"activation": "tanh"}]
)
def test_contradicting_sizes_are_refused(change):
    with pytest.raises(ModelError, match=r"DPT decoder|an activation"):
        DptConfig(**{"width": 24, "level_widths": (4, 8, 16, 24), "channels": 16, "outputs": 3, **change})


@pytest.mark.parametrize(
    "features",
    [
        random_features()[:3],
        random_features(width=16),
        [*random_features()[:3], *random_features((6, 7))[:1]],
        [(cls[:, :5], grid) for cls, grid in random_features()],
        [(cls, grid[0]) for cls, grid in random_features()],
        [],
    ],
)
def test_features_that_do_not_fit_are_refused(features):
    with pytest.raises(ModelError, match=r"features of 4 blocks, each a class token \(B, 24\)"):
        small_head("depth")(features)


@pytest.mark.parametrize(("task", "outputs"), [("normals", 4), ("depth", 1), ("segmentation", 255)])
def test_a_number_of_outputs_that_a_task_cannot_have_is_refused(task, outputs):
    with pytest.raises(ModelError, match=f"outputs of a head for {task}"):
        small_head(task, outputs=outputs)


def test_a_head_refuses_unknown_tasks_and_labels_of_another_task():
    with pytest.raises(ModelError, match="Expected a task out of depth, normals, segmentation"):
        small_head("colour", outputs=3)
    with pytest.raises(ModelError, match="small-depth is for depth"):
        small_head("depth").labels(random_features(), (10, 10))
    with pytest.raises(ModelError, match="Expected 4 blocks"):
        small_head("depth", blocks=(1, 2))
