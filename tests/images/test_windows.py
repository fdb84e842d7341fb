import numpy as np
import pytest

from densezero.errors import ProtocolError
from densezero.images import Window, window_boxes
from densezero.images.windows import row_strips

GEOMETRIES = [
    (h, w, side, stride)
    for h, w in ((1, 1), (5, 9), (14, 14), (13, 40), (37, 22), (48, 48), (100, 31))
    for side, stride in ((1, 1), (7, 3), (14, 14), (14, 10), (14, 1), (48, 16))
]


def boxes_of_slide_inference(h, w, side, stride):
    """The arithmetic of mmsegmentation's EncoderDecoder.slide_inference, with its names."""
    h_stride = w_stride = stride
    h_crop = w_crop = side
    h_grids = max(h - h_crop + h_stride - 1, 0) // h_stride + 1
    w_grids = max(w - w_crop + w_stride - 1, 0) // w_stride + 1
    boxes = []
    for h_idx in range(h_grids):
        for w_idx in range(w_grids):
            y1, x1 = h_idx * h_stride, w_idx * w_stride
            y2, x2 = min(y1 + h_crop, h), min(x1 + w_crop, w)
            y1, x1 = max(y2 - h_crop, 0), max(x2 - w_crop, 0)
            boxes.append((y1, x1, y2, x2))
    return boxes


def test_windows_of_a_wide_image_worked_out_by_hand():
    # 597 columns, windows of 448 at stride 336: the second would end at 784 and is shifted to 597 - 448 = 149.
    assert window_boxes(448, 597, side=448, stride=336) == [Window(0, 0, 448, 448), Window(0, 149, 448, 597)]


def test_windows_go_row_by_row():
    starts = [(box.top, box.left) for box in window_boxes(6, 8, side=4, stride=2)]
    assert starts == [(0, 0), (0, 2), (0, 4), (2, 0), (2, 2), (2, 4)]


def test_the_last_window_is_shifted_inward_and_keeps_its_size():
    last = window_boxes(10, 11, side=4, stride=3)[-1]
    assert last == (6, 7, 10, 11)
    assert last.hw == (4, 4)


def test_an_input_that_fits_exactly_gets_no_extra_window():
    assert window_boxes(8, 8, side=8, stride=4) == [(0, 0, 8, 8)]
    assert [box.left for box in window_boxes(8, 16, side=8, stride=4)] == [0, 4, 8]


def test_an_input_smaller_than_a_window_is_one_window():
    assert window_boxes(3, 5, side=8, stride=4) == [(0, 0, 3, 5)]


def test_an_input_shorter_than_a_window_gets_one_row_of_windows():
    assert window_boxes(3, 9, side=8, stride=4) == [(0, 0, 3, 8), (0, 1, 3, 9)]


@pytest.mark.parametrize(("h", "w", "side", "stride"), GEOMETRIES)
def test_windows_equal_the_formula_of_mmsegmentation(h, w, side, stride):
    assert window_boxes(h, w, side, stride) == boxes_of_slide_inference(h, w, side, stride)


@pytest.mark.parametrize(("h", "w", "side", "stride"), GEOMETRIES)
def test_every_pixel_is_covered_by_windows_of_one_size_inside_the_input(h, w, side, stride):
    covered = np.zeros((h, w), int)
    for box in window_boxes(h, w, side, stride):
        assert box.top >= 0
        assert box.left >= 0
        assert box.hw == (min(side, h), min(side, w))
        covered[box.top : box.bottom, box.left : box.right] += 1
    assert covered.min() >= 1


@pytest.mark.parametrize(("h", "w", "side", "stride"), [(0, 5, 4, 2), (5, 0, 4, 2), (5, 5, 0, 0), (5, 5, 4, 0)])
def test_numbers_below_one_are_refused(h, w, side, stride):
    with pytest.raises(ProtocolError, match="at least 1"):
        window_boxes(h, w, side, stride)


def test_a_stride_that_leaves_gaps_is_refused():
    with pytest.raises(ProtocolError, match="side 4, stride 5"):
        window_boxes(9, 9, side=4, stride=5)


@pytest.mark.parametrize(("h", "w"), [(1, 1), (7, 5), (60, 11), (61, 11), (500, 3)])
@pytest.mark.parametrize("most_px", [1, 100, 660, 10**6])
@pytest.mark.parametrize("halo", [1, 6, 80])
def test_strips_cover_the_rows_once_and_have_what_they_need(h, w, most_px, halo):
    strips = row_strips(h, w, most_px, halo)
    assert [row for own, _ in strips for row in range(own.start, own.stop)] == list(range(h))
    for own, needed in strips:
        assert (needed.start, needed.stop) == (max(own.start - halo, 0), min(own.stop + halo, h))
    if h * w > most_px:
        longest = max(needed.stop - needed.start for _, needed in strips)
        assert longest * w <= most_px or longest <= 3 * halo
    else:
        assert len(strips) == 1
