import numpy as np
import pytest

from densezero.errors import OutputError, ProtocolError
from densezero.jobs.counts import CountJournal, ImageCounts
from densezero.jobs.shards import Shard

MATRIX = np.array([[0, 5, 0], [0, 0, 0], [2, 0, 7]])


def test_counts_come_back_without_their_zeros():
    counts = ImageCounts.from_matrix("a", MATRIX, {"count": 0.1})
    assert counts.pixels == (5, 2, 7)
    total = np.ones((3, 3), np.int64)
    counts.add_to(total)
    assert np.array_equal(total, MATRIX + 1)


def test_a_journal_is_read_by_the_next_run_and_by_the_other_processes(tmp_path):
    request = {"model": "m"}
    for rank, name in enumerate("ab"):
        journal = CountJournal(tmp_path / "r.json", rank, request)
        journal.open()
        journal.add(ImageCounts.from_matrix(name, MATRIX, {}))
    again = CountJournal(tmp_path / "r.json", 0, request)
    assert sorted(again.known) == ["a", "b"]
    again.open()
    assert sorted(CountJournal(tmp_path / "r.json", 1, request).known) == ["a", "b"]
    again.remove_all()
    assert list(tmp_path.iterdir()) == []


def test_a_line_that_a_kill_cut_is_done_again(tmp_path):
    journal = CountJournal(tmp_path / "r.json", 0, {})
    journal.open()
    journal.add(ImageCounts.from_matrix("a", MATRIX, {}))
    journal.add(ImageCounts.from_matrix("b", MATRIX, {}))
    file = next(tmp_path.iterdir())
    file.write_bytes(file.read_bytes()[:-9])
    assert list(CountJournal(tmp_path / "r.json", 0, {}).known) == ["a"]


def test_counts_of_another_request_are_refused(tmp_path):
    journal = CountJournal(tmp_path / "r.json", 0, {"model": "a"})
    journal.open()
    with pytest.raises(OutputError, match="another request"):
        CountJournal(tmp_path / "r.json", 0, {"model": "b"})


def test_shares_of_all_processes_are_all_items_each_once():
    items = list(range(11))
    shares = [Shard(rank, 4).share_of(items) for rank in range(4)]
    assert sorted(item for share in shares for item in share) == items
    assert max(map(len, shares)) - min(map(len, shares)) <= 1
    assert [Shard(rank, 4).leads for rank in range(4)] == [True, False, False, False]


def test_a_rank_that_cannot_be_is_refused():
    with pytest.raises(ProtocolError):
        Shard(2, 2)
