import os
import subprocess
import sys

import pytest

from tests.conftest import ROOT


@pytest.mark.parametrize(
    ("root", "said"),
    [("scenes=nowhere", "expected drawn scenes"), ("scenes", "expected --root DATASET=PATH; got scenes")],
)
def test_a_root_that_cannot_be_is_one_sentence_before_the_first_cell(tmp_path, root, said):
    script = ROOT / "benchmarks" / "tables" / "tipsv2.py"
    done = subprocess.run(
        [sys.executable, script, "--model", "nano", "--out", tmp_path / "out", "--root", root],
        capture_output=True, text=True, cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)}, timeout=120,
    )  # fmt: skip
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert "tips-simple" not in done.stderr
