import pytest

from densezero.encoders.tips.tokenizer import Tokenizer
from densezero.pretrain.wordpieces import train_wordpieces


@pytest.fixture(scope="session")
def tokenizer(tmp_path_factory):
    file = tmp_path_factory.mktemp("tokenizer") / "tokenizer.model"
    train_wordpieces(file)
    return Tokenizer(file)
