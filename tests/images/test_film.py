import cv2
import numpy as np
import pytest

from densezero.errors import InputError
from densezero.images.film import read_film_facts, read_frames


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


@pytest.mark.parametrize("read", [read_film_facts, lambda path: list(read_frames(path))])
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


class Empty:
    def read(self):
        return False, None

    def release(self):
        pass
