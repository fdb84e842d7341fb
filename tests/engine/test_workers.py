"""Small steps are shared out among threads that compute alone."""

import gc
import os
import threading

import pytest
import torch

from densezero.engine import workers
from densezero.engine.workers import alone, share_out

several = pytest.mark.parametrize("threads", [1, 3])


@several
def test_every_part_is_worked_on_once(threads):
    done = []
    share_out(done.append, range(50), threads)
    assert sorted(done) == list(range(50))


@several
def test_no_parts_are_no_work(threads):
    share_out(pytest.fail, [], threads)


@several
def test_the_first_failure_is_raised_and_the_others_are_finished(threads):
    done = []

    def work(part):
        if part in (2, 5):
            raise ValueError(f"part {part}")
        done.append(part)

    with pytest.raises(ValueError, match="part 2"):
        share_out(work, range(8), threads)
    assert set(done) >= {0, 1}
    assert threads == 1 or sorted(done) == [0, 1, 3, 4, 6, 7]


def test_workers_compute_in_inference_mode_on_one_thread_and_others_keep_theirs():
    before, seen = torch.get_num_threads(), []
    pool = workers._pool(4)
    for _ in range(9):
        pool.submit(lambda: seen.append((threading.current_thread().name, torch.get_num_threads()))).result()
    assert {count for _, count in seen} == {1}
    assert all(name.startswith("densezero") for name, _ in seen)
    assert torch.get_num_threads() == before
    inside = []
    workers._pool(4).submit(workers._infer, lambda part: inside.append(torch.is_inference_mode_enabled()), 0).result()
    assert inside == [True]


@several
def test_work_done_alone_gives_what_it_gives(threads, monkeypatch):
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    assert alone(lambda: 7) == 7
    with pytest.raises(ValueError, match="no"):
        alone(lambda: int("no"))


def test_work_done_alone_has_one_thread_of_its_own():
    known = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        name, count, infers = alone(
            lambda: (threading.current_thread().name, torch.get_num_threads(), torch.is_inference_mode_enabled())
        )
    finally:
        torch.set_num_threads(known)
    assert (count, infers) == (1, True)
    assert name.startswith("densezero")


def test_all_threads_of_a_pool_run_before_there_is_work():
    with workers.start_pool("early", 3):
        assert len([thread for thread in threading.enumerate() if thread.name.startswith("early")]) == 3


def test_an_interrupt_while_threads_start_leaves_none_behind(monkeypatch):
    wait, began = threading.Barrier.wait, set(threading.enumerate())

    def interrupted(self, timeout=None):
        if threading.current_thread() is threading.main_thread():
            raise KeyboardInterrupt
        return wait(self, timeout)

    monkeypatch.setattr(threading.Barrier, "wait", interrupted)
    with pytest.raises(KeyboardInterrupt):
        workers.start_pool("interrupted", 5)
    started = set(threading.enumerate()) - began
    gc.collect()  # of the pool, which ends its threads when they are free
    for thread in started:
        thread.join(10)
        assert not thread.is_alive()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_has_threads_of_its_own():
    share_out(lambda part: None, range(4), threads=2)
    child = os.fork()
    if child == 0:
        done = []
        share_out(done.append, range(4), threads=2)
        os._exit(0 if len(done) == 4 else 1)
    waited, status = os.waitpid(child, 0)
    assert (waited, status) == (child, 0)
