import io

import numpy as np
import pytest
from matplotlib import colormaps
from PIL import Image

from densezero.errors import FeatureError
from densezero.features.figure import heat
from densezero.features.figure.colours import cluster_rgb, heat_rgb, to_bytes
from densezero.features.figure.compare import draw_comparison, fit_cell, plan_comparison, wrap_caption
from densezero.features.figure.heat import HeatMap, draw_heat_maps, own_scales, shared_scale
from densezero.features.figure.sheet import text_width_in

RED, BLUE = np.full((40, 60, 3), (200, 10, 10), np.uint8), np.full((40, 60, 3), (10, 10, 200), np.uint8)


def pixels(content):
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))


def test_the_plan_by_hand():
    plan = plan_comparison([0.5, 3.0], ["a", "b", "c"], width_mm=92)
    assert plan.cell_in * 25.4 == pytest.approx(30)  # 92 = 3 x 30 + 2 gaps of 1
    assert [left * 25.4 for left in plan.lefts_in] == pytest.approx([0, 31, 62])
    assert [height * 25.4 for height in plan.heights_in] == pytest.approx([15, 60])  # never above twice the width
    assert (plan.tops_in[1] - plan.tops_in[0]) * 25.4 == pytest.approx(16)
    assert plan.cell_px == round(30 / 25.4 * 300)
    assert fit_cell(plan, (100, 200)) == (177, 354)
    assert fit_cell(plan, (400, 100)) == (4 * 177, 177)


def test_pictures_lie_where_the_plan_says():
    plan = plan_comparison([2 / 3, 2 / 3], ["left", "right"], width_mm=60)
    drawn = pixels(draw_comparison(plan, [[RED, BLUE], [BLUE, RED]]))
    assert abs(drawn.shape[1] - 60 / 25.4 * 300) <= 1
    for row, colours in enumerate(((RED, BLUE), (BLUE, RED))):
        for column, colour in enumerate(colours):
            y = (plan.tops_in[row] + plan.heights_in[row] / 2) * 300
            x = (plan.lefts_in[column] + plan.cell_in / 2) * 300
            assert drawn[int(y), int(x)].tolist() == colour[0, 0].tolist()
    assert (drawn[: int(plan.tops_in[0] * 300) - 4].min(axis=(1, 2)) < 128).any()  # captions


@pytest.mark.parametrize("form", ["png", "pdf", "svg"])
def test_the_same_pictures_give_the_same_bytes_without_a_date(form):
    plan = plan_comparison([2 / 3], ["a", "b"], width_mm=40)
    first = draw_comparison(plan, [[RED, BLUE]], form)
    assert first == draw_comparison(plan, [[RED, BLUE]], form)
    assert b"CreationDate" not in first
    assert b"dc:date" not in first
    maps = [HeatMap("a", np.linspace(0, 1, 2400, dtype=np.float32).reshape(40, 60))]
    assert draw_heat_maps(RED, maps, form=form, width_mm=60) == draw_heat_maps(RED, maps, form=form, width_mm=60)


def test_figures_that_cannot_be_drawn_are_refused():
    with pytest.raises(FeatureError, match="at least 5 mm"):
        plan_comparison([1.0], ["x"] * 40, width_mm=180)
    with pytest.raises(FeatureError, match="give a folder"):
        plan_comparison([2.0] * 80, ["x"], width_mm=180)
    with pytest.raises(FeatureError, match="larger --width"):
        draw_heat_maps(RED, [HeatMap("a", np.zeros((40, 60), np.float32))], width_mm=20)


def test_captions_break_after_marks_and_fit():
    lines = wrap_caption("timm:vit_small_patch14_dinov2/random", 1.2, 7)
    assert "".join(lines) == "timm:vit_small_patch14_dinov2/random"
    assert 2 <= len(lines) <= 3
    assert all(text_width_in(line, 7) <= 1.2 for line in lines)
    short = wrap_caption("a long line of many words that does not fit at all", 0.8, 7, 2)
    assert len(short) == 2
    assert "…" in short[1]
    assert wrap_caption("", 1, 7) == ("",)


def test_inferno_and_cluster_colours():
    assert np.allclose(heat_rgb(np.array([0, 0.5, 1, 7])), colormaps["inferno"]([0, 0.5, 1, 1.0])[:, :3], atol=1e-6)
    for count in (2, 12, 30):
        colours = cluster_rgb(np.arange(count), count)
        assert len(np.unique(colours, axis=0)) == count
    assert to_bytes(np.array([-1, 0.5, 2])).tolist() == [0, 128, 255]


def test_scales_are_shared_or_each_ones_own():
    maps = [HeatMap("a", np.array([[0, 2]], np.float32)), HeatMap("b", np.array([[-1, 1]], np.float32))]
    assert shared_scale(maps) == (-1, 2)
    assert own_scales(maps) == [(0, 2), (-1, 1)]
    assert heat.Scale(-1, 3).share(np.array([0.0])).tolist() == [0.25]
    assert heat.Scale(2, 2).share(np.array([2.0])).tolist() == [0.5]


@pytest.mark.parametrize(("each", "expected"), [(False, (0, 0.5)), (True, (0.5, 0.5))])
def test_bare_maps_have_infernos_colours_on_their_scale(each, expected):
    maps = [HeatMap("low", np.zeros((40, 60), np.float32)), HeatMap("middle", np.full((40, 60), 0.5, np.float32))]
    maps += [] if each else [HeatMap("high", np.ones((40, 60), np.float32))]
    drawn = pixels(draw_heat_maps(RED, maps, each=each, width_mm=90))
    layout, _ = heat._plan(40 / 60, maps, own_scales(maps) if each else None, 90)
    for column, share in enumerate(expected, 1):
        y = layout.head_in + 1.5 * layout.tall_in
        x = layout.left(column) + layout.cell_in / 2
        colour = to_bytes(heat_rgb(np.array([share])))[0]
        assert np.abs(drawn[int(y * 300), int(x * 300)].astype(int) - colour).max() <= 1


def test_a_map_on_its_own_scale_is_marked_so():
    maps = [HeatMap("sky", np.array([[0.1, 0.25]], np.float32))]
    assert heat._plan(1.0, maps, own_scales(maps), 180)[1] == [("sky", "0.100 to 0.250, own scale")]
    assert heat._plan(1.0, maps, None, 180)[1] == [("sky",)]


def test_more_than_four_maps_go_into_bands_below():
    maps = [HeatMap("x", np.zeros((40, 60), np.float32))] * 5
    heights = [heat._plan(2 / 3, maps[:count], None, 180)[0].height_in for count in (4, 5)]
    assert heights[1] > 1.9 * heights[0]
    drawn = pixels(draw_heat_maps(RED, maps, points_xy=[(0.5, 0.5)], width_mm=180))
    assert abs(drawn.shape[0] - heights[1] * 300) <= 1
