"""Ctrl-C and SIGTERM end a run alike: status 130, whole files only, and the same command goes on."""

import json
import signal
import subprocess
import sys
import time

import pytest

from densezero.cli import main as cli
from densezero.errors import InputError
from tests.jobs.photos import read_labels, write_scenes

IMAGES, DEADLINE_S = 60, 120
QUICK = ("--model", "nano", "--dtype", "float32", "--device", "cpu")
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")


def start(folder, out, command):
    words = {
        "segment": ("--classes", "sky, grass", "--templates", "plain", "--save", "labels"),
        "features": ("--grid", "24"),
    }[command]
    line = [sys.executable, "-m", "densezero", command, str(folder), "--out", str(out), *QUICK, *words]
    return subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait_for_first_file(process, out, pattern):
    end = time.monotonic() + DEADLINE_S
    while not list(out.rglob(pattern)):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end, "no image was done in time"
        time.sleep(0.01)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize(("command", "pattern"), [("segment", "labels/*.png"), ("features", "*.npz")])
def test_a_signal_ends_a_run_that_goes_on_later(tmp_path, command, pattern, number):
    folder, out = (
        write_scenes(tmp_path / "in", [f"{index:02}.png" for index in range(IMAGES)], (96, 128)),
        tmp_path / "out",
    )
    process = start(folder, out, command)
    wait_for_first_file(process, out, pattern)
    process.send_signal(number)
    _, errors = process.communicate(timeout=DEADLINE_S)
    assert process.returncode == 130, errors
    assert "interrupted; run the same command again to go on" in errors
    assert "Traceback" not in errors
    lines = [json.loads(line) for line in (out / ".run.journal").read_text().splitlines()]
    files = list(out.rglob(pattern))
    assert 0 < len(files) == [line.get("status") for line in lines].count("done") < IMAGES
    assert {path.name for path in out.iterdir() if path.name.startswith(".")} == {".run.journal"}
    if command == "segment":
        assert all(read_labels(file).shape == (96, 128) for file in files)
    again = start(folder, out, command)
    _, errors = again.communicate(timeout=DEADLINE_S)
    assert again.returncode == 0, errors
    assert len(list(out.rglob(pattern))) == IMAGES
    assert {path.suffix for path in out.rglob("*") if path.is_file()} <= {".png", ".npz", ".json"}


def test_a_signal_before_the_work_is_answered_alike(tmp_path):
    folder = write_scenes(tmp_path / "in", ["a.png"])
    ours = "import os, signal, sys\nfrom densezero.cli import main\n"
    ours += "main.app = lambda prog_name: os.kill(os.getpid(), signal.SIGTERM)\nmain.main()"
    done = subprocess.run([sys.executable, "-c", ours, str(folder)], capture_output=True, text=True, timeout=DEADLINE_S)
    assert done.returncode == 130
    assert done.stderr == "interrupted; run the same command again to go on\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("replacement", [InputError("the file is damaged"), TypeError("no shape")])
def test_an_interrupt_that_a_library_replaces_is_an_interrupt(monkeypatch, capsys, number, replacement):
    def command(prog_name):
        try:
            signal.raise_signal(number)
        except KeyboardInterrupt:
            raise replacement from None

    monkeypatch.setattr(cli, "app", command)
    monkeypatch.setattr(cli.Interrupts, "came", False)
    before = [signal.signal(each, signal.default_int_handler) for each in (signal.SIGINT, signal.SIGTERM)]
    try:
        with pytest.raises(SystemExit) as ended:
            cli.main()
    finally:
        for each, handler in zip((signal.SIGINT, signal.SIGTERM), before, strict=True):
            signal.signal(each, handler)
    assert ended.value.code == 130
    assert capsys.readouterr().err == "interrupted; run the same command again to go on\n"
