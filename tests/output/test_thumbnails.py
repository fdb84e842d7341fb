import io

import numpy as np
import pytest
from PIL import Image

from densezero.errors import InputError
from densezero.output.thumbnails import BOX_HW, colour_labels, draw_thumbnail, make_key, read_note, view_hw


def flat(colour):
    return lambda hw: np.full((*hw, 3), colour, np.uint8)


def broken(hw):
    raise InputError("a.jpg: expected a whole image")


def decode(jpeg):
    with Image.open(io.BytesIO(jpeg)) as image:
        return np.array(image).astype(int)


def test_views_lie_beside_each_other_and_a_missing_one_is_grey(tmp_path):
    drawn = draw_thumbnail([flat((250, 10, 20)), None, flat((10, 20, 250)), broken], (40, 64), make_key("a"))
    pixels = decode(drawn.jpeg)
    assert pixels.shape == (40, 256, 3)
    for place, colour in enumerate([(250, 10, 20), (128,) * 3, (10, 20, 250), (128,) * 3]):
        assert np.abs(pixels[:, 64 * place + 16 : 64 * place + 48] - colour).max() < 8
    assert drawn.views == (True, False, True, False)
    assert drawn.errors == ("a.jpg: expected a whole image",)
    (tmp_path / "a.jpg").write_bytes(drawn.jpeg)
    note = read_note(tmp_path / "a.jpg")
    assert (note.key, note.views) == (make_key("a"), drawn.views)


def test_only_our_files_have_a_note(tmp_path):
    Image.new("RGB", (9, 9)).save(tmp_path / "other.jpg", comment="my thumbnail")
    assert read_note(tmp_path / "other.jpg") is None
    assert read_note(tmp_path / "none.jpg") is None
    assert read_note(tmp_path) is None


@pytest.mark.parametrize("hw", [(300, 400), (2000, 100), (100, 2000), (1, 1), (3000, 4000)])
def test_a_view_fits_the_box_and_keeps_the_shape_of_the_image(hw):
    height, width = view_hw(hw)
    assert height == BOX_HW[0] or width == BOX_HW[1]
    assert 1 <= height <= BOX_HW[0] and 1 <= width <= BOX_HW[1]
    if 1 / 6 <= hw[1] / hw[0] <= 6:
        assert width / height == pytest.approx(hw[1] / hw[0], rel=0.03)


def test_a_key_changes_with_what_it_is_made_of():
    keys = {make_key(*parts) for parts in [("a",), ("a", 1), ("b",), (("a", 2, 3),), (("a", 2, 4),), ("n\udcff",)]}
    assert len(keys) == 6 and make_key("a") == make_key("a")


def test_labels_are_coloured_and_the_ignore_value_is_black():
    labels = np.array([[0, 1], [255, 1]], np.uint8).repeat(4, axis=0).repeat(4, axis=1)  # (8, 8)
    colours = np.array([[10, 20, 30], [200, 100, 0]], np.uint8)
    small = colour_labels(labels, colours, (2, 2))
    assert small.tolist() == [[[10, 20, 30], [200, 100, 0]], [[0, 0, 0], [200, 100, 0]]]
    assert np.array_equal(colour_labels(labels.astype(np.uint16), colours, (2, 2))[0], small[0])
