import threading

import numpy as np
import pytest
from PIL import Image

from densezero.errors import InputError
from densezero.jobs import overlap
from densezero.jobs.overlap import is_light, one_thread, read_ahead


def test_items_come_in_order_each_with_what_was_read():
    with one_thread("read") as thread:
        came = [
            (ahead.item, ahead.reading.result(), ahead.is_alone)
            for ahead in read_ahead([3, 1, 2], str, lambda item: True, thread)
        ]
    assert came == [(3, "3", False), (1, "1", False), (2, "2", True)]


def test_without_items_nothing_is_read():
    with one_thread("read") as thread:
        assert list(read_ahead([], str, lambda item: True, thread)) == []


def test_an_error_comes_out_at_the_turn_of_its_item():
    def read(item):
        if item == "b":
            raise InputError("b cannot be read")
        return item

    with one_thread("read") as thread:
        given = read_ahead(["a", "b", "c"], read, lambda item: True, thread)
        assert next(given).reading.result() == "a"
        with pytest.raises(InputError, match="b cannot"):
            next(given).reading.result()
        assert next(given).reading.result() == "c"


def test_one_heavy_item_is_read_after_all_else_and_before_anything():
    begun, seen = [], []

    def read(item):
        begun.append(item)
        return item

    with one_thread("read") as thread:
        for ahead in read_ahead([1, 9, 2, 3], read, lambda item: item < 5, thread):
            thread.submit(lambda: None).result()  # what had been asked for before has been read
            seen.append((ahead.is_alone, list(begun)))
    assert seen == [(True, [1]), (True, [1, 9]), (False, [1, 9, 2, 3]), (True, [1, 9, 2, 3])]


def test_reading_happens_in_the_thread_that_is_given():
    with one_thread("read") as thread:
        names = [
            ahead.reading.result()
            for ahead in read_ahead([1, 2], lambda _: threading.current_thread().name, lambda item: True, thread)
        ]
    assert names == ["densezero-read_0"] * 2


def test_three_light_images_stay_within_what_may_be_in_flight(tmp_path, monkeypatch):
    file = tmp_path / "a.png"
    Image.fromarray(np.zeros((20, 30, 3), np.uint8)).save(file)
    monkeypatch.setattr(overlap, "IN_FLIGHT_BYTES", 3 * (5 * 600 + 100))
    assert is_light(file, 5, 100)
    assert not is_light(file, 5, 101)
    assert not is_light(file, 6, 0)


def test_a_photograph_of_24_megapixels_is_light_and_one_of_30_is_not(tmp_path):
    for name, hw in (("light.png", (4000, 6000)), ("heavy.png", (5000, 6000))):
        Image.new("1", hw[::-1]).save(tmp_path / name)
    assert is_light(tmp_path / "light.png", 4)
    assert not is_light(tmp_path / "heavy.png", 4)


def test_what_has_no_header_is_light(tmp_path):
    (tmp_path / "a.png").write_text("no image")
    assert is_light(tmp_path / "a.png", 4)
    assert is_light(tmp_path / "gone.png", 4)
