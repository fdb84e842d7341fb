import signal
import socket
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch

from densezero.interrupts import Interrupts

ROOT = Path(__file__).resolve().parent.parent
GOLDEN = ROOT / "tests" / "golden"
SHARED = ROOT.parent / "shared"

if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:  # as in a background job of a shell, and inherited by each child
    signal.signal(signal.SIGINT, signal.default_int_handler)


@contextmanager
def callers_torch_settings():
    """A caller's torch settings that would change our numbers, types and devices.

    ``torch.set_default_device(None)``, which would take a default device back, breaks some versions of torch.
    """
    torch.set_default_dtype(torch.float64)
    try:
        with torch.device("meta"), torch.autocast("cpu", dtype=torch.bfloat16):
            yield
    finally:
        torch.set_default_dtype(torch.float32)


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    """Every test has a cache of its own, and none sees the user's."""
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("DENSEZERO_CACHE", str(folder))
    return folder


@pytest.fixture(autouse=True)
def blocked_network(monkeypatch):
    """Only the loopback address can be reached."""
    connect = socket.socket.connect

    def guarded(self, address):
        host = address[0] if isinstance(address, tuple) else address
        if isinstance(host, str) and host not in ("127.0.0.1", "localhost", "::1") and self.family != socket.AF_UNIX:
            raise OSError(f"the network is blocked in tests; {host} was asked for")
        return connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)


@pytest.fixture
def golden():
    """Load one of the reference's files by name."""

    def load(name):
        with np.load(GOLDEN / f"{name}.npz", allow_pickle=False) as arrays:
            return dict(arrays)

    return load


@pytest.fixture(autouse=True)
def own_interrupts():
    """The command line answers signals in its own way; the next test gets Python's way again."""
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.getsignal(number) for number in numbers]
    yield
    for number, handler in zip(numbers, before, strict=True):
        signal.signal(number, handler)
    Interrupts.came = False
