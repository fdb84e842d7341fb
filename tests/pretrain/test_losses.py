import math
from functools import partial

import numpy as np
import pytest
import torch
from torch import nn

from densezero.pretrain.heads import ProjectionHead
from densezero.pretrain.losses import (
    caption_contrast,
    dino,
    ibot,
    ibot_plus_plus,
    move_centre,
    prototype_cross_entropy,
    sharpen,
    two_token_contrast,
)

TAU = torch.tensor(0.2)
HALF = math.log(1 + math.exp(-2))  # cross-entropy of logits (2, 0) with the first


def seeded(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def random_patches() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Logits and targets (4, 6, 5), and a mask (4, 6) whose images have 2, 0, 6 and 1 masked patches."""
    targets = sharpen(seeded(4, 6, 5, seed=1), torch.zeros(5), 0.5)
    mask = torch.zeros(4, 6, dtype=torch.bool)
    mask[0, [1, 4]] = mask[2] = mask[3, 5] = True
    return seeded(4, 6, 5), targets, mask


def loop_softmax(values: np.ndarray) -> np.ndarray:
    powers = [math.exp(value) for value in values]
    return np.array([power / sum(powers) for power in powers])


def loop_cross_entropy(logits: torch.Tensor, targets: torch.Tensor, temperature: float) -> float:
    shares = loop_softmax(logits.double().numpy() / temperature)
    return -sum(float(target) * math.log(share) for target, share in zip(targets, shares, strict=True))


def loop_contrast(images: torch.Tensor, captions: torch.Tensor, temperature: float) -> float:
    x, y = images.double().numpy(), captions.double().numpy()
    total = 0.0
    for i in range(len(x)):
        forth = [x[i] @ b / np.linalg.norm(x[i]) / np.linalg.norm(b) / temperature for b in y]
        back = [a @ y[i] / np.linalg.norm(a) / np.linalg.norm(y[i]) / temperature for a in x]
        total -= math.log(loop_softmax(np.array(forth))[i]) + math.log(loop_softmax(np.array(back))[i])
    return total / len(x) / 2


# Image against caption


def test_the_contrast_agrees_with_a_plain_loop():
    images, captions = seeded(5, 7), seeded(5, 7, seed=1)
    loss = caption_contrast(images, captions, TAU).item()
    assert loss == pytest.approx(loop_contrast(images, captions, 0.2), abs=1e-5)


def test_the_contrast_with_gathered_rows_by_hand():
    units, tau = torch.eye(2), torch.tensor(0.5)
    for first in (0, 1):  # each process has one pair; the other's is its negative
        own = units[first : first + 1]
        loss = caption_contrast(own, own, tau, all_images=units, all_captions=units, first=first)
        assert loss.item() == pytest.approx(HALF)


def test_the_contrast_stays_float32_under_autocast():
    images, captions, tau = seeded(8, 32), seeded(8, 32, seed=1), torch.tensor(0.005)
    with torch.autocast("cpu", torch.bfloat16):
        loss = caption_contrast(images, captions, tau)
    torch.testing.assert_close(loss, caption_contrast(images, captions, tau), rtol=0, atol=0)


def test_two_token_contrast_by_hand():
    units, tau = torch.eye(2), torch.tensor(0.5)
    cls = torch.stack([units, units.flip(0)], dim=1)  # token 2 of each image is that of the other one
    # right for the alt text, wrong for the caption: HALF and 2 + HALF
    assert two_token_contrast(cls, units, units, tau).item() == pytest.approx(1 + HALF)
    assert two_token_contrast(cls, units, units.flip(0), tau).item() == pytest.approx(HALF)


def test_two_token_contrast_agrees_with_a_plain_loop():
    cls, alt, caption = seeded(5, 2, 7), seeded(5, 7, seed=1), seeded(5, 7, seed=2)
    expected = (loop_contrast(cls[:, 0], alt, 0.2) + loop_contrast(cls[:, 1], caption, 0.2)) / 2
    assert two_token_contrast(cls, alt, caption, TAU).item() == pytest.approx(expected, abs=1e-5)


class Towers(nn.Module):
    """Linear layers in place of the towers, and a temperature."""

    def __init__(self) -> None:
        super().__init__()
        self.vision, self.text = nn.Linear(6, 2 * 4), nn.Linear(5, 4)
        self.temperature = nn.Parameter(torch.tensor(0.3))
        with torch.no_grad():
            for i, parameter in enumerate((self.vision.weight, self.text.weight)):
                parameter.copy_(seeded(*parameter.shape, seed=i))

    def loss(self, pixels, alt, caption, gather=None, rank=0):
        cls = self.vision(pixels).unflatten(-1, (2, 4))
        return two_token_contrast(cls, self.text(alt), self.text(caption), self.temperature, gather, rank)


def gradients(loss: torch.Tensor, towers: Towers) -> list[torch.Tensor]:
    return list(torch.autograd.grad(loss, list(towers.parameters())))


@pytest.mark.parametrize("ranks", [2, 3])
def test_the_average_over_processes_is_the_loss_and_the_gradient_of_the_whole_batch(ranks):
    towers = Towers()
    batch = seeded(6, 6), seeded(6, 5, seed=3), seeded(6, 5, seed=4)
    whole = towers.loss(*batch)
    parts = list(zip(*(part.chunk(ranks) for part in batch), strict=True))

    sent = []  # what each process would send
    for part in parts:
        towers.loss(*part, gather=lambda own: sent.append(own) or own)

    losses = [towers.loss(*part, gather=lambda own: torch.cat(sent), rank=r) for r, part in enumerate(parts)]
    assert len({round(loss.item(), 4) for loss in losses}) == ranks  # the processes differ
    torch.testing.assert_close(sum(losses) / ranks, whole)
    for mean, expected in zip(gradients(sum(losses) / ranks, towers), gradients(whole, towers), strict=True):
        torch.testing.assert_close(mean, expected, rtol=1e-4, atol=1e-6)


# The teacher's targets


def test_sharpen_by_hand():
    targets = sharpen(torch.tensor([[3.0, 1.0], [1.0, 1.0]]), torch.tensor([2.0, 1.0]), 0.5)
    right = 1 / (1 + math.exp(-2))  # (3 - 2, 1 - 1) / 0.5 = (2, 0)
    torch.testing.assert_close(targets, torch.tensor([[right, 1 - right], [1 - right, right]]))


def test_sharpen_agrees_with_a_plain_loop():
    logits, centre = seeded(2, 3, 5), seeded(5, seed=1)
    targets = sharpen(logits, centre, 0.3)
    for b, p in np.ndindex(2, 3):
        np.testing.assert_allclose(targets[b, p], loop_softmax((logits[b, p] - centre).numpy() / 0.3), rtol=1e-4)


def test_move_centre_by_hand():
    logits = torch.tensor([[[1.0, 0.0], [3.0, 0.0]], [[5.0, 4.0], [7.0, 0.0]]])  # means 4 and 1
    torch.testing.assert_close(move_centre(torch.tensor([0.0, 1.0]), logits, 0.75), torch.tensor([1.0, 1.0]))


def test_move_centre_agrees_with_a_plain_loop_and_halves_average_to_the_whole():
    centre, logits = seeded(5), seeded(4, 3, 5, seed=1)
    moved = move_centre(centre, logits, 0.9)
    for k in range(5):
        mean = sum(float(logits[b, p, k]) for b, p in np.ndindex(4, 3)) / 12
        assert moved[k].item() == pytest.approx(0.9 * float(centre[k]) + 0.1 * mean, abs=1e-6)
    halves = [move_centre(centre, half, 0.9) for half in logits.chunk(2)]
    torch.testing.assert_close(sum(halves) / 2, moved)


def test_targets_and_centre_have_no_graph():
    logits, centre = seeded(3, 5).requires_grad_(), seeded(5, seed=1).requires_grad_()
    assert not sharpen(logits, centre, 0.1).requires_grad
    assert not move_centre(centre, logits, 0.9).requires_grad


# The losses against prototypes


def test_prototype_cross_entropy_by_hand():
    logits, targets = torch.tensor([[1.0, 0.0], [1.0, 0.0]]), torch.tensor([[1.0, 0.0], [0.5, 0.5]])
    loss = prototype_cross_entropy(logits, targets, 0.5)
    torch.testing.assert_close(loss, torch.tensor([HALF, 1 + HALF]))  # the second: (HALF + 2 + HALF) / 2


def test_prototype_cross_entropy_agrees_with_a_plain_loop():
    logits, targets, _ = random_patches()
    loss = prototype_cross_entropy(logits, targets, 0.3)
    assert loss.shape == (4, 6)
    for b, p in np.ndindex(4, 6):
        assert loss[b, p].item() == pytest.approx(loop_cross_entropy(logits[b, p], targets[b, p], 0.3), abs=1e-4)


def test_dino_by_hand():
    logits = torch.tensor([[[1.0, 0.0], [0.0, 1.0]], [[1.0, 0.0], [1.0, 0.0]]])  # 2 images with 2 crops
    targets = torch.tensor([[1.0, 0.0], [1.0, 0.0]])
    # one crop of four is wrong, and costs 2 more
    assert dino(logits, targets, 0.5).item() == pytest.approx(HALF + 2 / 4)


def test_dino_agrees_with_a_plain_loop():
    logits, targets = seeded(3, 4, 5), sharpen(seeded(3, 5, seed=1), torch.zeros(5), 0.5)
    expected = [loop_cross_entropy(logits[b, m], targets[b], 0.3) for b, m in np.ndindex(3, 4)]
    assert dino(logits, targets, 0.3).item() == pytest.approx(np.mean(expected), abs=1e-5)


def test_ibot_by_hand():
    right, wrong = [1.0, 0.0], [0.0, 1.0]
    logits = torch.tensor([[right, wrong, wrong], [right, right, wrong]])
    targets = torch.tensor([[right] * 3] * 2)
    mask = torch.tensor([[True, True, False], [True, False, False]])
    # image 1: (HALF + 2 + HALF) / 2; image 2: HALF; the wrong patches beside the mask do not count
    assert ibot(logits, targets, mask, 0.5).item() == pytest.approx(HALF + 1 / 2)
    assert ibot_plus_plus(logits, targets, 0.5).item() == pytest.approx(HALF + 2 * 3 / 6)
    mask[0] = False  # an image without a masked patch does not count
    assert ibot(logits, targets, mask, 0.5).item() == pytest.approx(HALF)


def test_ibot_agrees_with_a_plain_loop():
    logits, targets, mask = random_patches()
    images = []
    for b in range(4):
        masked = [loop_cross_entropy(logits[b, p], targets[b, p], 0.3) for p in range(6) if mask[b, p]]
        if masked:
            images.append(sum(masked) / len(masked))
    assert len(images) == 3
    assert ibot(logits, targets, mask, 0.3).item() == pytest.approx(sum(images) / 3, abs=1e-5)


def test_ibot_plus_plus_agrees_with_a_plain_loop():
    logits, targets, _ = random_patches()
    expected = [loop_cross_entropy(logits[b, p], targets[b, p], 0.3) for b, p in np.ndindex(4, 6)]
    assert ibot_plus_plus(logits, targets, 0.3).item() == pytest.approx(np.mean(expected), abs=1e-5)


def test_with_every_patch_masked_ibot_plus_plus_equals_ibot():
    logits, targets, mask = random_patches()
    everything = torch.ones_like(mask)
    torch.testing.assert_close(ibot_plus_plus(logits, targets, 0.3), ibot(logits, targets, everything, 0.3))
    assert (ibot_plus_plus(logits, targets, 0.3) - ibot(logits, targets, mask, 0.3)).abs() > 1e-3


def test_ibot_without_a_masked_patch_is_zero_and_can_go_backward():
    logits, targets, mask = random_patches()
    logits.requires_grad_()
    loss = ibot(logits, targets, torch.zeros_like(mask), 0.3)
    assert loss.item() == 0
    loss.backward()
    assert not logits.grad.any()


def test_distilling_a_model_into_itself_costs_the_entropy():
    logits = seeded(4, 6, 5)
    targets = sharpen(logits, torch.zeros(5), 0.3)
    entropy = torch.distributions.Categorical(probs=targets).entropy().mean()
    torch.testing.assert_close(ibot_plus_plus(logits, targets, 0.3), entropy)
    student = logits.clone().requires_grad_()
    ibot_plus_plus(student, targets, 0.3).backward()
    assert student.grad.abs().max() < 1e-7  # nothing to learn


def test_gradients_reach_the_student_alone_and_in_ibot_the_masked_patches_alone():
    logits, targets, mask = random_patches()
    cases = {
        "dino": (lambda x, t: dino(x, t[:, 0], 0.3), torch.ones_like(mask)),
        "ibot": (lambda x, t: ibot(x, t, mask, 0.3), mask),
        "ibot++": (lambda x, t: ibot_plus_plus(x, t, 0.3), torch.ones_like(mask)),
    }
    for name, (loss, reached) in cases.items():
        student, teacher = logits.clone().requires_grad_(), targets.clone().requires_grad_()
        loss(student, teacher).backward()
        assert teacher.grad is None, name
        assert torch.equal(student.grad.abs().sum(-1) > 0, reached), name


def test_the_order_of_the_batch_does_not_matter():
    logits, targets, mask = random_patches()
    cls, alt, caption, centre = seeded(4, 2, 7), seeded(4, 7, seed=1), seeded(4, 7, seed=2), torch.zeros(5)
    cases = [
        (partial(caption_contrast, temperature=TAU), (alt, caption)),
        (partial(two_token_contrast, temperature=TAU), (cls, alt, caption)),
        (partial(dino, temperature=0.3), (logits, targets[:, 0])),
        (partial(ibot, temperature=0.3), (logits, targets, mask)),
        (partial(ibot_plus_plus, temperature=0.3), (logits, targets)),
        (lambda x: move_centre(centre, x, 0.9), (logits,)),
    ]
    for loss, given in cases:
        rolled = [tensor.roll(1, 0) for tensor in given]
        torch.testing.assert_close(loss(*rolled), loss(*given), rtol=1e-6, atol=1e-6)


def test_losses_are_float32_for_half_precision_inputs():
    logits, targets, mask = (tensor.bfloat16() for tensor in random_patches())
    losses = [
        dino(logits, targets[:, 0], 0.3),
        ibot(logits, targets, mask.bool(), 0.3),
        ibot_plus_plus(logits, targets, 0.3),
        two_token_contrast(logits[:, :2], logits[:, 0], logits[:, 1], TAU),
        sharpen(logits, torch.zeros(5), 0.3),
        move_centre(torch.zeros(5), logits, 0.9),
    ]
    assert {loss.dtype for loss in losses} == {torch.float32}
    torch.testing.assert_close(losses[2], ibot_plus_plus(logits.float(), targets.float(), 0.3), rtol=0, atol=0)


# The projection head


def test_a_head_gives_cosines_with_its_prototypes():
    head = ProjectionHead(8, prototypes=5, hidden=16, bottleneck=4)
    tokens = seeded(2, 3, 8)
    logits = head(tokens)
    units, rows = head.mlp(tokens), head.prototypes.weight
    for b, p, k in np.ndindex(2, 3, 5):
        cosine = nn.functional.cosine_similarity(units[b, p], rows[k], dim=0)
        assert logits[b, p, k].item() == pytest.approx(cosine.item(), abs=1e-5)
    with torch.no_grad():
        head.prototypes.weight *= 3  # the length does not count
    torch.testing.assert_close(head(tokens), logits)


def test_a_head_computes_what_is_worked_out_by_hand():
    head = ProjectionHead(1, prototypes=2, hidden=1, bottleneck=2)
    with torch.no_grad():
        for i in (0, 2):
            head.mlp[i].weight.fill_(1.0)
        head.mlp[4].weight.copy_(torch.tensor([[3.0], [4.0]]))
        head.prototypes.weight.copy_(torch.tensor([[2.0, 0.0], [1.0, 1.0]]))
    # positive after both GELUs, then the direction (3, 4) / 5
    torch.testing.assert_close(head(torch.ones(1)), torch.tensor([0.6, 7 / 5 / math.sqrt(2)]))


def test_a_head_keeps_the_size_of_tokens_and_gradients_at_the_start_and_all_of_it_learns():
    torch.manual_seed(0)
    head = ProjectionHead(64, prototypes=32, hidden=128, bottleneck=16)
    tokens = seeded(50, 64).requires_grad_()
    assert 0.3 < head.mlp(tokens).std().item() < 3
    prototype_cross_entropy(head(tokens), torch.eye(32)[:1].expand(50, -1), 0.1).sum().backward()
    assert 0.1 < tokens.grad.norm(dim=-1).mean().item() < 10
    assert "prototypes.bias" not in dict(head.named_parameters())
    prototype_cross_entropy(head(seeded(6, 64)), torch.eye(32)[:6], 0.1).mean().backward()
    assert all(parameter.grad.any() for parameter in head.parameters())
