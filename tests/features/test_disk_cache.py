import sys

import pytest
import torch

from densezero.errors import OutputError
from densezero.features import DiskCache


def test_tensors_come_back_as_they_were_and_in_order():
    with DiskCache() as cache:
        for name in ("b", "a", "c"):
            cache.put(name, torch.full((2, 3), float(ord(name))))
        assert cache.names == ["b", "a", "c"]
        assert torch.equal(cache.get("a"), torch.full((2, 3), 97.0))
        assert cache.get("d") is None
        view = cache.view(["c", "b"])
        assert len(view) == 2
        for _ in range(2):
            assert [int(tensor[0, 0]) for tensor in view] == [99, 98]
        assert int(view[1][0, 0]) == 98


@pytest.mark.skipif(sys.platform == "win32", reason="Windows takes the file away when it is closed")
def test_nothing_is_left_even_by_a_killed_process(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with DiskCache() as cache:
        cache.put("a", torch.ones(1000))
        assert torch.equal(cache.get("a"), torch.ones(1000))
        assert list(tmp_path.iterdir()) == [], "the file has a name, which a kill would leave"


def test_a_full_disk_is_told_with_a_way_out(monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("numpy.save", full)
    with DiskCache() as cache, pytest.raises(OutputError, match=r"No space left on device.*TMPDIR"):
        cache.put("a", torch.ones(1))
