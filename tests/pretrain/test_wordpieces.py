import pytest

from densezero.encoders.tips.tokenizer import Tokenizer
from densezero.pretrain.concepts import EDITIONS
from densezero.pretrain.wordpieces import train_wordpieces


@pytest.mark.parametrize("edition", EDITIONS)
def test_the_words_of_every_concept_are_few_pieces_and_no_letter_is_unknown(tmp_path, edition):
    concepts = EDITIONS[edition]
    train_wordpieces(tmp_path / "tokenizer.model", concepts=concepts)
    tokenizer = Tokenizer(tmp_path / "tokenizer.model")
    for concept in concepts:
        for word in concept.words:
            assert int((tokenizer([word]).paddings == 0).sum()) <= 6, word
    unknown = tokenizer._processor.unk_id()
    assert unknown not in tokenizer(["quick brown fox, jumps over 13 lazy dogs (at 24.5)"]).ids
