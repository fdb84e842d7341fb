"""Journals lose no more than the last line, whatever stops them, and keep other runs out."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from densezero.errors import DeviceFullError, OutputError
from densezero.jobs.journal import Journal
from densezero.output.lock import lock

HEADER = {"request": {"model": "nano"}}


@pytest.fixture
def journal(tmp_path):
    one = Journal(tmp_path / ".run.journal")
    one.start(HEADER, [{"n": 0}])
    return one


def lines_of(journal):
    return [values for _, values in journal.lines()]


def test_lines_come_back_in_order_and_by_their_place(journal):
    starts = [journal.append({"n": 1, "name": "a\udcff\u2028\n"}), journal.append({"n": 2}, {"n": 3})]
    assert journal.header() == {**HEADER, "journal": 2}
    assert lines_of(journal) == [{"n": 0}, {"n": 1, "name": "a\udcff\u2028\n"}, {"n": 2}, {"n": 3}]
    assert [values["n"] for values in journal.read(reversed(starts))] == [2, 1]
    assert [start for start, _ in journal.lines()][1:3] == starts


@pytest.mark.parametrize(
    "tail", [b'{"n": 9', b'{"n": 9}', b"[1]\n", b"\x00" * 30 + b'\n{"n": 9}\n', b"[" * 100_000 + b"\n"]
)
def test_an_unfinished_end_is_cut_off(journal, tail):
    journal.append({"n": 1})
    whole = journal.file.read_bytes()
    journal.file.write_bytes(whole + tail)
    assert lines_of(journal) == [{"n": 0}, {"n": 1}]
    journal.go_on()
    assert journal.file.read_bytes() == whole
    journal.append({"n": 2})
    assert lines_of(journal)[-1] == {"n": 2}


def test_going_on_keeps_a_whole_journal(journal):
    whole = journal.file.read_bytes()
    journal.go_on()
    assert journal.file.read_bytes() == whole


@pytest.mark.parametrize("content", [b"", b"short\n", b'{"request": {}}\n', b'{"journal": 3}\n', b'{"journal": 2'])
def test_another_file_or_version_is_refused(tmp_path, content):
    (tmp_path / "j").write_bytes(content)
    with pytest.raises(OutputError, match=r"no journal that this version of densezero can go on from\. .*--overwrite"):
        Journal(tmp_path / "j").header()


def test_no_journal_has_no_header(tmp_path):
    assert Journal(tmp_path / "j").header() is None


def test_a_full_device_leaves_no_half_line(journal, monkeypatch):
    real = Path.open

    class Full:
        def __init__(self, file):
            self.file = file

        def __getattr__(self, name):
            return getattr(self.file, name)

        def __enter__(self):
            return self

        def __exit__(self, *reason):
            self.file.close()

        def write(self, content):
            return self.file.write(content[:5])

    with monkeypatch.context() as patched:
        patched.setattr(Path, "open", lambda path, *how, **more: Full(real(path, *how, **more)))
        with pytest.raises(DeviceFullError, match="no space is left"):
            journal.append({"n": 1})
    assert lines_of(journal) == [{"n": 0}]
    assert journal.file.read_bytes().endswith(b"}\n")


def test_a_journal_that_has_gone_is_said_so(journal):
    journal.file.unlink()
    with pytest.raises(OutputError, match="Cannot write"):
        journal.append({"n": 1})
    with pytest.raises(OutputError, match="changed by another program"):
        list(journal.read([0]))
    assert not journal.file.exists()


def test_a_durable_line_is_on_the_device_and_others_are_not_waited_for(journal, monkeypatch):
    synced, real = [], os.fsync
    monkeypatch.setattr(os, "fsync", lambda number: (synced.append(os.fstat(number).st_ino), real(number)))
    journal.append({"n": 1})
    assert synced == []
    journal.append({"n": 2}, durable=True)
    assert synced == [journal.file.stat().st_ino]


def test_a_journal_begins_on_the_device(tmp_path, monkeypatch):
    synced, real = [], os.fsync
    monkeypatch.setattr(os, "fsync", lambda number: (synced.append(os.fstat(number).st_ino), real(number)))
    journal = Journal(tmp_path / "j")
    journal.start(HEADER)
    assert synced == [journal.file.stat().st_ino, tmp_path.stat().st_ino]


HOLD = """
import sys, time
from pathlib import Path
from densezero.output.lock import lock
with lock(Path(sys.argv[1]), Path("masks")):
    print("held", flush=True)
    sys.stdin.read()
"""


def hold(file):
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(file)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "held\n"
    return process


def test_another_process_is_kept_out_and_hears_who_is_there(tmp_path):
    file = tmp_path / "out" / ".run.lock"
    process = hold(file)
    try:
        sentence = rf"^masks is in use by another run \(process {process.pid} on .*, since"
        with pytest.raises(OutputError, match=sentence), lock(file, Path("masks")):
            pytest.fail("the lock was given twice")
    finally:
        process.communicate()
    with lock(file, Path("masks")):
        assert json.loads(file.read_text())["process"] == os.getpid()
    assert not file.exists()


def test_a_lock_dies_with_its_process(tmp_path):
    file = tmp_path / ".run.lock"
    process = hold(file)
    process.kill()
    process.communicate()
    assert file.exists()
    with lock(file, tmp_path):
        pass
    assert list(tmp_path.iterdir()) == []


def test_folders_that_were_made_for_the_lock_alone_go_with_it(tmp_path):
    file = tmp_path / "a" / "b" / ".run.lock"
    with lock(file, tmp_path):
        assert file.exists()
    assert list(tmp_path.iterdir()) == []
    with lock(file, tmp_path):
        (tmp_path / "a" / "b" / "mask.png").touch()
    assert [path.name for path in (tmp_path / "a" / "b").iterdir()] == ["mask.png"]


def test_a_folder_that_cannot_be_made_is_said_so(tmp_path):
    (tmp_path / "a").touch()
    with pytest.raises(OutputError, match="a part of its path is a file"), lock(tmp_path / "a" / ".run.lock", tmp_path):
        pytest.fail("the lock was given")


def test_a_file_system_without_locks_stops_no_run(tmp_path, monkeypatch):
    def unknown(self, **how):
        raise NotImplementedError("FileSystem does not appear to support flock")

    monkeypatch.setattr("densezero.output.lock.FileLock.acquire", unknown)
    with lock(tmp_path / ".run.lock", tmp_path):
        (tmp_path / "mask.png").touch()
    assert [path.name for path in tmp_path.iterdir()] == ["mask.png"]
