import io

import numpy as np
import pytest
from PIL import Image

from densezero.errors import FeatureError
from densezero.features.choices import FigureStyle
from densezero.features.figure.layout import PAGE_MM, Section, line_height_mm, plan_figure, wrap_text
from densezero.features.figure.panels import Panel, draw_figure
from densezero.features.figure.sheet import text_width_in

MM = 1 / 25.4
COLOURS = [[(200, 40, 30), (30, 180, 60)], [(20, 60, 210), (240, 200, 10)]]


def plan(ratios, captions, **style):
    return plan_figure([Section(tuple(captions), tuple(ratios))], FigureStyle(**style))


def solid_rows(hw=(20, 40)):
    return [[Panel(np.full((*hw, 3), colour, np.uint8)) for colour in row] for row in COLOURS]


def pixels_of(content):
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))


def pixel_at(picture, x_in, y_in):
    return tuple(picture[round(y_in * 300), round(x_in * 300)])


def test_places_worked_out_by_hand():
    # Three columns in 180 mm with gaps of 1 mm: 178 / 3 mm each. One line of caption of 7 pt, and a gap of 1 mm.
    made = plan([0.5, 3], ["a", "b", "c"])
    cell, head = 178 / 3, 7 * 25.4 / 72 * 1.25 + 1
    (page,) = made.pages
    assert made.width_in == pytest.approx(180 * MM)
    assert made.cell_in == pytest.approx(cell * MM)
    assert made.lefts_in == pytest.approx([0, (cell + 1) * MM, 2 * (cell + 1) * MM])
    assert [row.top_in for row in page.rows] == pytest.approx([head * MM, (head + cell / 2 + 1) * MM])
    assert [row.height_in for row in page.rows] == pytest.approx([cell / 2 * MM, cell * MM])  # at most as tall as wide
    assert page.height_in == pytest.approx((head + cell / 2 + 1 + cell) * MM)
    assert page.heads[0].captions == (("a",), ("b",), ("c",))


@pytest.mark.parametrize(("cell", "heights"), [("fit", [0.5, 1, 0.75]), ("square", [1, 1, 1]), ("height", [0.75] * 3)])
def test_a_portrait_does_not_dominate(cell, heights):
    made = plan([0.5, 1.5, 0.75], ["a"], width_mm=60, cell=cell)
    assert [row.height_in / made.cell_in for row in made.pages[0].rows] == pytest.approx(heights)


def test_pictures_fill_their_cells_in_print():
    assert plan([1], ["a"], width_mm=50.8).picture_px((300, 400)) == (450, 600)
    assert plan([1], ["a"], width_mm=50.8).picture_px((400, 100)) == (600, 150)
    assert plan([1], ["a"], width_mm=50.8).picture_px((1, 5000)) == (1, 600)
    assert plan([1], ["a"], width_mm=50.8, dpi=150).picture_px((400, 400)) == (300, 300)
    assert plan([1], ["a"], width_mm=50.8, cell="square").picture_px((300, 400)) == (600, 800)
    assert plan([1], ["a"], width_mm=50.8, cell="square").picture_px((1, 5000)) == (1, 2400)  # a strip stays small


def test_a_longer_caption_and_a_title_move_the_pictures_down():
    one, two, titled = (
        plan([1], ["a"]),
        plan([1], ["a", "b" * 50 + " " + "c" * 50], width_mm=60),
        plan([1], ["a"], title="T"),
    )
    assert len(two.pages[0].heads[0].captions[1]) == 2
    assert two.pages[0].rows[0].top_in - one.pages[0].rows[0].top_in == pytest.approx(line_height_mm(7) * MM)
    assert titled.pages[0].rows[0].top_in - one.pages[0].rows[0].top_in == pytest.approx(line_height_mm(8.5) * MM)


def test_rows_beyond_a_page_go_to_the_next_below_their_captions():
    made = plan([1] * 9, ["a", "b"], width_mm=121)  # 60 mm a row
    assert [len(page.rows) for page in made.pages] == [3, 3, 3]
    assert all(page.height_in <= PAGE_MM * MM for page in made.pages)
    assert [row.row for page in made.pages for row in page.rows] == list(range(9))
    assert all(page.heads[0].captions == (("a",), ("b",)) for page in made.pages)


def test_sections_have_their_own_captions():
    made = plan_figure([Section(("a", "b"), (1, 1)), Section(("c", "d"), (1, 1))], FigureStyle(width_mm=41))
    (page,) = made.pages
    assert [head.captions[0] for head in page.heads] == [("a",), ("c",)]
    assert [(row.section, row.row) for row in page.rows] == [(0, 0), (0, 1), (1, 0), (1, 1)]


def test_what_cannot_be_drawn_is_refused():
    plan([1], ["a"] * 4, width_mm=35)
    with pytest.raises(FeatureError, match=r"4 columns of at least 8 mm; 34\.9 mm"):
        plan([1], ["a"] * 4, width_mm=34.9)
    with pytest.raises(FeatureError, match="fits on a page of 240 mm; it needs"):
        plan([1], ["a"], width_mm=300)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [({"font_pt": 5.9}, "--font-size in points, from 6"), ({"width_mm": 0}, "--width in mm, from 10"),
     ({"dpi": 10}, "--dpi"), ({"cell": "fitt"}, "Did you mean 'fit'")],
)  # fmt: skip
def test_a_style_out_of_range_is_refused(wrong, says):
    with pytest.raises(FeatureError, match=says):
        FigureStyle(**wrong)


def test_pictures_land_where_the_plan_says():
    made = plan([0.5, 0.5], ["one", "two"], width_mm=60)
    (page,) = made.pages
    picture = pixels_of(draw_figure(made, [solid_rows()], "png")[0])
    assert abs(picture.shape[0] - page.height_in * 300) <= 1
    assert abs(picture.shape[1] - made.width_in * 300) <= 1
    inset = 3 / 300
    for row, colours in zip(page.rows, COLOURS, strict=True):
        for left, colour in zip(made.lefts_in, colours, strict=True):
            for x in (left + inset, left + made.cell_in - inset):
                for y in (row.top_in + inset, row.top_in + row.height_in - inset):
                    assert pixel_at(picture, x, y) == colour
    gap_x, gap_y = made.lefts_in[1] - 0.5 * MM, page.rows[1].top_in - 0.5 * MM
    assert pixel_at(picture, gap_x, page.rows[0].top_in + 0.1) == pixel_at(picture, 0.1, gap_y) == (255, 255, 255)
    assert (picture[: round(page.rows[0].top_in * 300) - 2] < 128).any(), "the captions are above"


def test_a_tall_picture_is_centred_in_its_cell_at_its_own_ratio():
    made = plan([4], ["one"], width_mm=25.4)
    picture = pixels_of(draw_figure(made, [[[Panel(np.full((80, 20, 3), 99, np.uint8))]]], "png")[0])
    grey = np.flatnonzero((picture[-50] == 99).all(-1))
    assert abs(grey[0] - 112.5) <= 1
    assert abs(grey[-1] - 187) <= 1


def test_a_square_cell_shows_the_middle_with_its_points():
    made = plan([0.5], ["one"], width_mm=25.4, cell="square")
    rgb = np.zeros((100, 200, 3), np.uint8)
    rgb[:, 50:150] = (0, 200, 0)
    points = ((0.5, 0.5), (0.1, 0.5))
    picture = pixels_of(draw_figure(made, [[[Panel(rgb, points_xy=points)]]], "png")[0])
    shown = picture[-300:]
    assert (shown == 0).all(-1).sum() < 2000  # the sides are cropped; black are the edges of one cross
    rows, columns = np.nonzero((shown == 255).all(-1))
    assert abs(rows.mean() - 150) <= 2
    assert abs(columns.mean() - 150) <= 2


@pytest.mark.parametrize("form", ["png", "pdf", "svg"])
def test_the_same_pictures_give_the_same_bytes_without_a_date(form):
    made = plan([0.5, 0.5], ["one", "two"], width_mm=60)
    first, second = (draw_figure(made, [solid_rows()], form) for _ in range(2))
    assert first == second
    assert b"CreationDate" not in first[0]
    assert b"<dc:date>" not in first[0]


def test_a_pdf_holds_all_pages_and_a_png_one():
    made = plan([1] * 9, ["a", "b"], width_mm=121)
    rows = [[solid_rows()[0][0], solid_rows()[0][1]] for _ in range(9)]
    (pdf,) = draw_figure(made, [rows], "pdf")
    assert pdf.count(b"/Type /Page\n") + pdf.count(b"/Type /Page ") + pdf.count(b"/Type /Page/") == 3
    assert len(draw_figure(made, [rows], "png")) == 3


def test_captions_break_after_marks_of_names_and_lose_their_middle_where_nothing_else_helps():
    width = (text_width_in("google/tipsv2-", 7) + 0.01) * 1.03
    assert wrap_text("google/tipsv2-b14", width, 7) == ("google/tipsv2-", "b14")
    assert wrap_text("short", width, 7) == ("short",)
    assert wrap_text("", width, 7) == ("",)
    lines = wrap_text("one two three four five six seven eight nine " * 3, width, 7)
    assert len(lines) == 3
    assert "…" in lines[-1]
    for line in (*lines, *wrap_text("x" * 60, width, 7)):
        assert text_width_in(line, 7) <= width
