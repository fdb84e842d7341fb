from pathlib import Path

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


def test_the_folder_is_gone_after_the_block_even_after_an_error():
    with pytest.raises(ZeroDivisionError), DiskCache() as cache:
        cache.put("a", torch.ones(1))
        folder = Path(cache._folder.name)
        assert len(list(folder.iterdir())) == 1
        raise ZeroDivisionError
    assert not folder.exists()


def test_a_full_disk_is_told_with_a_way_out(monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("numpy.save", full)
    with DiskCache() as cache, pytest.raises(OutputError, match=r"No space left on device.*TMPDIR"):
        cache.put("a", torch.ones(1))
