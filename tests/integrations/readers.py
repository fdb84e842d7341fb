"""Runs code with libraries of other tools, in a process of its own: they would change what other tests import."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

ENVIRONMENT = "DENSEZERO_READERS"
"""Names the environment that ``tests/readers/make.sh`` makes. Our libraries come first where both have one."""


def run_with_readers(code, *libraries):
    """Run code that prints; skip the test if one of the libraries is missing. Return what it printed."""
    place = os.environ.get(ENVIRONMENT)
    found = [str(folder) for folder in Path(place or "/nowhere").glob("lib/python3*/site-packages")]
    missing = [name for name in libraries if not any((Path(folder) / name).is_dir() for folder in found)]
    if missing:
        pytest.skip(f"needs {', '.join(missing)}: tests/readers/make.sh readers && export {ENVIRONMENT}=$PWD/readers")
    before = f"import sys; sys.path.append({found[0]!r})\n"
    done = subprocess.run([sys.executable, "-c", before + code], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return done.stdout
