import pytest

from densezero.pretrain.wordpieces import train_wordpieces
from tests.encoders.towers import small_pair, write_folder, write_pair


@pytest.fixture(scope="session")
def tokenizer_file(tmp_path_factory):
    """A small SentencePiece model of fewer than 512 pieces."""
    file = tmp_path_factory.mktemp("wordpieces") / "tokenizer.model"
    train_wordpieces(file)
    return file


@pytest.fixture
def pair(tmp_path, tokenizer_file):
    """The vision file of a sound pair."""
    return write_pair(tmp_path, small_pair(), tokenizer_file)


@pytest.fixture
def folder(tmp_path, tokenizer_file):
    """A sound folder of the hub's layout."""
    return write_folder(tmp_path, small_pair(), tokenizer_file)
