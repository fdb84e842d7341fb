import ctypes
import os
import platform
import subprocess
import sys

import pytest

from densezero.encoders.heap import AFTERWARDS, MMAP_THRESHOLD, TRIM_THRESHOLD, WHILE_READING, large_pieces_apart

PIECES, PIECE = 40, 2**21
# Every second piece is let go of, as copies are while weights are read: what is left of the growth, in pieces.
ALTERNATE = f"""
import sys
from contextlib import nullcontext
import torch
from densezero.encoders.heap import large_pieces_apart

def held():
    line = next(line for line in open("/proc/self/status") if line.startswith("RssAnon"))
    return int(line.split()[1]) * 1024

torch.ones({PIECE}, dtype=torch.uint8)  # let go of: from now on glibc keeps pieces of this size
before = held()
with large_pieces_apart() if sys.argv[1] == "apart" else nullcontext():
    pieces = [torch.ones({PIECE}, dtype=torch.uint8) for _ in range({2 * PIECES})]
    del pieces[::2]
print((held() - before) / {PIECE})
"""


class Library:
    """Stands for glibc; remembers the options that are set."""

    def __init__(self):
        self.options = []

    def mallopt(self, option, value):
        self.options.append((option, value))


def settings():
    """What the environment sets of glibc's heap."""
    return [name for name in os.environ if name.startswith("MALLOC_") or name == "GLIBC_TUNABLES"]


@pytest.fixture
def library(monkeypatch):
    """Stand a library in for glibc, and take thresholds out of the environment."""
    library = Library()
    monkeypatch.setattr(ctypes, "CDLL", lambda name: library)
    monkeypatch.setattr(platform, "libc_ver", lambda: ("glibc", "2.36"))
    for name in settings():
        monkeypatch.delenv(name)
    return library


def test_thresholds_end_where_glibc_would_raise_them_to(library):
    with pytest.raises(KeyError), large_pieces_apart():
        assert library.options == [(MMAP_THRESHOLD, WHILE_READING)]
        raise KeyError
    assert library.options[1:] == [(MMAP_THRESHOLD, AFTERWARDS), (TRIM_THRESHOLD, 2 * AFTERWARDS)]


@pytest.mark.parametrize(
    ("libc", "setting"), [("musl", None), ("", None), ("glibc", "MALLOC_MMAP_THRESHOLD_"), ("glibc", "GLIBC_TUNABLES")]
)
def test_another_allocator_or_setting_is_left_alone(library, monkeypatch, libc, setting):
    monkeypatch.setattr(platform, "libc_ver", lambda: (libc, ""))
    if setting:
        monkeypatch.setenv(setting, "glibc.malloc.mmap_threshold=4096")
    with large_pieces_apart():
        pass
    assert library.options == []


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc" or sys.platform != "linux", reason="glibc's heap on Linux")
def test_what_is_let_go_of_goes_back_to_the_system():
    left, environment = {}, {name: value for name, value in os.environ.items() if name not in settings()}
    for way in ("apart", "together"):
        command = [sys.executable, "-c", ALTERNATE, way]
        done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
        left[way] = float(done.stdout)
    assert left["apart"] < 1.1 * PIECES
    assert left["together"] > 1.8 * PIECES
