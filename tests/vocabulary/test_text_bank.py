import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from densezero.encoders.base import DenseEncoder
from densezero.encoders.file_hash import cache_folder
from densezero.errors import ModelError, VocabularyError
from densezero.vocabulary import Templates, load_templates, text_bank
from densezero.vocabulary.text_bank import TextBank, bank_from_vectors, build_text_bank, embed_words

TWO = Templates("two", ("{}", "a {}"))
PLAIN = load_templates("plain")
WORDS = (("sky",), ("boat", "yacht"), ())


class FlatEncoder(DenseEncoder):
    """Texts become points of the plane, by a table or by their letters."""

    name, width, temperature = "flat", 2, None
    device, dtype = torch.device("cpu"), torch.float32
    weights_hash = "f" * 64

    def __init__(self, table=None):
        self.table = table or {}
        self.asked = []

    def encode_dense(self, pixels, readout="value"):
        raise NotImplementedError

    def encode_text(self, prompts):
        self.asked.append(list(prompts))
        rows = [self.table.get(text, (len(text) + 0.5, sum(map(ord, text)) % 97 - 48.5)) for text in prompts]
        return torch.tensor(rows, dtype=torch.float32)


def naive_best(rows, class_of, classes):
    best = np.full((classes, *rows.shape[1:]), -np.inf, np.float32)
    for row, owner in zip(rows, class_of, strict=True):
        best[owner] = np.maximum(best[owner], row)
    return best


def random_layout(seed):
    random = np.random.default_rng(seed)
    classes = int(random.integers(1, 9))
    class_of = np.sort(random.integers(0, classes, int(random.integers(0, 12))))
    bank = TextBank(torch.zeros(len(class_of), 2), torch.from_numpy(class_of), classes)
    return bank, random.standard_normal((len(class_of), 3, 4)).astype(np.float32)


def kept_files():
    return sorted(file.name for file in (cache_folder() / "text").glob("*"))


def test_prompts_are_normed_averaged_and_normed_again():
    # (3, 4) and (0, 2) have the units (0.6, 0.8) and (0, 1), whose mean (0.3, 0.9) has the length 0.9 ** 0.5.
    encoder = FlatEncoder({"sky": (3, 4), "a sky": (0, 2)})
    expected = torch.tensor([[0.3, 0.9]]) / 0.9**0.5
    torch.testing.assert_close(embed_words(encoder, ["sky"], TWO), expected)


def test_every_row_has_length_one():
    vectors = build_text_bank(FlatEncoder(), WORDS, load_templates("imagenet80")).vectors
    torch.testing.assert_close(vectors.norm(dim=1), torch.ones(3))


def test_rows_follow_the_words_and_know_their_classes():
    bank = build_text_bank(FlatEncoder(), ((), *WORDS), PLAIN)
    assert bank.class_of.tolist() == [1, 2, 2]
    assert bank.classes == 4
    for row, word in enumerate(("sky", "boat", "yacht")):
        torch.testing.assert_close(bank.vectors[row : row + 1], embed_words(FlatEncoder(), [word], PLAIN))


def test_a_prompt_whose_embedding_is_nought_gives_no_nan():
    bank = build_text_bank(FlatEncoder({"sky": (0, 0)}), (("sky",),), PLAIN)
    assert bank.vectors.tolist() == [[0, 0]]


@pytest.mark.parametrize("prompts_at_once", [1, 2, 4, 5, 1000])
def test_batches_equal_one_by_one(monkeypatch, prompts_at_once):
    words = [f"word {index}" for index in range(7)]
    one_by_one = torch.cat([embed_words(FlatEncoder(), [word], TWO) for word in words])
    monkeypatch.setattr(text_bank, "PROMPTS_AT_ONCE", prompts_at_once)
    encoder = FlatEncoder()
    torch.testing.assert_close(embed_words(encoder, words, TWO), one_by_one)
    assert max(map(len, encoder.asked)) <= max(prompts_at_once, 2)


def test_progress_is_told_at_the_start_and_after_every_batch(monkeypatch):
    monkeypatch.setattr(text_bank, "PROMPTS_AT_ONCE", 4)
    seen = []
    embed_words(FlatEncoder(), ["a", "b", "c", "d", "e"], TWO, lambda done, total: seen.append((done, total)))
    assert seen == [(0, 5), (2, 5), (4, 5), (5, 5)]


def test_a_bank_is_computed_once_and_read_from_disk_after():
    first = build_text_bank(FlatEncoder(), WORDS, TWO)
    encoder = FlatEncoder()
    again = build_text_bank(encoder, WORDS, TWO)
    assert encoder.asked == []
    assert torch.equal(again.vectors, first.vectors)
    assert torch.equal(again.class_of, first.class_of)


def test_the_same_words_in_other_classes_share_the_file_but_not_the_classes():
    build_text_bank(FlatEncoder(), WORDS, TWO)
    regrouped = build_text_bank(FlatEncoder(), (("sky", "boat"), ("yacht",)), TWO)
    assert len(kept_files()) == 1
    assert (regrouped.class_of.tolist(), regrouped.classes) == ([0, 0, 1], 2)


def test_other_weights_words_order_or_templates_make_another_file():
    other_weights = FlatEncoder()
    other_weights.weights_hash = "e" * 64
    build_text_bank(FlatEncoder(), WORDS, TWO)
    build_text_bank(other_weights, WORDS, TWO)
    build_text_bank(FlatEncoder(), (("sky",), ("boat",)), TWO)
    build_text_bank(FlatEncoder(), (("boat", "sky"), ("yacht",)), TWO)
    build_text_bank(FlatEncoder(), WORDS, PLAIN)
    assert len(kept_files()) == 5
    assert all(name.endswith(".safetensors") for name in kept_files())


def empty(file):
    file.write_bytes(b"")


def cut(file):
    file.write_bytes(file.read_bytes()[:-5])


def scribble(file):
    file.write_bytes(b"\xff" * 400)


def misshape(file):
    save_file({"vectors": load_file(file)["vectors"][:1].contiguous()}, file)


def rename_tensor(file):
    save_file({"other": load_file(file)["vectors"]}, file)


@pytest.mark.parametrize("damage", [empty, cut, scribble, misshape, rename_tensor])
def test_a_damaged_file_is_computed_again_and_mended(damage):
    expected = build_text_bank(FlatEncoder(), WORDS, TWO).vectors.clone()
    (name,) = kept_files()
    damage(cache_folder() / "text" / name)
    encoder = FlatEncoder()
    assert torch.equal(build_text_bank(encoder, WORDS, TWO).vectors, expected)
    assert encoder.asked
    mended = FlatEncoder()
    assert torch.equal(build_text_bank(mended, WORDS, TWO).vectors, expected)
    assert mended.asked == []


def test_a_cache_folder_that_cannot_be_made_only_costs_time(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("a file where the folder would be")
    monkeypatch.setenv("DENSEZERO_CACHE", str(tmp_path / "file"))
    assert build_text_bank(FlatEncoder(), WORDS, TWO).vectors.shape == (3, 2)


def test_a_read_only_disk_only_costs_time_and_leaves_no_halves(monkeypatch, own_cache):
    def refuse(tensors, file):
        file.write_bytes(b"half")
        raise OSError("Read-only file system")

    monkeypatch.setattr("safetensors.torch.save_file", refuse)
    assert build_text_bank(FlatEncoder(), WORDS, TWO).vectors.shape == (3, 2)
    assert kept_files() == []


def test_an_encoder_without_a_text_tower_says_so(monkeypatch):
    encoder = FlatEncoder()

    def refuse(prompts):
        raise ModelError("flat has no text tower")

    monkeypatch.setattr(encoder, "encode_text", refuse)
    with pytest.raises(ModelError, match="no text tower"):
        build_text_bank(encoder, WORDS, TWO)


def test_the_best_of_a_class_by_hand():
    bank = TextBank(torch.zeros(4, 2), torch.tensor([0, 2, 2, 2]), 4)
    best = bank.best_of_class(torch.tensor([[5.0, 1.0, 3.0, 2.0], [0.0, -1.0, -3.0, -2.0]]))
    assert best.tolist() == [[5, 3], [0, -1]]
    nothing = float("-inf")
    assert bank.scatter(best).tolist() == [[5, nothing, 3, nothing], [0, nothing, -1, nothing]]


@pytest.mark.parametrize("seed", range(40))
def test_the_best_of_each_class_equals_a_plain_loop(seed):
    bank, rows = random_layout(seed)
    expected = naive_best(rows, bank.class_of.tolist(), bank.classes)  # (C, 3, 4)
    given = torch.from_numpy(rows).movedim(0, 2)  # (3, 4, P)
    best = bank.best_of_class(given)
    assert bank.worded_classes.tolist() == sorted(set(bank.class_of.tolist()))
    np.testing.assert_array_equal(best.movedim(2, 0).numpy(), expected[bank.worded_classes.numpy()])
    np.testing.assert_array_equal(bank.scatter(best).movedim(2, 0).numpy(), expected)
    np.testing.assert_array_equal(given.movedim(2, 0).numpy(), rows)


def test_as_many_words_as_classes_are_not_taken_for_one_word_each():
    bank = TextBank(torch.zeros(2, 2), torch.tensor([1, 1]), 2)
    assert bank.scatter(bank.best_of_class(torch.tensor([3.0, 4.0]))).tolist() == [float("-inf"), 4]


def test_own_vectors_belong_to_words_or_to_classes():
    words, vectors = (("sky",), (), ("boat", "yacht")), np.array([[3.0, 4.0], [0.0, 2.0], [1.0, 0.0]])
    by_word = bank_from_vectors(FlatEncoder(), words, vectors)
    assert by_word.class_of.tolist() == [0, 2, 2]
    assert by_word.classes == 3
    torch.testing.assert_close(by_word.vectors, torch.tensor([[0.6, 0.8], [0.0, 1.0], [1.0, 0.0]]))
    assert bank_from_vectors(FlatEncoder(), words, vectors[:2]).class_of.tolist() == [0, 2]


@pytest.mark.parametrize("shape", [(1, 2), (4, 2), (3, 3), (3,), (3, 2, 1)])
def test_own_vectors_of_another_shape_are_refused(shape):
    with pytest.raises(
        VocabularyError, match=r"\(2, 2\), one row for each class, or \(3, 2\), one row for each word; got"
    ):
        bank_from_vectors(FlatEncoder(), (("sky",), (), ("boat", "yacht")), np.ones(shape))


def test_another_tokenizer_makes_another_file():
    other = FlatEncoder()
    other.__class__ = type("OtherTokenizer", (FlatEncoder,), {"text_hash": "9" * 64})
    build_text_bank(FlatEncoder(), WORDS, TWO)
    build_text_bank(other, WORDS, TWO)
    assert len(kept_files()) == 2


def test_a_bank_that_is_there_already_is_not_copied():
    bank = TextBank(torch.zeros(2, 2), torch.tensor([0, 1]), 2)
    assert bank.to(torch.device("cpu")) is bank
    assert bank.to(torch.device("meta")).vectors.device.type == "meta"
