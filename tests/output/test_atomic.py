import errno
import os
from pathlib import Path

import pytest

from densezero.atomic import link_atomically, output_error, remove_leftovers, write_atomically
from densezero.errors import DeviceFullError, OutputError


def test_a_file_appears_with_its_bytes_and_nothing_beside_it(tmp_path):
    path = tmp_path / "new" / "deep" / "file.bin"
    write_atomically(path, lambda file: file.write(b"whole"), durable=True)
    assert path.read_bytes() == b"whole"
    assert list(path.parent.iterdir()) == [path]


def test_the_file_is_not_there_before_it_is_whole(tmp_path):
    path = tmp_path / "file.bin"
    seen = []
    write_atomically(path, lambda file: (file.write(b"part"), file.flush(), seen.append(path.exists())))
    assert seen == [False]


def test_a_link_is_a_second_name_and_replaces_another_file(tmp_path):
    source, path = tmp_path / "photo.jpg", tmp_path / "deep" / "photo.jpg"
    source.write_bytes(b"photo")
    assert link_atomically(source, path)
    assert path.samefile(source)
    path.unlink()
    path.write_bytes(b"older")
    assert link_atomically(source, path)
    assert link_atomically(source, path), "it is there already"
    assert path.samefile(source)
    assert list(path.parent.iterdir()) == [path]
    assert source.read_bytes() == b"photo"


def test_a_link_to_a_link_is_a_name_of_the_file_itself(tmp_path):
    source, path = tmp_path / "photo.jpg", tmp_path / "linked.jpg"
    source.write_bytes(b"photo")
    (tmp_path / "symbolic.jpg").symlink_to(source)
    path.symlink_to(source)
    assert link_atomically(tmp_path / "symbolic.jpg", path)
    assert path.samefile(source)
    assert not path.is_symlink()


@pytest.mark.parametrize("error", [PermissionError("no"), NotImplementedError("no")])
def test_a_link_that_is_refused_leaves_the_older_file_and_no_temporary(tmp_path, monkeypatch, error):
    source, path = tmp_path / "photo.jpg", tmp_path / "linked.jpg"
    source.write_bytes(b"photo")
    path.write_bytes(b"older")

    def refuse(*names, **how):
        raise error

    monkeypatch.setattr("os.link", refuse)
    assert not link_atomically(source, path)
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == {
        "photo.jpg": b"photo",
        "linked.jpg": b"older",
    }
    monkeypatch.undo()
    assert not link_atomically(tmp_path / "no such file", path)


@pytest.mark.parametrize("error", [ValueError("broken"), KeyboardInterrupt()])
def test_a_failure_leaves_the_older_file_and_no_temporary(tmp_path, error):
    path = tmp_path / "file.bin"
    path.write_bytes(b"older")

    def write(file):
        file.write(b"half")
        raise error

    with pytest.raises(type(error)):
        write_atomically(path, write)
    assert path.read_bytes() == b"older"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_device_is_told_from_other_failures(tmp_path):
    def write(file):
        file.write(b"half")
        Path("/dev/full").write_bytes(b"x")

    with pytest.raises(DeviceFullError, match=r"mask\.png.*no space is left on the device\. Free some space"):
        write_atomically(tmp_path / "mask.png", write)
    assert list(tmp_path.iterdir()) == []


def test_a_name_that_is_too_long_is_said_so(tmp_path):
    with pytest.raises(OutputError, match="name is too long") as caught:
        write_atomically(tmp_path / ("a" * 300 + ".png"), lambda file: file.write(b"x"))
    assert not isinstance(caught.value, DeviceFullError)
    assert list(tmp_path.iterdir()) == []


def test_a_file_in_the_way_of_a_folder_is_said_so(tmp_path):
    (tmp_path / "labels").write_bytes(b"")
    for path in (tmp_path / "labels" / "a.png", tmp_path / "labels" / "deep" / "a.png"):
        with pytest.raises(OutputError, match="a part of its path is a file"):
            write_atomically(path, lambda file: file.write(b"x"))


def test_a_folder_in_the_way_of_a_file_is_said_so(tmp_path):
    (tmp_path / "a.png").mkdir()
    with pytest.raises(OutputError, match="a folder stands where the file should be"):
        write_atomically(tmp_path / "a.png", lambda file: file.write(b"x"))
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="the superuser may write anywhere")
def test_a_folder_without_permission_is_said_so(tmp_path):
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(OutputError, match="permission was denied"):
            write_atomically(tmp_path / "a.png", lambda file: file.write(b"x"))
    finally:
        tmp_path.chmod(0o700)


@pytest.mark.parametrize(
    ("number", "full", "words"),
    [
        (errno.ENOSPC, True, "no space"),
        (errno.EDQUOT, True, "quota"),
        (errno.EROFS, False, "read-only"),
        (errno.EACCES, False, "permission"),
        (errno.EIO, False, "Input/output error"),
    ],
)
def test_each_reason_has_its_words(number, full, words):
    error = output_error(Path("out/a.png"), OSError(number, os.strerror(number)))
    assert isinstance(error, DeviceFullError) is full
    assert "out/a.png" in str(error).replace("\\", "/")
    assert words in str(error)


def test_an_ordinary_file_has_the_permissions_of_the_process(tmp_path):
    write_atomically(tmp_path / "ours", lambda file: file.write(b"x"))
    (tmp_path / "plain").write_bytes(b"x")
    assert (tmp_path / "ours").stat().st_mode == (tmp_path / "plain").stat().st_mode


def observed(monkeypatch):
    """The order in which files are synced and renamed, by their names."""
    events = []
    real_sync, real_replace = os.fsync, Path.replace

    def sync(number):
        events.append(("sync", Path(f"/proc/self/fd/{number}").readlink().name))
        real_sync(number)

    def rename(self, target):
        events.append(("rename", Path(target).name))
        return real_replace(self, target)

    monkeypatch.setattr(os, "fsync", sync)
    monkeypatch.setattr(Path, "replace", rename)
    return events


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs the names of open files")
def test_a_durable_file_is_on_the_device_before_it_has_its_name_and_its_name_before_the_return(tmp_path, monkeypatch):
    events = observed(monkeypatch)
    write_atomically(tmp_path / "file.bin", lambda file: file.write(b"x"), durable=True)
    (first, part), *rest = events
    assert (first, part.endswith(".part")) == ("sync", True)
    assert rest == [("rename", "file.bin"), ("sync", tmp_path.name)]
    events.clear()
    write_atomically(tmp_path / "file.bin", lambda file: file.write(b"x"))
    assert events == [("rename", "file.bin")]


@pytest.mark.parametrize("stem", ["n" * 251, "ü" * 125 + "x"])
def test_a_name_of_255_bytes_is_written(tmp_path, stem):
    write_atomically(tmp_path / f"{stem}.png", lambda file: file.write(b"x"))
    assert [path.name for path in tmp_path.iterdir()] == [f"{stem}.png"]


def test_a_device_that_is_full_at_the_sync_is_said_so(tmp_path, monkeypatch):
    def full(number):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DeviceFullError, match="no space is left"):
        write_atomically(tmp_path / "file.bin", lambda file: file.write(b"x"), durable=True)
    assert list(tmp_path.iterdir()) == []


def test_leftovers_of_these_files_go_and_those_of_others_stay(tmp_path):
    mine, other = tmp_path / "a.png", tmp_path / "b.png"

    class Killed(BaseException):
        pass

    def leave(path):
        kept = {}

        def write(file):
            kept[file.name] = True
            raise Killed

        with pytest.raises(Killed):
            write_atomically(path, write)
        for name in kept:
            Path(name).write_bytes(b"half")
        return Path(next(iter(kept)))

    left, others = leave(mine), leave(other)
    remove_leftovers([mine, tmp_path / "nowhere" / "c.png"])
    assert not left.exists()
    assert others.exists()
