import errno
import os
from pathlib import Path

import pytest

from densezero.errors import DeviceFullError, OutputError
from densezero.output.atomic import output_error, write_atomically


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
