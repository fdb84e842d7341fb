"""The words of labelled regions: the loss, the labels of a batch, and a run that learns them."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from densezero.encoders.tips.config import TextConfig
from densezero.encoders.tips.text import TextTower
from densezero.errors import InputError
from densezero.pretrain.data import Batches, SceneSource
from densezero.pretrain.losses import region_words
from densezero.pretrain.settings import PretrainSettings
from densezero.pretrain.student import encode_texts
from densezero.pretrain.trainer import Trainer

SCENES = 6


@pytest.fixture(scope="module")
def scenes(tmp_path_factory):
    return SceneSource(tmp_path_factory.mktemp("scenes"), SCENES, concepts="all")


def slow_region_words(grid, words, labels, temperature):
    """The same loss with loops over images and labels."""
    counts = torch.bincount(labels.flatten().long(), minlength=len(words))
    total, weights = 0.0, 0.0
    for image, its_labels in zip(grid, labels, strict=True):
        cosines = torch.stack([F.cosine_similarity(image, word, dim=-1) for word in words])  # (C, gh, gw)
        large = F.interpolate(cosines[None], its_labels.shape, mode="bilinear", align_corners=False)[0]
        for y, x in np.ndindex(*its_labels.shape):
            label = int(its_labels[y, x])
            weight = 1 / math.sqrt(counts[label])
            total += weight * -torch.log_softmax(large[:, y, x] / temperature, dim=0)[label]
            weights += weight
    return total / weights


def test_region_words_by_hand():
    words, tau = torch.eye(2), torch.tensor(1.0)
    grid = torch.tensor([[[[3.0, 0.0], [0.0, 0.5]]]])  # (1, 1, 2, 2): lengths do not count
    right, wrong = math.log(1 + math.exp(-1)), 1 + math.log(1 + math.exp(-1))

    def loss(*labels):
        return region_words(grid, words, torch.tensor([[labels]], dtype=torch.uint8), tau).item()

    assert loss(0, 1) == pytest.approx(right)
    assert loss(1, 0) == pytest.approx(wrong)
    assert loss(0, 0) == pytest.approx((right + wrong) / 2)


def test_a_rare_label_weighs_more_by_hand():
    words, tau = torch.eye(2), torch.tensor(1.0)
    grid = torch.tensor([[[[1.0, 0.0]]] * 5])  # (1, 5, 1, 2): all are like word 0
    labels = torch.tensor([[[0], [0], [0], [0], [1]]])
    right, wrong = math.log(1 + math.exp(-1)), 1 + math.log(1 + math.exp(-1))
    assert region_words(grid, words, labels, tau).item() == pytest.approx((4 * 0.5 * right + 1 * wrong) / 3)


def test_region_words_equal_a_plain_loop_and_their_laws_hold():
    torch.manual_seed(0)
    grid, words = torch.randn(3, 2, 3, 8), torch.randn(5, 8)
    labels = torch.randint(0, 4, (3, 6, 7))  # label 4 does not occur
    loss = region_words(grid, words, labels, torch.tensor(0.1))
    torch.testing.assert_close(loss, slow_region_words(grid, words, labels, 0.1))
    rolled = region_words(grid.roll(1, 0), words, labels.roll(1, 0), torch.tensor(0.1))
    torch.testing.assert_close(rolled, loss)
    order = torch.tensor([3, 1, 4, 0, 2])  # word i goes to the place order[i]
    moved = torch.empty_like(words)
    moved[order] = words
    torch.testing.assert_close(region_words(grid, moved, order[labels], torch.tensor(0.1)), loss)


def test_the_mean_over_two_processes_is_the_loss_and_the_gradient_of_the_whole_batch():
    torch.manual_seed(1)
    grid, words = torch.randn(4, 2, 2, 8), torch.randn(3, 8)
    labels, tau = torch.randint(0, 3, (4, 4, 4)), torch.tensor(0.2)
    whole = grid.clone().requires_grad_()
    expected = region_words(whole, words, labels, tau)
    expected.backward()
    counts = labels.flatten().bincount(minlength=3) / 2  # what the average over both processes gives
    losses, gradients = [], []
    for part in (slice(0, 2), slice(2, 4)):
        own = grid[part].clone().requires_grad_()
        loss = region_words(own, words, labels[part], tau, mean=lambda _: counts)
        loss.backward()
        losses.append(loss.detach())
        gradients.append(own.grad / 2)
    torch.testing.assert_close(torch.stack(losses).mean(), expected.detach())
    torch.testing.assert_close(torch.cat(gradients), whole.grad)


def test_texts_in_groups_of_like_length_have_the_same_embeddings():
    torch.manual_seed(2)
    text = TextTower(TextConfig(16, 2, 2, 32, 50))
    for parameter in text.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    lengths = torch.tensor([3, 9, 1, 0, 9, 2, 5])
    ids = torch.randint(0, 50, (7, 9))
    paddings = (torch.arange(9) >= lengths[:, None]).float()
    torch.testing.assert_close(encode_texts(text, ids, paddings), text(ids, paddings))
    torch.testing.assert_close(encode_texts(text, ids[:1], paddings[:1]), text(ids[:1], paddings[:1]))


def test_the_labels_of_a_batch_lie_on_its_pixels(scenes):
    batches = Batches(
        scenes, seed=0, side_px=112, patch_px=14, batch=SCENES, mask_ratio=0.0, local_crops=0, local_px=56,
        caption_kind="short", with_labels=True,
    )  # fmt: skip
    batch = batches.at(0)
    assert batch.labels.shape == (SCENES, 28, 28)
    assert batch.labels.dtype == torch.uint8
    assert len(batch.phrases) > int(batch.labels.max())
    # The colours of a region are like each other: labels that are shifted or mirrored explain them less.
    colours = F.avg_pool2d(batch.pixels, 4)

    def spread(labels):
        regions = (labels.long() + 100 * torch.arange(SCENES)[:, None, None]).flatten()
        pixels = colours.permute(0, 2, 3, 1).reshape(-1, 3)
        sums = torch.zeros(100 * SCENES, 3).index_add(0, regions, pixels)
        counts = regions.bincount(minlength=100 * SCENES).clamp(min=1)[:, None]
        return float(((pixels - (sums / counts)[regions]) ** 2).mean())

    own = spread(batch.labels)
    assert own < 0.9 * spread(batch.labels.flip(-1))
    assert own < min(spread(batch.labels.roll(2, axis)) for axis in (1, 2))
    assert batches.at(0).phrases == batch.phrases != batches.at(1).phrases
    assert scenes.read(0, np.random.default_rng(0)).labels.shape == (224, 224)


def test_without_labels_a_batch_has_none(scenes):
    batch = Batches(
        scenes, seed=0, side_px=28, patch_px=14, batch=2, mask_ratio=0.0, local_crops=0, local_px=14,
        caption_kind="short",
    ).at(0)  # fmt: skip
    assert batch.labels.shape == (2, 0, 0)
    assert batch.phrases == []


def test_regions_are_for_drawn_scenes_alone():
    with pytest.raises(InputError, match="needs labels, which only drawn scenes have"):
        PretrainSettings.from_dict({"losses": {"regions": 1.0}, "data": {"kind": "folder", "place": "x"}})


def test_a_run_learns_the_words_of_regions(tmp_path, scenes, tokenizer):
    settings = PretrainSettings.from_dict({
        "model": {"width": 32, "depth": 2, "heads": 2, "text_depth": 1, "native_px": 56},
        "losses": {"contrast": 0.0, "regions": 1.0, "dino": 0.0, "ibot": 0.0},
        "optimiser": {"learning_rate": 0.003, "warmup_steps": 5},
        "phases": [{"side_px": 56, "batch": 6, "steps": 60}],
        "dtype": "float32", "log_every": 10,
    })  # fmt: skip
    trainer = Trainer(settings, scenes, tokenizer, tmp_path, "cpu")
    first = trainer.train_step()["regions"]
    trainer.step += 1
    trainer.run(lambda moment: None)
    last = float(trainer.log.file.read_text().splitlines()[-1].split(",")[list_of(trainer).index("regions")])
    assert first == pytest.approx(math.log(44), abs=2.5)
    assert last < 0.7 * first


def list_of(trainer):
    return trainer.log.file.read_text().splitlines()[0].split(",")
