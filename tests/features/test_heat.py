import io

import matplotlib
import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from densezero.errors import FeatureError
from densezero.features.choices import FigureStyle
from densezero.features.figure.colours import check_colormap, cluster_rgb, heat_rgb, to_bytes
from densezero.features.figure.heat import HeatRow, Scale, describe_scale, draw_heat, plan_heat, round_ticks

RGB = np.full((20, 30, 3), (0, 120, 0), np.uint8)
MINUS = "\N{MINUS SIGN}"


def solid(value):
    return np.full((20, 30), value, np.float32)


def ramp(low, high):
    return np.linspace(low, high, 600, dtype=np.float32).reshape(20, 30)


def draw(maps, rows=1, form="png", each=False, alone=False, points=(), **style):
    plan = plan_heat([20 / 30] * rows, [f"map {n}" for n in range(len(maps))], FigureStyle(**style), each=each)
    made = [HeatRow(RGB, tuple(maps), points if row == 0 else ()) for row in range(rows)]
    return plan, draw_heat(plan, made, form, each=each, alone=alone)


def pixels_of(content):
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))


@pytest.fixture
def texts(monkeypatch):
    """Every text that is written into a figure, axes' labels aside."""
    written, write = [], Figure.text
    monkeypatch.setattr(Figure, "text", lambda self, x, y, s, **more: (written.append(s), write(self, x, y, s, **more)))
    return written


def test_heat_takes_matplotlibs_colours_and_the_ends_beyond():
    made = heat_rgb(np.array([-1, 0, 0.5, 1, 9]))
    assert np.array_equal(heat_rgb(np.array(0.5)), made[2])  # also of one number
    table = matplotlib.colormaps["inferno"]
    np.testing.assert_allclose(made, [table(share)[:3] for share in (0.0, 0.0, 0.5, 1.0, 1.0)], atol=1e-6)


@pytest.mark.parametrize("count", [2, 10, 11, 20, 21, 50])
def test_clusters_have_a_colour_each(count):
    colours = cluster_rgb(np.arange(count)[None], count)
    assert colours.shape == (1, count, 3)
    assert len(np.unique(to_bytes(colours)[0], axis=0)) == count
    assert np.array_equal(cluster_rgb(np.array([1, 1, 0]), count), colours[0, [1, 1, 0]])


def test_shares_become_bytes_by_rounding():
    assert to_bytes(np.array([-1, 0, 0.5 / 255, 0.4 / 255, 1, 2])).tolist() == [0, 0, 1, 0, 255, 255]


def test_scales_by_hand():
    np.testing.assert_allclose(Scale(-1, 5).share(np.array([-1.0, 2, 5])), [0, 0.5, 1])
    assert Scale(3, 3).share(np.array([3.0, 3])).tolist() == [0.5, 0.5]
    assert describe_scale(Scale(-0.1, 0.256)) == f"{MINUS}0.10 to 0.26"
    assert describe_scale(Scale(-0.001, 0.001)) == "0.00 to 0.00"


@pytest.mark.parametrize(
    ("low", "high", "most", "texts"),
    [
        (-0.1, 0.25, 7, None),
        (0, 1, 6, ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]),
        (-0.42, 0.46, 5, [f"{MINUS}0.4", f"{MINUS}0.2", "0.0", "0.2", "0.4"]),
        (0.031, 0.038, 4, ["0.032", "0.034", "0.036", "0.038"]),
        (0, 250, 3, ["0", "100", "200"]),
        (0.5, 0.5, 5, ["0.5"]),
    ],
)
def test_ticks_are_round_numbers_with_a_real_minus(low, high, most, texts):
    found = round_ticks(Scale(low, high), most)
    assert len(found) <= most
    assert all(low - 1e-9 <= value <= high + 1e-9 for value in found)
    assert all(float(text.replace(MINUS, "-")) == pytest.approx(value, abs=1e-9) for value, text in found.items())
    if texts is not None:
        assert list(found.values()) == texts


@pytest.mark.parametrize("alone", [False, True])
def test_solid_maps_have_the_colours_of_their_place_in_the_shared_scale(alone):
    plan, (content,) = draw([solid(0), solid(0.5), solid(1)], alone=alone, width_mm=100)
    picture, row = pixels_of(content), plan.pages[0].rows[0]
    middle = round((row.top_in + row.height_in / 2) * 300)
    for place, left in enumerate(plan.lefts_in[1:]):
        heat = heat_rgb(np.array(place / 2))
        wanted = to_bytes(heat if alone else 0.6 * heat + 0.4 * RGB[0, 0] / 255)
        assert picture[middle, round((left + plan.cell_in / 2) * 300)].tolist() == wanted.tolist()
    assert picture[middle, 140].tolist() == RGB[0, 0].tolist()


def test_each_map_on_its_own_scale_prints_its_ends(texts):
    maps = [ramp(-0.1, 0.25), ramp(0, 0.5)]
    _, (own,) = draw(maps, each=True, rows=2)
    assert texts.count(f"{MINUS}0.10 to 0.25") == texts.count("0.00 to 0.50") == 2
    texts.clear()
    _, (shared,) = draw(maps, rows=2)
    assert texts == ["image", "map 0", "map 1"]
    assert pixels_of(own).shape[0] > pixels_of(shared).shape[0], "a line more above each row"


def test_images_share_one_scale():
    plan = plan_heat([20 / 30] * 2, ["a"], FigureStyle(width_mm=60))
    (content,) = draw_heat(plan, [HeatRow(RGB, (solid(0),)), HeatRow(RGB, (solid(1),))], alone=True)
    picture = pixels_of(content)
    x = round((plan.lefts_in[1] + plan.cell_in / 2) * 300)
    seen = [picture[round((row.top_in + row.height_in / 2) * 300), x].tolist() for row in plan.pages[0].rows]
    assert seen == to_bytes(heat_rgb(np.array([0.0, 1.0]))).tolist()


@pytest.mark.parametrize(("each", "labels"), [(False, ["0.0", "0.4"]), (True, ["lowest", "highest"])])
def test_the_colour_scale_says_what_its_ends_are(monkeypatch, each, labels):
    from matplotlib.axes import Axes

    seen, label = [], Axes.set_xticks
    monkeypatch.setattr(Axes, "set_xticks", lambda self, ticks, texts: (seen.extend(texts), label(self, ticks, texts)))
    draw([ramp(-0.1, 0.25), ramp(0, 0.5)], each=each, width_mm=60)
    assert seen[0] == labels[0]
    assert seen[-1] == labels[-1]


def test_more_maps_than_fit_go_into_further_sections_divided_evenly():
    def sections(maps, **style):
        plan = plan_heat([1], [str(n) for n in range(maps)], FigureStyle(**style))
        return len(plan.lefts_in) - 1, len({row.section for page in plan.pages for row in page.rows})

    assert [sections(maps) for maps in (1, 4, 5, 8, 9)] == [(1, 1), (4, 1), (3, 2), (4, 2), (3, 3)]
    assert sections(4, width_mm=60) == (2, 2)


def test_a_point_is_marked_in_the_picture_alone():
    plan, (marked,) = draw([solid(0)], points=((0.5, 0.5),))
    _, (bare,) = draw([solid(0)])
    rows, columns = np.nonzero((pixels_of(bare) != pixels_of(marked)).any(-1))
    row = plan.pages[0].rows[0]
    assert abs(columns.mean() - plan.cell_in / 2 * 300) <= 2
    assert abs(rows.mean() - (row.top_in + row.height_in / 2) * 300) <= 2


@pytest.mark.parametrize("form", ["png", "pdf", "svg"])
def test_the_same_maps_give_the_same_bytes_without_a_date(form):
    (_, first), (_, second) = (draw([ramp(0, 1)], form=form, width_mm=60) for _ in range(2))
    assert first == second
    assert b"CreationDate" not in first[0]
    assert b"<dc:date>" not in first[0]


def test_an_unknown_colour_map_is_refused_with_the_nearest():
    check_colormap("viridis")
    with pytest.raises(FeatureError, match="viridis"):
        check_colormap("viridiss")
