"""The tokenizer: lower case, no start or end piece, at most 64 pieces, padding told apart."""

import pytest
import torch
from sentencepiece import SentencePieceProcessor

from densezero.encoders.tips import Tokenizer
from densezero.encoders.tips.tokenizer import MAX_TOKENS
from densezero.errors import ModelError


@pytest.fixture(scope="module")
def tokenizer(tokenizer_file):
    return Tokenizer(tokenizer_file)


@pytest.fixture(scope="module")
def pieces(tokenizer_file):
    """SentencePiece itself."""
    return SentencePieceProcessor(model_file=str(tokenizer_file))


def test_ids_are_sentencepieces_own_without_start_or_end(tokenizer, pieces):
    text = "a photo of a red boat."
    tokens = tokenizer([text])
    assert tokens.ids[0].tolist() == pieces.encode(text)
    assert pieces.decode(tokens.ids[0].tolist()) == text
    assert tokens.paddings.tolist() == [[0.0] * len(tokens.ids[0])]


def test_capitals_make_no_difference(tokenizer):
    assert torch.equal(tokenizer(["A Red BOAT"]).ids, tokenizer(["a red boat"]).ids)


def test_shorter_texts_are_padded_to_the_longest_and_told_apart(tokenizer):
    tokens = tokenizer(["sky", "a red boat on the sea", ""])
    lengths = [len(tokenizer([text]).ids[0]) for text in ("sky", "a red boat on the sea")]
    assert tokens.ids.shape == tokens.paddings.shape == (3, lengths[1])
    assert lengths[0] < lengths[1]
    assert (tokens.paddings == 0).sum(1).tolist() == [*lengths, 0]
    assert tokens.ids[0, : lengths[0]].tolist() == tokenizer(["sky"]).ids[0].tolist()
    assert tokens.ids[tokens.paddings == 1].eq(0).all()
    assert tokens.ids.dtype == torch.int64


def test_a_text_is_cut_after_64_pieces(tokenizer, pieces):
    text = "boat sky house " * 100
    tokens = tokenizer([text])
    assert tokens.ids.shape == (1, MAX_TOKENS) == (1, 64)
    assert tokens.ids[0].tolist() == pieces.encode(text.lower())[:64]
    assert tokens.paddings.sum() == 0


def test_a_chosen_length_pads_or_cuts(tokenizer):
    ids = tokenizer(["a red boat"]).ids
    longer, shorter = tokenizer(["a red boat"], length=64), tokenizer(["a red boat"], length=2)
    assert longer.ids.shape == (1, 64)
    assert torch.equal(longer.ids[:, : ids.shape[1]], ids)
    assert longer.paddings.sum() == 64 - ids.shape[1]
    assert torch.equal(shorter.ids, ids[:, :2])


def test_no_text_and_empty_texts_still_have_a_position(tokenizer):
    assert tokenizer([]).ids.shape == (0, 1)
    empty = tokenizer(["", " "])
    assert empty.ids.shape == (2, 1)
    assert empty.paddings.tolist() == [[1.0], [1.0]]


@pytest.mark.parametrize("text", ["日本", "🚤", "naïve café", "tab\tand\nline", "\x00", "\u200b"])
def test_any_text_gives_pieces_that_the_model_has(tokenizer, text):
    tokens = tokenizer([text])
    assert tokens.ids.max() < tokenizer.vocab_size
    assert tokens.ids.min() >= 0


def test_half_a_character_is_refused_with_the_text(tokenizer):
    with pytest.raises(ModelError, match=r"'sky \\udc80'"):
        tokenizer(["sky \udc80"])


def test_the_number_of_pieces_is_the_models(tokenizer, pieces):
    assert tokenizer.vocab_size == pieces.vocab_size()


def test_a_missing_model_is_named(tmp_path):
    with pytest.raises(ModelError, match=r"SentencePiece model .*tokenizer\.model; it is missing"):
        Tokenizer(tmp_path / "tokenizer.model")


@pytest.mark.parametrize("content", [b"", b"not a model", bytes(100), b"\n\x05\n\x03abc"])
def test_a_file_that_is_no_model_is_named(tmp_path, content):
    file = tmp_path / "tokenizer.model"
    file.write_bytes(content)
    with pytest.raises(ModelError, match=r"tokenizer\.model cannot be read as a SentencePiece model"):
        Tokenizer(file)


def test_a_cut_model_is_named(tmp_path, tokenizer_file):
    file = tmp_path / "tokenizer.model"
    file.write_bytes(tokenizer_file.read_bytes()[:1000])
    with pytest.raises(ModelError, match=r"tokenizer\.model cannot be read as a SentencePiece model"):
        Tokenizer(file)
