import pytest
import torch
from torch import nn

from densezero.encoders.tips.config import VisionConfig
from densezero.encoders.tips.vision import VisionTower
from densezero.errors import ModelError
from densezero.pretrain.heads import ProjectionHead
from densezero.pretrain.losses import ibot_plus_plus, sharpen
from densezero.pretrain.teacher import Teacher

CONFIG = VisionConfig(8, 2, 2, 16, native_px=28)


def make_student() -> tuple[VisionTower, nn.ModuleDict]:
    torch.manual_seed(0)
    vision = VisionTower(CONFIG)
    for parameter in (vision.cls_token, vision.pos_embed, vision.register_tokens):
        nn.init.normal_(parameter)
    heads = nn.ModuleDict({"dino": ProjectionHead(8, 6, 16, 4), "ibot": ProjectionHead(8, 6, 16, 4)})
    return vision, heads


def shift(module: nn.Module, by: float) -> None:
    with torch.no_grad():
        for tensor in (*module.parameters(), *module.buffers()):
            tensor.add_(by)


def test_a_wrong_ema_is_an_error_that_names_the_choices():
    with pytest.raises(ModelError, match="'head' or 'full'; got 'none'"):
        Teacher(*make_student(), "none", 0.9)


def test_with_ema_of_the_head_the_tower_is_the_students_and_only_heads_are_copied():
    vision, heads = make_student()
    teacher = Teacher(vision, heads, "head", 0.9)
    assert teacher.vision is vision
    assert all(parameter.requires_grad for parameter in vision.parameters())
    assert set(teacher.state_dict()) == {"heads"}
    assert teacher.copied_bytes == 4 * sum(parameter.numel() for parameter in heads.parameters())
    before = {name: value.clone() for name, value in vision.state_dict().items()}
    shift(heads, 1.0)
    teacher.update(0)
    assert all(torch.equal(value, before[name]) for name, value in vision.state_dict().items())


def test_with_full_ema_the_tower_is_a_copy_without_gradients():
    vision, heads = make_student()
    teacher = Teacher(vision, heads, "full", 0.9)
    own = {parameter.data_ptr() for module in (vision, heads) for parameter in module.parameters()}
    copies = [parameter for module in (teacher.vision, teacher.heads) for parameter in module.parameters()]
    assert not own & {parameter.data_ptr() for parameter in copies}
    assert not any(parameter.requires_grad for parameter in copies)
    assert set(teacher.state_dict()) == {"heads", "vision"}
    assert teacher.copied_bytes == 4 * sum(parameter.numel() for parameter in copies)
    assert teacher.copied_bytes > Teacher(vision, heads, "head", 0.9).copied_bytes


def test_the_head_moves_by_hand():
    vision, heads = make_student()
    teacher = Teacher(vision, heads, "head", 0.5)
    with torch.no_grad():
        heads["dino"].mlp[0].bias.fill_(1.0)  # the teacher's is 0
    bias = teacher.heads["dino"].mlp[0].bias
    teacher.update(0)  # d = 1 / 10
    torch.testing.assert_close(bias, torch.full_like(bias, 0.9))
    teacher.update(1000)  # d = min(0.5, 1001 / 1010)
    torch.testing.assert_close(bias, torch.full_like(bias, 0.95))


@pytest.mark.parametrize("ema", ["head", "full"])
def test_the_copies_move_by_the_formula(ema):
    vision, heads = make_student()
    heads["dino"].register_buffer("scale", torch.tensor([2.0]))
    heads["dino"].register_buffer("count", torch.tensor(0))
    teacher = Teacher(vision, heads, ema, 0.3)
    students = {"heads": heads, "vision": vision}
    expected = {
        (part, name): value.clone() for part, state in teacher.state_dict().items() for name, value in state.items()
    }
    for step in range(4):  # d = 0.1, 2 / 11, 0.25, 0.3
        for module in students.values():
            shift(module, step + 1)
        teacher.update(step)
        d = min(0.3, (1 + step) / (10 + step))
        for (part, name), value in expected.items():
            new = students[part].state_dict()[name]
            expected[part, name] = d * value + (1 - d) * new if value.is_floating_point() else new.clone()
    state = teacher.state_dict()
    for (part, name), value in expected.items():
        torch.testing.assert_close(state[part][name], value)
    assert len(expected) == sum(map(len, state.values()))


def test_a_moved_tower_forgets_positions_of_other_sizes():
    vision, heads = make_student()
    teacher = Teacher(vision, heads, "full", 0.9)
    pixels = torch.rand(1, 3, 42, 56)  # another grid than the native one, so the tower keeps resized positions
    with torch.no_grad():
        teacher.vision(pixels)
        vision.pos_embed.add_(torch.randn_like(vision.pos_embed))
        teacher.update(0)
        fresh = VisionTower(CONFIG)
        fresh.load_state_dict(teacher.state_dict()["vision"])
        torch.testing.assert_close(teacher.vision(pixels).grid, fresh(pixels).grid)


@pytest.mark.parametrize("ema", ["head", "full"])
def test_a_loaded_teacher_goes_on_as_the_saved_one(ema):
    vision, heads = make_student()
    saved = Teacher(vision, heads, ema, 0.9)
    shift(heads, 1.0)
    shift(vision, 1.0)
    saved.update(3)
    loaded = Teacher(vision, heads, ema, 0.9)
    loaded.load_state_dict(saved.state_dict())
    for teacher in (saved, loaded):
        teacher.update(4)
    for part, state in saved.state_dict().items():
        for name, value in state.items():
            assert torch.equal(loaded.state_dict()[part][name], value)


def test_the_state_of_another_ema_is_an_error():
    vision, heads = make_student()
    state = Teacher(vision, heads, "full", 0.9).state_dict()
    with pytest.raises(ModelError, match="ema 'head'"):
        Teacher(vision, heads, "head", 0.9).load_state_dict(state)


@pytest.mark.parametrize("ema", ["head", "full"])
def test_a_step_sends_gradients_to_the_student_alone(ema):
    vision, heads = make_student()
    teacher = Teacher(vision, heads, ema, 0.9)
    pixels = torch.rand(2, 3, 28, 28)
    with torch.no_grad():
        seen = teacher.heads["ibot"](teacher.vision(pixels, "patch").grid.flatten(1, 2))
    targets = sharpen(seen, torch.zeros(6), 0.04)
    logits = heads["ibot"](vision(pixels, "patch").grid.flatten(1, 2))
    ibot_plus_plus(logits, targets, 0.1).backward()
    assert all(parameter.grad is None for parameter in teacher.heads.parameters())
    assert all(parameter.grad.any() for parameter in heads["ibot"].parameters())
    assert vision.blocks[0].attn.qkv.weight.grad.any()
    if ema == "full":
        assert all(parameter.grad is None for parameter in teacher.vision.parameters())
