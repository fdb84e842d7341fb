import math

import numpy as np
import pytest
import torch

from densezero.encoders.tips import TipsOptions, Tokenizer, load_tips_folder
from densezero.pretrain.concepts import CONCEPTS
from densezero.pretrain.losses import caption_contrast, patch_shares, region_words
from densezero.pretrain.train import Phase, Recipe, Trainer
from densezero.pretrain.wordpieces import train_wordpieces

TINY = Recipe(
    width=24, depth=2, heads=2, text_depth=1, native_px=56, pool_scenes=6, warmup_steps=2, contrast_every=2,
    phases=(Phase(56, 3, 3), Phase(84, 2, 1)),
)  # fmt: skip


def test_patch_shares_by_hand_and_against_a_plain_loop():
    labels = torch.tensor([[[0, 0, 1, 1], [0, 2, 1, 1]]], dtype=torch.uint8)
    assert patch_shares(labels, 3, 2)[0].tolist() == [[[0.75, 0.0, 0.25], [0.0, 1.0, 0.0]]]
    labels = torch.randint(0, 5, (2, 28, 42), dtype=torch.uint8)
    shares = patch_shares(labels, 5, 14)
    for b, y, x in np.ndindex(2, 2, 3):
        patch = labels[b, y * 14 : y * 14 + 14, x * 14 : x * 14 + 14].flatten().long()
        assert torch.allclose(shares[b, y, x], patch.bincount(minlength=5) / 196)
    assert torch.allclose(shares.sum(-1), torch.ones(2, 2, 3))


def test_the_contrast_of_matching_pairs_by_hand():
    units = torch.eye(2)
    tau = torch.tensor(0.5)
    # logits 2 on the diagonal and 0 beside it: -log(e^2 / (e^2 + 1)), the same both ways
    assert caption_contrast(units, units, tau).item() == pytest.approx(math.log(1 + math.exp(-2)))
    assert caption_contrast(units, units.flip(0), tau).item() == pytest.approx(2 + math.log(1 + math.exp(-2)))


def test_region_words_by_hand_and_against_cross_entropy():
    words = torch.eye(2)
    grid = torch.tensor([[[[3.0, 0.0], [0.0, 0.5]]]])  # (1, 1, 2, 2): lengths do not count
    shares = torch.tensor([[[[1.0, 0.0], [0.5, 0.5]]]])
    tau = torch.tensor(1.0)
    right = math.log(1 + math.exp(-1))
    mixed = 0.5 * right + 0.5 * (1 + right)
    weighted = (1 * right + 2 * mixed) / 3  # the second patch weighs (1 + 3) / 2 = 2
    assert region_words(grid, words, shares, torch.tensor([1.0, 3.0]), tau).item() == pytest.approx(weighted)
    grid, words = torch.randn(2, 3, 4, 8), torch.randn(5, 8)
    shares = torch.rand(2, 3, 4, 5)
    shares /= shares.sum(-1, keepdim=True)
    cosine = torch.nn.functional.cosine_similarity(grid[..., None, :], words, dim=-1)
    oracle = torch.nn.functional.cross_entropy((cosine / 0.1).flatten(0, 2), shares.flatten(0, 2))
    torch.testing.assert_close(region_words(grid, words, shares, torch.ones(5), torch.tensor(0.1)), oracle)


@pytest.mark.slow
def test_training_in_two_sittings_equals_one_and_its_model_loads(tmp_path):
    whole = Trainer(TINY, tmp_path / "whole")
    whole.run(lambda line: None)
    first = Trainer(TINY, tmp_path / "parts")
    for _ in range(2):
        first._train_step()
        first.step += 1
    first._save()
    second = Trainer(TINY, tmp_path / "parts")
    assert second.step == 2
    second.run(lambda line: None)
    for name, value in whole.average.items():
        torch.testing.assert_close(second.average[name], value, rtol=1e-3, atol=1e-4)
    moved = [name for name, value in whole.pair.named_parameters() if value.grad is not None]
    assert any(name.startswith("text.") for name in moved)
    whole.export(tmp_path / "model")
    encoder = load_tips_folder(tmp_path / "model", TipsOptions(dtype="float32"))
    assert encoder.encode_dense(torch.rand(1, 3, 56, 70)).shape == (1, 4, 5, 24)
    assert encoder.encode_text(["a boat"]).shape == (1, 24)
    assert encoder.temperature == pytest.approx(float(whole.pair.temperature.detach()), rel=1e-3)


def test_the_words_of_every_concept_are_few_pieces_and_no_letter_is_unknown(tmp_path):
    train_wordpieces(tmp_path / "tokenizer.model")
    tokenizer = Tokenizer(tmp_path / "tokenizer.model")
    for concept in CONCEPTS:
        for word in concept.words:
            assert int((tokenizer([word]).paddings == 0).sum()) <= 6, word
    unknown = tokenizer._processor.unk_id()
    assert unknown not in tokenizer(["quick brown fox, jumps over 13 lazy dogs (at 24.5)"]).ids
