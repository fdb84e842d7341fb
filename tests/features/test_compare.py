import io

import numpy as np
import pytest
from PIL import Image

from densezero.errors import FeatureError
from densezero.features.figure.compare import draw_comparison, fit_cell, plan_comparison, wrap_caption
from densezero.features.figure.sheet import text_width_in

MM = 1 / 25.4
COLOURS = [[(200, 40, 30), (30, 180, 60)], [(20, 60, 210), (240, 200, 10)]]


def solid_rows(hw=(20, 40)):
    return [[np.full((*hw, 3), colour, np.uint8) for colour in row] for row in COLOURS]


def pixel_at(picture, x_in, y_in):
    return tuple(picture[round(y_in * 300), round(x_in * 300)])


def test_places_worked_out_by_hand():
    # Three columns in 180 mm with gaps of 1 mm: 178 / 3 mm each. One line of caption: 3.1 mm and a gap of 1 mm.
    plan = plan_comparison([0.5, 3], ["a", "b", "c"])
    cell = 178 / 3
    assert plan.width_in == pytest.approx(180 * MM)
    assert plan.cell_in == pytest.approx(cell * MM)
    assert plan.lefts_in == pytest.approx([0, (cell + 1) * MM, 2 * (cell + 1) * MM])
    assert plan.tops_in == pytest.approx([4.1 * MM, (4.1 + cell / 2 + 1) * MM])
    assert plan.heights_in == pytest.approx([cell / 2 * MM, 2 * cell * MM])  # no taller than twice the column
    assert plan.height_in == pytest.approx((4.1 + cell / 2 + 1 + 2 * cell) * MM)
    assert plan.captions == (("a",), ("b",), ("c",))
    assert plan.cell_px == 701  # 59.33 mm at 300 an inch


def test_a_longer_caption_moves_the_pictures_down():
    plan = plan_comparison([1], ["a", "b" * 20 + " " + "c" * 20], width_mm=60)
    assert len(plan.captions[1]) == 2
    assert plan.tops_in[0] == pytest.approx(7.2 * MM)


def test_pictures_fill_their_cells_in_print():
    plan = plan_comparison([1], ["a"], width_mm=50.8)  # 600 px
    assert plan.cell_px == 600
    assert fit_cell(plan, (300, 400)) == (450, 600)
    assert fit_cell(plan, (400, 100)) == (1200, 300)
    assert fit_cell(plan, (1, 5000)) == (1, 600)


def test_what_cannot_be_drawn_is_refused():
    plan_comparison([1], ["a"] * 4, width_mm=23)
    with pytest.raises(FeatureError, match=r"4 columns of at least 5 mm; 22\.9 mm"):
        plan_comparison([1], ["a"] * 4, width_mm=22.9)
    with pytest.raises(FeatureError, match=r"at most 5 m; 30 images in 1 columns need 5\.4 m"):
        plan_comparison([1] * 30, ["a"])


def test_pictures_land_where_the_plan_says():
    plan = plan_comparison([0.5, 0.5], ["one", "two"], width_mm=60)
    picture = np.asarray(Image.open(io.BytesIO(draw_comparison(plan, solid_rows()))).convert("RGB"))
    assert abs(picture.shape[0] - plan.height_in * 300) <= 1
    assert abs(picture.shape[1] - plan.width_in * 300) <= 1
    inset = 3 / 300
    for top, height, colours in zip(plan.tops_in, plan.heights_in, COLOURS, strict=True):
        for left, colour in zip(plan.lefts_in, colours, strict=True):
            for x in (left + inset, left + plan.cell_in - inset):
                for y in (top + inset, top + height - inset):
                    assert pixel_at(picture, x, y) == colour
    gap_x, gap_y = plan.lefts_in[1] - 0.5 * MM, plan.tops_in[1] - 0.5 * MM
    assert pixel_at(picture, gap_x, plan.tops_in[0] + 0.1) == pixel_at(picture, 0.1, gap_y) == (255, 255, 255)
    assert (picture[: round(plan.tops_in[0] * 300) - 2] < 128).any(), "the captions are above"


def test_a_tall_picture_is_centred_in_its_column_at_its_own_ratio():
    plan = plan_comparison([4], ["one"], width_mm=25.4)
    tall = [[np.full((80, 20, 3), 99, np.uint8)]]
    picture = np.asarray(Image.open(io.BytesIO(draw_comparison(plan, tall))).convert("RGB"))
    grey = np.flatnonzero((picture[-50] == 99).all(-1))
    assert abs(grey[0] - 75) <= 1
    assert abs(grey[-1] - 224) <= 1


@pytest.mark.parametrize("form", ["png", "pdf", "svg"])
def test_the_same_pictures_give_the_same_bytes_without_a_date(form):
    plan = plan_comparison([0.5, 0.5], ["one", "two"], width_mm=60)
    first, second = (draw_comparison(plan, solid_rows(), form) for _ in range(2))
    assert first == second
    assert b"CreationDate" not in first
    assert b"<dc:date>" not in first


def test_captions_break_after_marks_of_names_and_lose_their_middle_where_nothing_else_helps():
    width = text_width_in("google/tipsv2-", 7) + 0.01
    assert wrap_caption("google/tipsv2-b14", width, 7) == ("google/tipsv2-", "b14")
    assert wrap_caption("short", width, 7) == ("short",)
    assert wrap_caption("", width, 7) == ("",)
    lines = wrap_caption("one two three four five six seven eight nine " * 3, width, 7)
    assert len(lines) == 3
    assert "…" in lines[-1]
    for line in (*lines, *wrap_caption("x" * 60, width, 7)):
        assert text_width_in(line, 7) <= width
