import json
import os
import tracemalloc
from dataclasses import asdict

import numpy as np
import pytest
import torch

from densezero.errors import OutputError, ProtocolError
from densezero.evaluation.image_counts import ImageCounts, PairState
from densezero.evaluation.running_scores import RunningScores
from densezero.jobs.evaluate.counts import CountJournals
from densezero.jobs.evaluate.processes import (
    Shard,
    check_environment,
    own_device,
    silent_unless_leading,
    take_own_threads,
)

MATRIX = np.array([[0, 5, 0], [0, 0, 0], [2, 0, 7]])
STATE = PairState(("1-2", "3-4"), ("ab", "cd"))


def names_known(journal):
    return [counts.name for counts in journal.known()]


def test_counts_come_back_without_their_zeros():
    counts = ImageCounts.from_matrix("a", STATE, MATRIX, 3, {"count": 0.1})
    assert counts.pixels == (5, 2, 7)
    total = np.ones((3, 3), np.int64)
    counts.add_to(total)
    assert np.array_equal(total, MATRIX + 1)


def test_a_journal_is_read_by_the_next_run_and_by_the_other_processes(tmp_path):
    request = {"model": "m"}
    for rank, name in enumerate("ab"):
        journal = CountJournals(tmp_path / "r.json", rank, request)
        journal.open()
        journal.add(ImageCounts.from_matrix(name, STATE, MATRIX, 3, {}))
    again = CountJournals(tmp_path / "r.json", 0, request)
    assert names_known(again) == ["a", "b"]
    again.open()
    assert names_known(CountJournals(tmp_path / "r.json", 1, request)) == ["a", "b"]
    again.remove_all()
    assert list(tmp_path.iterdir()) == []


def test_the_scores_of_parts_merge_into_those_of_all():
    images = [
        ImageCounts.from_matrix(name, STATE, MATRIX * factor, 3, {"count": 0.5})
        for factor, name in enumerate("abcd", 1)
    ]
    parts, whole = [RunningScores(3), RunningScores(3)], RunningScores(3)
    for place, image in enumerate(images):
        parts[place % 2].add(image)
        whole.add(image)
    parts[0].merge(parts[1])
    assert np.array_equal(parts[0].confusion, whole.confusion)
    assert np.array_equal(whole.confusion, MATRIX * 10)
    assert parts[0].scores == whole.scores
    assert parts[0].seconds == whole.seconds == {"count": 2.0}


def test_an_image_counts_once():
    running = RunningScores(3)
    for _ in range(2):
        running.add(ImageCounts.from_matrix("a", STATE, MATRIX, 3, {"count": 0.5}))
    assert np.array_equal(running.confusion, MATRIX)
    assert (len(running), running.seconds) == (1, {"count": 0.5})


def test_running_scores_keep_three_sums_a_class_of_an_image_and_not_its_counts(tmp_path):
    def bytes_held(images):
        journal = CountJournals(tmp_path / f"{images}.json", 0, {})
        journal.open()
        for index in range(images):
            journal.add(ImageCounts.from_matrix(f"{index}", STATE, many, 3, {"count": 0.5}))
        tracemalloc.start()
        running = RunningScores(90)
        for counts in CountJournals(tmp_path / f"{images}.json", 0, {}).known():
            running.add(counts)
        held, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert len(running) == images
        return held

    many = np.arange(1, 8101).reshape(90, 90)
    assert bytes_held(24) - bytes_held(4) < 20 * 5000  # the counts of one such image take half a megabyte


def test_a_line_that_a_kill_cut_is_done_again(tmp_path):
    journal = CountJournals(tmp_path / "r.json", 0, {})
    journal.open()
    journal.add(ImageCounts.from_matrix("a", STATE, MATRIX, 3, {}))
    journal.add(ImageCounts.from_matrix("b", STATE, MATRIX, 3, {}))
    file = next(tmp_path.iterdir())
    file.write_bytes(file.read_bytes()[:-9])
    assert names_known(CountJournals(tmp_path / "r.json", 0, {})) == ["a"]


def test_counts_of_another_request_are_refused(tmp_path):
    journal = CountJournals(tmp_path / "r.json", 0, {"model": "a"})
    journal.open()
    with pytest.raises(OutputError, match="another request"):
        CountJournals(tmp_path / "r.json", 0, {"model": "b"})


def test_counts_of_a_report_with_a_longer_name_are_none_of_its(tmp_path):
    for name in ("r.json", "r.json.0.counts", "r"):
        CountJournals(tmp_path / name, 0, {"model": name}).open()
    journals = CountJournals(tmp_path / "r.json", 0, {"model": "r.json"})
    journals.remove_all()
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize(
    "line",
    [
        {},
        {"truth": 3},
        {"pixels": [1]},
        {"pixels": [-5, 2, 7]},
        {"state": 0},
        {"boundary": [[1]]},
        {"seconds": 1},
        {"pixels": [1e999, 1, 1]},
        {"ignored": 1e999},
    ],
)
def test_a_damaged_journal_is_said_so(tmp_path, line):
    journals = CountJournals(tmp_path / "r.json", 0, {})
    journals.open()
    whole = asdict(ImageCounts.from_matrix("a", STATE, MATRIX, 3, {}))
    file = next(tmp_path.iterdir())
    with file.open("a") as stream:
        stream.write(json.dumps({**whole, **line} if line else line) + "\n")
    with pytest.raises(OutputError, match=r"is damaged .*delete the file to count anew"):
        list(CountJournals(tmp_path / "r.json", 0, {}).known())


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        ({"WORLD_SIZE": "2"}, r"WORLD_SIZE is 2, but RANK, MASTER_ADDR, MASTER_PORT is not set\. .*unset .*torchrun"),
        ({"RANK": "abc"}, r"RANK as a number.*'abc'"),
        ({"WORLD_SIZE": "two"}, r"WORLD_SIZE as a number.*'two'"),
        ({"LOCAL_RANK": "-1"}, r"LOCAL_RANK as a number"),
        ({"RANK": "1"}, r"RANK is 1, and WORLD_SIZE 1"),
        ({"RANK": "2", "WORLD_SIZE": "2", "MASTER_ADDR": "a", "MASTER_PORT": "1"}, r"RANK is 2, and WORLD_SIZE 2"),
    ],
)
def test_variables_that_another_program_left_are_named(monkeypatch, variables, sentence):
    for name in ("WORLD_SIZE", "RANK", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.delenv(name, raising=False)
    check_environment()
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ProtocolError, match=sentence):
        check_environment()


def test_an_error_that_all_processes_meet_is_told_by_one(monkeypatch):
    for rank, kind in (("0", OutputError), ("1", SystemExit)):
        monkeypatch.setenv("RANK", rank)
        with pytest.raises(kind), silent_unless_leading():
            raise OutputError("refused")


def test_shares_of_all_processes_are_all_items_each_once():
    items = list(range(11))
    shares = [Shard(rank, 4).share_of(items) for rank in range(4)]
    assert sorted(item for share in shares for item in share) == items
    assert max(map(len, shares)) - min(map(len, shares)) <= 1
    assert [Shard(rank, 4).leads for rank in range(4)] == [True, False, False, False]


def test_each_of_several_processes_takes_a_device_of_its_own(monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    monkeypatch.delenv("LOCAL_RANK", raising=False)
    assert own_device("auto") == "auto"
    devices = []
    for rank in range(3):
        monkeypatch.setenv("LOCAL_RANK", str(rank))
        devices.append(own_device("auto"))
    assert devices == ["cuda:0", "cuda:1", "cuda:0"]
    assert own_device("cpu") == "cpu"
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert own_device("auto") == "auto"


def test_a_rank_that_cannot_be_is_refused():
    with pytest.raises(ProtocolError):
        Shard(2, 2)


@pytest.mark.parametrize(
    ("processes", "asked", "threads"),
    [
        (None, None, None),
        ("1", "1", None),
        ("2", "1", 4),
        ("2", None, 4),
        ("2", "", 4),
        ("3", "1", 2),
        ("16", "1", 1),
        ("2", "3", None),
    ],
)
def test_processes_of_one_machine_share_its_processors(monkeypatch, processes, asked, threads):
    given = []
    monkeypatch.setattr(torch, "set_num_threads", given.append)
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(8)), raising=False)
    for name, value in (("LOCAL_WORLD_SIZE", processes), ("OMP_NUM_THREADS", asked)):
        monkeypatch.delenv(name, raising=False)
        if value is not None:
            monkeypatch.setenv(name, value)
    take_own_threads()
    assert given == ([] if threads is None else [threads])
