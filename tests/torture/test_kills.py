"""Five runs of each command, killed by each signal; fifty by ``python -m tests.torture.kill_runs``."""

import subprocess
import sys

import pytest

from tests.conftest import ROOT
from tests.torture.kill_runs import SIGNALS, commands


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Windows does not fork")
def test_killed_runs_end_like_undisturbed_ones(tmp_path):
    words = [sys.executable, "-m", "tests.torture.kill_runs", "--times", "5", "--images", "4"]
    done = subprocess.run(words, capture_output=True, text=True, cwd=ROOT, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    lines = done.stdout.splitlines()
    assert len(lines) == len(SIGNALS) * len(commands(tmp_path, tmp_path))
    assert all(": 5 runs with SIG" in line for line in lines)
