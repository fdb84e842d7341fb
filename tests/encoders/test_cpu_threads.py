"""Items are worked on by threads in which torch computes single-threaded."""

import gc
import os
import threading

import pytest
import torch

from densezero.encoders import cpu_threads
from densezero.encoders.cpu_threads import parallel_for

several = pytest.mark.parametrize("threads", [1, 3])


@pytest.fixture(autouse=True)
def new_pools():
    cpu_threads._pool.cache_clear()
    yield
    cpu_threads._pool.cache_clear()
    gc.collect()


@several
def test_every_item_is_worked_on_once(threads):
    done = []
    parallel_for(done.append, range(50), threads)
    assert sorted(done) == list(range(50))


@several
def test_no_items_are_no_work(threads):
    parallel_for(pytest.fail, [], threads)


@several
def test_the_first_failure_is_raised_and_the_others_are_finished(threads):
    done = []

    def work(item):
        if item in (2, 5):
            raise ValueError(f"item {item}")
        done.append(item)

    with pytest.raises(ValueError, match="item 2"):
        parallel_for(work, range(8), threads)
    assert set(done) >= {0, 1}
    assert threads == 1 or sorted(done) == [0, 1, 3, 4, 6, 7]


def test_each_thread_computes_single_threaded_in_inference_mode_and_others_keep_their_threads():
    before, seen = torch.get_num_threads(), []
    parallel_for(lambda _: seen.append((torch.get_num_threads(), torch.is_inference_mode_enabled())), range(9), 4)
    assert set(seen) == {(1, True)}
    assert torch.get_num_threads() == before
    later = []
    thread = threading.Thread(target=lambda: later.append(torch.get_num_threads()))
    thread.start()
    thread.join()
    assert later == [before], "a thread that starts later has the usual number as well"


def test_an_interrupt_while_threads_start_leaves_none_behind(monkeypatch):
    wait, began = threading.Barrier.wait, set(threading.enumerate())

    def interrupted(self, timeout=None):
        if threading.current_thread() is threading.main_thread():
            raise KeyboardInterrupt
        return wait(self, timeout)

    before = torch.get_num_threads()
    monkeypatch.setattr(threading.Barrier, "wait", interrupted)
    with pytest.raises(KeyboardInterrupt):
        parallel_for(print, range(3), 5)
    assert torch.get_num_threads() == before
    started = set(threading.enumerate()) - began
    gc.collect()  # of the pool, which ends its threads when it is freed
    for thread in started:
        thread.join(10)
        assert not thread.is_alive()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_starts_threads_of_its_own():
    parallel_for(lambda item: None, range(4), threads=2)
    child = os.fork()
    if child == 0:
        done = []
        parallel_for(done.append, range(4), threads=2)
        os._exit(0 if len(done) == 4 else 1)
    waited, status = os.waitpid(child, 0)
    assert (waited, status) == (child, 0)
