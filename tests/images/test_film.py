import cv2
import numpy as np
import pytest

from densezero.errors import InputError
from densezero.images.film import FrameReader, read_film_facts, read_frames, scan_film


@pytest.fixture
def film(tmp_path):
    """A film by OpenCV alone: red, green and blue frames of 32 x 48 pixels, 10 a second."""
    path = tmp_path / "film.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10, (48, 32))
    for bgr in [(0, 0, 255), (0, 255, 0), (255, 0, 0)]:
        writer.write(np.full((32, 48, 3), bgr, np.uint8))
    writer.release()
    return path


def test_frames_come_in_order_as_rgb(film):
    frames = list(read_frames(film))
    assert [frame.shape for frame in frames] == [(32, 48, 3)] * 3
    for frame, colour in zip(frames, np.eye(3) * 255, strict=True):
        np.testing.assert_allclose(frame.mean((0, 1)), colour, atol=6)


def test_the_header_says_rate_and_frames(film):
    facts = read_film_facts(film)
    assert (facts.rate, facts.frames) == (10, 3)


def test_a_film_left_early_lets_go_of_its_file(film):
    frames = read_frames(film)
    next(frames)
    frames.close()
    film.unlink()
    assert not film.exists()


def test_frames_are_picked_by_number(film):
    (green,) = read_frames(film, [2])
    np.testing.assert_allclose(green.mean((0, 1)), (0, 255, 0), atol=6)
    assert [int(frame.mean((0, 1)).argmax()) for frame in read_frames(film, [1, 3])] == [0, 2]
    assert list(read_frames(film, [])) == []
    assert len(list(read_frames(film, [3, 4, 5]))) == 1


def test_several_threads_each_get_the_frame_that_they_ask_for(film):
    reader = FrameReader(film, [1, 2, 3])
    assert [int(reader.read(number).mean((0, 1)).argmax()) for number in (3, 1, 2)] == [2, 0, 1]
    with pytest.raises(InputError, match="frame 4 cannot be decoded"):
        reader.read(4)


def test_a_scan_counts_the_frames_and_reads_their_times(film):
    heard = []
    scan = scan_film(film, lambda done, total: heard.append((done, total)))
    assert (scan.rate, scan.hw, scan.cut_off) == (10, (32, 48), None)
    np.testing.assert_allclose(scan.seconds, [0, 0.1, 0.2])
    assert heard == [(1, 3), (2, 3), (3, 3)]


class Timed:
    """A film of an OpenCV that has frames at given times, and a header that says something else."""

    def __init__(self, ms, rate, frames):
        self.ms, self.place = ms, -1
        self.header = {cv2.CAP_PROP_FPS: rate, cv2.CAP_PROP_FRAME_COUNT: frames}

    def grab(self):
        self.place += 1
        return self.place < len(self.ms)

    def get(self, what):
        return self.ms[self.place] if what == cv2.CAP_PROP_POS_MSEC else self.header.get(what, 8)

    def release(self):
        pass


@pytest.mark.parametrize(
    ("ms", "rate", "frames", "seconds", "mean", "is_cut"),
    [
        ([40, 80, 120], 25, 3, [0, 0.04, 0.08], 25, False),  # times count from the first frame
        ([0, 40, 240, 280], 25, 8, [0, 0.04, 0.24, 0.28], 3 / 0.28, False),  # a variable rate: 3 steps in 0.28 s
        ([0, 0, 0, 0], 10, 4, [0, 0.1, 0.2, 0.3], 10, False),  # no times
        ([0, 100, 200], 10, 9, [0, 0.1, 0.2], 10, True),  # 0.6 s and 6 frames are missing
        ([0, 100, 200], 10, 7, [0, 0.1, 0.2], 10, False),  # 0.4 s: sound may be longer
        ([0], 10, 1, [0], 10, False),
    ],
)
def test_times_are_believed_before_the_header(film, monkeypatch, ms, rate, frames, seconds, mean, is_cut):
    monkeypatch.setattr("densezero.images.film._opened", lambda path: Timed(ms, rate, frames))
    scan = scan_film(film)
    np.testing.assert_allclose(scan.seconds, seconds, atol=1e-12)
    assert scan.rate == pytest.approx(mean)
    assert (scan.cut_off is not None) == is_cut
    assert scan.cut_off is None or f"ends after frame {len(ms)} of about {frames}" in scan.cut_off


@pytest.mark.parametrize("read", [read_film_facts, scan_film, lambda path: list(read_frames(path))])
def test_what_is_no_film_is_refused(tmp_path, read):
    with pytest.raises(InputError, match="this file does not exist"):
        read(tmp_path / "missing.mp4")
    (tmp_path / "broken.mp4").write_bytes(b"no film at all" * 50)
    with pytest.raises(InputError, match="expected a film that OpenCV can read"):
        read(tmp_path / "broken.mp4")


def test_a_film_without_a_frame_is_refused(film, monkeypatch):
    monkeypatch.setattr("densezero.images.film._opened", lambda path: Empty())
    with pytest.raises(InputError, match="at least one frame"):
        list(read_frames(film))
    with pytest.raises(InputError, match="at least one frame"):
        scan_film(film)


class Empty:
    def grab(self):
        return False

    def get(self, _):
        return 0

    def release(self):
        pass
