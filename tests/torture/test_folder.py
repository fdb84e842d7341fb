"""A tenth of the torture folder; all of it by ``python -m tests.torture.run_folder --large``."""

import sys

import pytest

from tests.torture.make_folder import DONE, FAILED, make_folder
from tests.torture.run_folder import COMMANDS, run_over

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="other file systems refuse some of the names"),
]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_file_has_its_fate_and_its_true_reason(tmp_path, command):
    made = make_folder(tmp_path / "in", part=10)
    assert sum(one.fate == DONE for one in made) > 50
    assert sum(one.fate == FAILED for one in made) >= 20
    assert "as expected" in run_over(tmp_path / "in", tmp_path / "out", command, made)
