import os

import cv2
import numpy as np
import pytest

from densezero.errors import OutputError
from densezero.images.film import read_film_facts, read_frames
from densezero.output.film import CODECS, letterbox, write_film

COLOURS = [(200, 40, 30), (30, 180, 60), (20, 60, 210), (120, 120, 120)]


def solid(colour, hw=(32, 48)):
    return np.full((*hw, 3), colour, np.uint8)


@pytest.mark.parametrize("suffix", CODECS)
def test_frames_come_back_as_they_were_written(tmp_path, suffix):
    path = tmp_path / "new" / f"film{suffix}"
    assert write_film(path, map(solid, COLOURS), 12) == 4
    frames = list(read_frames(path))
    assert [frame.shape for frame in frames] == [(32, 48, 3)] * 4
    for frame, colour in zip(frames, COLOURS, strict=True):
        np.testing.assert_allclose(frame.mean((0, 1)), colour, atol=8)
    assert read_film_facts(path).rate == pytest.approx(12)
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_places_within_a_frame_stay(tmp_path):
    frame = solid((0, 0, 0), (32, 64))
    frame[:16, 32:] = 255
    write_film(tmp_path / "film.avi", [frame], 5)
    (read,) = read_frames(tmp_path / "film.avi")
    assert np.abs(read.astype(int) - frame).mean() < 3


def test_odd_sides_lose_a_row_and_later_frames_fit_into_the_size_of_the_first(tmp_path):
    frames = [solid(COLOURS[0], (33, 47)), solid(COLOURS[1], (20, 20)), solid(COLOURS[2], (66, 94))]
    assert write_film(tmp_path / "film.mp4", frames, 5) == 3
    read = list(read_frames(tmp_path / "film.mp4"))
    assert [frame.shape for frame in read] == [(32, 46, 3)] * 3
    np.testing.assert_allclose(read[1][:, 10:36].mean((0, 1)), COLOURS[1], atol=12)
    assert read[1][:, :4].mean() < 25
    assert read[1][:, -4:].mean() < 25


def test_a_letterbox_keeps_the_ratio_and_fills_with_black():
    boxed = letterbox(solid((255, 255, 255), (10, 40)), (32, 48))  # 12 x 48 in the middle
    white = (boxed == 255).all(-1)
    assert white.any(1).nonzero()[0].tolist() == list(range(10, 22))
    assert white[10:22].all()
    assert (boxed[~white] == 0).all()
    same = solid((1, 2, 3))
    assert np.array_equal(letterbox(same, (32, 48)), same)
    assert letterbox(solid((9, 9, 9), (1, 900)), (32, 48)).any(-1).sum() == 48


def test_no_frame_is_refused_and_leaves_no_file(tmp_path):
    with pytest.raises(OutputError, match="no frame to write"):
        write_film(tmp_path / "film.mp4", [], 5)
    assert list(tmp_path.iterdir()) == []


def test_an_error_among_the_frames_leaves_the_older_film_as_it_was(tmp_path):
    def frames():
        yield solid(COLOURS[0])
        raise ZeroDivisionError

    (tmp_path / "film.mp4").write_bytes(b"older")
    with pytest.raises(ZeroDivisionError):
        write_film(tmp_path / "film.mp4", frames(), 5)
    assert [file.read_bytes() for file in tmp_path.iterdir()] == [b"older"]


def test_an_unknown_ending_is_refused(tmp_path):
    with pytest.raises(OutputError, match=r"\.mp4, \.mov, \.mkv, \.avi; got film\.gif"):
        write_film(tmp_path / "film.gif", [solid(COLOURS[0])], 5)


def test_a_writer_that_writes_nothing_in_silence_is_found_out(tmp_path, monkeypatch):
    class Silent:
        def __init__(self, *_):
            pass

        write = release = lambda *_: None

        fourcc = cv2.VideoWriter.fourcc

    monkeypatch.setattr("cv2.VideoWriter", Silent)
    with pytest.raises(OutputError, match="0 of 1 frames are in the file"):
        write_film(tmp_path / "film.mp4", [solid(COLOURS[0])], 5)
    assert list(tmp_path.iterdir()) == []


def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OutputError, match="a part of its path is a file"):
        write_film(tmp_path / "file" / "film.mp4", [solid(COLOURS[0])], 5)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_folder_is_refused(tmp_path):
    folder = tmp_path / "closed"
    folder.mkdir(mode=0o500)
    with pytest.raises(OutputError, match="Is the folder writable"):
        write_film(folder / "film.mp4", [solid(COLOURS[0])], 5)
