"""Some hundred mutated files of each kind; for longer by ``python -m tests.torture.fuzz --minutes 30``."""

import sys

import pytest

if sys.platform == "win32":
    pytest.skip("Windows has no timer signal", allow_module_level=True)

from tests.torture.fuzz import fuzz

CASES = 3400


def test_mutated_files_are_read_or_refused_in_words(tmp_path):
    ends, found = fuzz(tmp_path, CASES, 0, seed=1_000_000)
    assert not found, "\n".join(found[:5])
    assert sum(ends.values()) == CASES
    assert len([name for name in ends if name.endswith("refused")]) > 12
