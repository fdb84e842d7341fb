import numpy as np
import pytest

from densezero.errors import InputError, OutputError
from densezero.images.film import read_film_facts, read_frames
from densezero.output.film import write_film


def frames(count=5, hw=(48, 64)):
    """Red to the left, blue to the right, and a bright square that moves."""
    for place in range(count):
        rgb = np.zeros((*hw, 3), np.uint8)
        rgb[:, : hw[1] // 2, 0] = 200
        rgb[:, hw[1] // 2 :, 2] = 200
        rgb[8:20, 8 * place : 8 * place + 8] = 255
        yield rgb


@pytest.mark.parametrize("name", ["a.mp4", "a.avi", "a.mkv", "a.mov"])
def test_frames_come_back_in_order_and_in_rgb(tmp_path, name):
    file = tmp_path / "sub" / name
    assert write_film(file, frames(), rate=12) == 5
    assert read_film_facts(file).rate == pytest.approx(12, abs=0.1)
    assert read_film_facts(file).frames == 5
    back = list(read_frames(file))
    assert [frame.shape for frame in back] == [(48, 64, 3)] * 5
    for got, expected in zip(back, frames(), strict=True):
        assert np.abs(got[40, 8].astype(int) - expected[40, 8]).max() < 40  # red stays red
        assert np.abs(got[40, 56].astype(int) - expected[40, 56]).max() < 40
    assert back[2][14, 20].min() > 200
    assert [path.name for path in file.parent.iterdir()] == [name]


def test_odd_and_differing_sizes_are_drawn_at_the_first_ones_even_size(tmp_path):
    mixed = [np.full((31, 41, 3), 90, np.uint8), np.full((60, 80, 3), 90, np.uint8)]
    write_film(tmp_path / "a.mp4", mixed, 5)
    assert [frame.shape for frame in read_frames(tmp_path / "a.mp4")] == [(30, 40, 3)] * 2


def test_what_cannot_be_written_leaves_nothing(tmp_path):
    with pytest.raises(OutputError, match="no frame"):
        write_film(tmp_path / "a.mp4", [], 5)
    with pytest.raises(OutputError, match=r"end in one of .mp4"):
        write_film(tmp_path / "a.gif", frames(), 5)

    def broken():
        yield next(frames())
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_film(tmp_path / "a.mp4", broken(), 5)
    assert list(tmp_path.iterdir()) == []


def test_a_film_with_fewer_frames_than_were_given_is_refused(tmp_path, monkeypatch):
    (tmp_path / "a.mp4").write_bytes(b"the one before")
    monkeypatch.setattr("densezero.output.film._write", lambda aside, *_: aside.write_bytes(b"cut") and 3)
    with pytest.raises(OutputError, match="0 of 3 frames"):
        write_film(tmp_path / "a.mp4", frames(), 5)
    assert (tmp_path / "a.mp4").read_bytes() == b"the one before"


def test_what_is_no_film_is_refused(tmp_path):
    (tmp_path / "text.mp4").write_text("not a film")
    with pytest.raises(InputError, match="cannot open"):
        read_film_facts(tmp_path / "text.mp4")
    with pytest.raises(InputError, match="no such file"):
        list(read_frames(tmp_path / "none.mp4"))
