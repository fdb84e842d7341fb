import threading
import weakref
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

from densezero.errors import InputError
from densezero.images.read_ahead import IN_FLIGHT_BYTES, picture_bytes, read_ahead, readers, try_together

LIGHT, HEAVY = IN_FLIGHT_BYTES // 3, IN_FLIGHT_BYTES // 3 + 1


def none(item):
    """Nothing is held of an item."""
    return 0


def test_items_come_in_order_each_with_what_was_read():
    with readers(1) as pool:
        came = [
            (*ahead.items, *(reading.result() for reading in ahead.readings), ahead.is_alone)
            for ahead in read_ahead([3, 1, 2], str, none, pool)
        ]
    assert came == [(3, "3", False), (1, "1", False), (2, "2", True)]


def test_without_items_nothing_is_read():
    with readers(1) as pool:
        assert list(read_ahead([], str, none, pool)) == []


def test_an_error_comes_out_at_the_turn_of_its_item():
    def read(item):
        if item == "b":
            raise InputError("b cannot be read")
        return item

    with readers(1) as pool:
        given = read_ahead(["a", "b", "c"], read, none, pool)
        assert next(given).readings[0].result() == "a"
        with pytest.raises(InputError, match="b cannot"):
            next(given).readings[0].result()
        assert next(given).readings[0].result() == "c"


def test_one_heavy_item_is_read_after_all_else_and_before_anything():
    begun, seen = [], []

    def read(item):
        begun.append(item)
        return item

    with readers(1) as pool:
        for ahead in read_ahead([1, 9, 2, 3], read, lambda item: LIGHT if item < 5 else HEAVY, pool):
            pool.submit(lambda: None).result()  # what had been asked for before has been read
            seen.append((ahead.is_alone, list(begun)))
    assert seen == [(True, [1]), (True, [1, 9]), (False, [1, 9, 2, 3]), (True, [1, 9, 2, 3])]


def test_several_items_are_given_at_once_while_as_many_are_read():
    begun, seen = [], []

    def read(item):
        begun.append(item)
        return item

    with readers(2) as pool:
        for ahead in read_ahead(range(5), read, none, pool, at_once=2):
            for reading in [pool.submit(lambda: None) for _ in range(2)]:
                reading.result()
            seen.append((list(ahead.items), [reading.result() for reading in ahead.readings], ahead.is_alone))
            assert set(begun) >= set(range(min(ahead.items[0] + 4, 5)))
    assert seen == [([0, 1], [0, 1], False), ([2, 3], [2, 3], False), ([4], [4], True)]


def test_items_that_are_not_light_together_come_apart():
    held = {"a": LIGHT // 2, "b": LIGHT // 2, "c": LIGHT // 2, "d": HEAVY, "e": 1, "f": LIGHT, "g": 0}
    with readers(1) as pool:
        given = [(list(ahead.items), ahead.is_alone) for ahead in read_ahead(held, str, held.get, pool, at_once=3)]
    assert given == [(["a", "b"], False), (["c"], True), (["d"], True), (["e"], False), (["f", "g"], True)]


def test_items_are_looked_at_no_earlier_than_their_turn():
    looked = []
    with readers(1) as pool:
        given = read_ahead(iter(range(100)), str, lambda item: looked.append(item) or 0, pool, at_once=4)
        next(given)
    assert len(looked) <= 10


def test_reading_happens_in_the_threads_that_are_given():
    with readers(2) as pool:
        given = read_ahead([1, 2], lambda _: threading.current_thread().name, none, pool, at_once=2)
        names = [reading.result() for ahead in given for reading in ahead.readings]
    assert set(names) <= {"densezero-read_0", "densezero-read_1"}
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("densezero-")]


def test_as_many_threads_read_as_items_are_worked_on_at_once_but_four_at_most():
    for at_once, count in ((1, 1), (3, 3), (16, 4)):
        with readers(at_once):
            running = [thread for thread in threading.enumerate() if thread.name.startswith("densezero-read")]
        assert len(running) == count


def test_what_waits_to_be_read_when_readers_leave_is_not_read(monkeypatch):
    left, under_way, begun = threading.Event(), threading.Semaphore(0), []
    shutdown = ThreadPoolExecutor.shutdown

    def leave(self, *args, **options):
        shutdown(self, *args, **{**options, "wait": False})
        left.set()
        shutdown(self, *args, **options)

    def read(item):
        begun.append(item)
        under_way.release()
        assert left.wait(20)

    monkeypatch.setattr(ThreadPoolExecutor, "shutdown", leave)
    with pytest.raises(KeyError), readers(16) as pool:
        for item in range(9):
            pool.submit(read, item)
        assert all(under_way.acquire(timeout=20) for _ in range(4))
        raise KeyError
    assert sorted(begun) == [0, 1, 2, 3]


def area(hw):
    """One byte for each pixel, and 100."""
    return hw[0] * hw[1] + 100


def test_a_picture_s_bytes_hang_on_its_header(tmp_path):
    Image.fromarray(np.zeros((20, 30, 3), np.uint8)).save(tmp_path / "a.png")
    assert picture_bytes(tmp_path / "a.png", area) == 600 + 100


def test_a_photograph_of_24_megapixels_is_light_and_one_of_30_is_not(tmp_path):
    held = []
    for name, hw in (("light.png", (4000, 6000)), ("heavy.png", (5000, 6000))):
        Image.new("1", hw[::-1]).save(tmp_path / name)
        held.append(picture_bytes(tmp_path / name, lambda hw: 4 * hw[0] * hw[1]))
    assert held[0] <= LIGHT < held[1]


def test_nothing_is_held_of_what_has_no_header(tmp_path):
    (tmp_path / "a.png").write_text("no image")
    assert picture_bytes(tmp_path / "a.png", area) == 0
    assert picture_bytes(tmp_path / "gone.png", area) == 0


def test_several_are_tried_together_and_one_is_not():
    assert try_together(lambda items: [2 * item for item in items], [1, 2]) == [2, 4]
    assert try_together(list, [1]) is None


def test_what_a_failed_try_held_has_been_let_go_of():
    class Held:
        pass

    left = []

    def step(items):
        held = Held()
        left.append(weakref.ref(held))
        raise MemoryError

    assert try_together(step, [1, 2]) is None
    assert left[0]() is None
