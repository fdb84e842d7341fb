"""What lies around the weights - tokenizer, configuration, paths, permissions - and cannot be used is named."""

import shutil
from pathlib import Path

import pytest
from sentencepiece import SentencePieceProcessor

import densezero
from densezero.encoders.tips import load_tips, load_tips_folder
from densezero.errors import ModelError
from tests.encoders.towers import refusal, small_pair, write_folder, write_pair

# The tokenizer


@pytest.mark.parametrize("layout", ["pair", "folder"])
def test_a_missing_tokenizer_is_named(layout, request):
    path = request.getfixturevalue(layout)
    tokenizer = (path if path.is_dir() else path.parent) / "tokenizer.model"
    tokenizer.unlink()
    said = refusal(path)
    assert f"SentencePiece model {tokenizer}" in said
    assert "missing" in said


@pytest.mark.parametrize("content", [b"", b"<html>404</html>", bytes(200)])
def test_a_tokenizer_that_is_no_sentencepiece_model_is_named(folder, content):
    (folder / "tokenizer.model").write_bytes(content)
    said = refusal(folder)
    assert str(folder / "tokenizer.model") in said
    assert "Download it again" in said


def test_a_tokenizer_with_more_pieces_than_the_text_tower_is_refused(tmp_path, tokenizer_file):
    folder = write_folder(tmp_path, small_pair(vocab_size=100), tokenizer_file)
    said = refusal(folder)
    assert str(folder / "tokenizer.model") in said
    pieces = SentencePieceProcessor(model_file=str(tokenizer_file)).GetPieceSize()
    assert f"{pieces} pieces, the text tower knows 100" in said


# The configuration


@pytest.mark.parametrize(
    "text",
    [
        *("", "{", "[]", "3", "null", '"x"', "[" * 100_000),
        *('{"vision_heads": "2"}', '{"vision_heads": true}', '{"vision_heads": 0}', '{"vision_heads": 5}'),
        *('{"text_heads": 2.0}', '{"temperature": "warm"}', '{"temperature": -1}', '{"temperature": NaN}'),
        *('{"temperature": true}', '{"temperature": 1' + "0" * 500 + "}"),
    ],
    ids=lambda text: text[:20],
)
def test_a_config_that_cannot_be_used_is_named_with_the_way_out(folder, text):
    (folder / "config.json").write_text(text)
    said = refusal(folder)
    assert "config.json" in said
    assert any(way in said for way in ("Delete it", "Correct"))


def test_a_config_of_other_bytes_than_text_is_refused(folder):
    (folder / "config.json").write_bytes(b"\xff\xfe\x00")
    assert f"{folder / 'config.json'} cannot be read as JSON" in refusal(folder)


@pytest.mark.parametrize("layout", ["pair", "folder"])
def test_an_unpublished_width_without_heads_says_where_to_write_them(layout, request):
    path = request.getfixturevalue(layout)
    (path if path.is_dir() else path.parent).joinpath("config.json").unlink()
    said = refusal(path)
    for part in ("width 24", "config.json", '"vision_heads"', '"text_heads"'):
        assert part in said


# Paths


def test_an_empty_folder_is_refused(tmp_path):
    said = refusal(tmp_path)
    assert f"Expected {tmp_path} to hold model.safetensors, or exactly one *_vision.npz" in said
    assert "found: none" in said


def test_a_folder_with_two_pairs_lists_them(pair, tokenizer_file):
    write_pair(pair.parent, small_pair(), tokenizer_file, stem="other")
    said = refusal(pair.parent)
    assert "found: other_vision.npz, small_vision.npz" in said
    assert "Give the path of the *_vision.npz itself" in said
    assert densezero.load_encoder(pair, "cpu").name == "small"


def test_a_missing_text_file_is_named(pair):
    pair.with_name("small_text.npz").unlink()
    assert f"Expected a weight file at {pair.with_name('small_text.npz')}; there is none" in refusal(pair)


@pytest.mark.parametrize("name", ["weights.npz", "model.safetensors", "notes.txt"])
def test_a_file_that_is_no_vision_file_is_refused(tmp_path, name):
    (tmp_path / name).write_bytes(b"x")
    said = refusal(tmp_path / name)
    assert f"*_vision.npz); got {tmp_path / name}" in said
    assert "the folder that holds model.safetensors" in said


def test_a_folder_in_place_of_a_weight_file_is_refused(pair, folder):
    for file in (pair, folder / "model.safetensors"):
        file.unlink()
        file.mkdir()
    assert f"Expected a weight file at {folder / 'model.safetensors'}" in refusal(folder)
    shutil.rmtree(folder / "model.safetensors")
    assert f"Expected a weight file at {pair}" in refusal(pair.parent)


def test_a_folder_given_as_a_vision_file_is_refused(tmp_path, tokenizer_file):
    with pytest.raises(ModelError, match=r"ending in \.npz"):
        load_tips(tmp_path, tmp_path, tokenizer_file)


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ModelError, match="cannot be opened"):
        load_tips_folder(tmp_path / "gone")


def refuse_to_open(monkeypatch, refused):
    opened = Path.open

    def guarded(self, *arguments, **named):
        if self.name in refused:
            raise PermissionError(13, "Permission denied", str(self))
        return opened(self, *arguments, **named)

    monkeypatch.setattr(Path, "open", guarded)


@pytest.mark.parametrize("name", ["config.json", "tokenizer.model"])
def test_a_file_that_may_not_be_read_is_named(folder, monkeypatch, name):
    refuse_to_open(monkeypatch, [name])
    assert f"{folder / name} cannot be read" in refusal(folder)


@pytest.mark.parametrize("layout", ["pair", "folder"])
def test_weights_that_may_not_be_read_are_named_as_such_and_not_as_damaged(layout, request, monkeypatch):
    path = request.getfixturevalue(layout)
    file = path if path.is_file() else path / "model.safetensors"

    def refused(*_, **__):
        raise PermissionError(13, "Permission denied", str(file))

    monkeypatch.setattr("zipfile.ZipFile", refused)
    monkeypatch.setattr("safetensors.safe_open", refused)
    said = refusal(path)
    assert f"{file} cannot be opened (Permission denied)" in said
    assert "Delete" not in said


def test_a_folder_that_may_not_be_listed_is_named(folder, monkeypatch):
    def refused(_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "iterdir", refused)
    assert f"{folder}; it cannot be opened (Permission denied)" in refusal(folder)
