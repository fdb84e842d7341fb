"""Hashes of weight files: right at first, remembered, and right again after a change."""

import hashlib
import json
import os
from pathlib import Path

import pytest

from densezero.encoders.file_hash import cache_folder, file_sha256
from densezero.errors import ModelError

# Published test vector of SHA-256 (FIPS 180): the hash of "abc".
ABC = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


@pytest.fixture
def file(tmp_path):
    file = tmp_path / "weights.npz"
    file.write_bytes(b"abc")
    return file


@pytest.fixture
def reads(monkeypatch):
    """The number of times that a whole content was read."""
    count = []
    read = hashlib.file_digest
    monkeypatch.setattr(hashlib, "file_digest", lambda *arguments: count.append(1) or read(*arguments))
    return count


def notes():
    return list((cache_folder() / "file_hashes").glob("*"))


def test_the_hash_is_the_published_one_of_abc(file):
    assert file_sha256(file) == ABC


def test_a_content_is_read_once_also_by_another_name(file, tmp_path, reads):
    link = tmp_path / "link.npz"
    link.symlink_to(file)
    assert {file_sha256(file), file_sha256(file), file_sha256(link)} == {ABC}
    assert len(reads) == 1
    assert len(notes()) == 1


def test_a_changed_content_has_another_hash(file, reads):
    file_sha256(file)
    file.write_bytes(b"abd and more")
    assert file_sha256(file) == hashlib.sha256(b"abd and more").hexdigest()
    assert len(reads) == 2


def test_a_changed_content_of_the_same_length_has_another_hash(file):
    file_sha256(file)
    file.write_bytes(b"abd")
    os.utime(file, ns=(1, 1))
    assert file_sha256(file) == hashlib.sha256(b"abd").hexdigest()


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"sha256": 5}', '{"stamp": "another", "sha256": "0"}'])
def test_a_damaged_note_only_costs_another_look(file, text):
    file_sha256(file)
    (note,) = notes()
    note.write_text(text)
    assert file_sha256(file) == ABC


def test_a_note_of_the_right_stamp_without_a_hash_is_not_believed(file):
    file_sha256(file)
    (note,) = notes()
    for sha256 in ("", 5, "0" * 63, "x" * 64):
        note.write_text(json.dumps({"stamp": json.loads(note.read_text())["stamp"], "sha256": sha256}))
        assert file_sha256(file) == ABC


def test_a_cache_that_cannot_be_written_only_costs_time(file, monkeypatch, own_cache, reads):
    def refused(*_, **__):
        raise PermissionError(13, "Read-only file system")

    monkeypatch.setattr(Path, "write_text", refused)
    assert file_sha256(file) == file_sha256(file) == ABC
    assert len(reads) == 2
    assert notes() == []


def test_a_cache_below_a_plain_file_only_costs_time(file, monkeypatch):
    monkeypatch.setenv("DENSEZERO_CACHE", str(file / "cache"))
    assert file_sha256(file) == ABC


def test_a_file_that_is_gone_or_unreadable_is_named(file, monkeypatch):
    with pytest.raises(ModelError, match=r"gone\.npz cannot be read"):
        file_sha256(file.with_name("gone.npz"))

    def refused(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refused)
    with pytest.raises(ModelError, match=r"weights\.npz cannot be read \(Permission denied\)"):
        file_sha256(file)


def test_the_cache_folder_is_the_chosen_one_or_below_the_users(monkeypatch, tmp_path):
    assert cache_folder() != tmp_path
    monkeypatch.setenv("DENSEZERO_CACHE", str(tmp_path / "chosen"))
    assert cache_folder() == tmp_path / "chosen"
    monkeypatch.delenv("DENSEZERO_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_folder() == tmp_path / "xdg" / "densezero"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert cache_folder() == tmp_path / "home" / ".cache" / "densezero"
