"""Several threads decode at the same time, and leave the settings of Pillow and of Python's warnings unchanged."""

import io
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image, ImageFile

from densezero.errors import InputError
from densezero.images import read_rgb
from densezero.images.pillow_settings import strict_and_quiet

from .draw import WHOLE, draw_scene, tiff

# A text tag points beyond the end of the file, so Pillow warns.
ODD = tiff((1, 1), 8, 1, b"\x07", more=[(33432, 2, 900, 60_000)])
HALF = WHOLE["jpeg"][: (WHOLE["jpeg"].index(b"\xff\xda") + len(WHOLE["jpeg"])) // 2]


@pytest.fixture
def lenient(monkeypatch):
    """A caller whose Pillow fills the missing pixels of a truncated file."""
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)


@pytest.fixture
def files(tmp_path):
    """Files: one is whole, one is cut short, and one makes Pillow warn."""
    for name, content in (("whole", WHOLE["bmp"]), ("half", HALF), ("odd", ODD)):
        (tmp_path / name).write_bytes(content)
    return tmp_path


class Inside(threading.Thread):
    """A thread that decodes until ``leave`` is called."""

    def __init__(self):
        super().__init__()
        self.entered, self.may_leave = threading.Event(), threading.Event()
        self.start()
        assert self.entered.wait(20)

    def run(self):
        with strict_and_quiet():
            self.entered.set()
            assert self.may_leave.wait(20)

    def leave(self):
        self.may_leave.set()
        self.join(20)
        assert not self.is_alive()


def test_several_threads_decode_at_the_same_time(files, monkeypatch):
    together = threading.Barrier(3)
    load = ImageFile.ImageFile.load

    def load_together(image):
        together.wait(20)  # fails unless three threads are here
        return load(image)

    monkeypatch.setattr(ImageFile.ImageFile, "load", load_together)
    with ThreadPoolExecutor(3) as pool:
        results = list(pool.map(read_rgb, [files / "whole"] * 12))
    assert all(np.array_equal(rgb, draw_scene()) for rgb in results)


def test_the_odd_tiff_does_make_pillow_warn():
    with pytest.warns(UserWarning):
        Image.open(io.BytesIO(ODD)).load()


def test_no_warning_of_pillow_leaves_or_becomes_an_error(files):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        before = list(warnings.filters)
        assert read_rgb(files / "odd").tolist() == [[[7] * 3]]
        assert list(warnings.filters) == before


def test_a_truncated_file_is_refused_even_where_the_caller_is_lenient(files, lenient):
    with pytest.raises(InputError, match="cut short"):
        read_rgb(files / "half")
    assert ImageFile.LOAD_TRUNCATED_IMAGES is True


def test_leniency_that_is_set_while_another_thread_decodes_does_not_reach_the_next_file(files, monkeypatch):
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", False)  # restored after the test
    other = Inside()
    ImageFile.LOAD_TRUNCATED_IMAGES = True
    with pytest.raises(InputError, match="cut short"):
        read_rgb(files / "half")
    other.leave()
    assert ImageFile.LOAD_TRUNCATED_IMAGES is True


def test_settings_change_with_the_first_thread_and_come_back_with_the_last(files, lenient):
    before = list(warnings.filters)
    first = Inside()
    second = Inside()
    first.leave()
    assert ImageFile.LOAD_TRUNCATED_IMAGES is False
    with pytest.raises(InputError, match="cut short"):
        read_rgb(files / "half")
    assert ImageFile.LOAD_TRUNCATED_IMAGES is False
    second.leave()
    assert ImageFile.LOAD_TRUNCATED_IMAGES is True
    assert list(warnings.filters) == before


def test_warnings_of_a_thread_that_does_not_decode_are_shown():
    with pytest.warns(UserWarning, match="from here"):
        other = Inside()
        warnings.warn("from here", stacklevel=1)
        other.leave()


def test_a_catch_warnings_that_begins_before_and_ends_during_leaves_no_filter_behind(files):
    before = list(warnings.filters)
    with warnings.catch_warnings():
        other = Inside()
    assert read_rgb(files / "odd").shape == (1, 1, 3)  # warnings are errors here
    other.leave()
    assert list(warnings.filters) == before


def test_a_catch_warnings_that_begins_during_and_ends_after_leaves_no_filter_behind():
    before = list(warnings.filters)
    other = Inside()
    with warnings.catch_warnings():
        other.leave()
        assert list(warnings.filters) == before
    assert list(warnings.filters) == before


def test_many_overlapping_and_failing_reads_leave_the_settings_as_they_were(files, lenient):
    def outcome(name):
        try:
            return read_rgb(files / name).shape
        except InputError:
            return "refused"

    before = list(warnings.filters)
    names = ["whole", "half", "odd"] * 60
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(outcome, names))
    assert results == [(24, 36, 3), "refused", (1, 1, 3)] * 60
    assert list(warnings.filters) == before
    assert ImageFile.LOAD_TRUNCATED_IMAGES is True


def test_settings_come_back_after_an_error(lenient):
    before = list(warnings.filters)
    with pytest.raises(ZeroDivisionError), strict_and_quiet():
        raise ZeroDivisionError
    assert list(warnings.filters) == before
    assert ImageFile.LOAD_TRUNCATED_IMAGES is True
