import io

import matplotlib
import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from densezero.errors import FeatureError
from densezero.features.figure.colours import cluster_rgb, heat_rgb, to_bytes
from densezero.features.figure.heat import HeatMap, Scale, draw_heat_maps, own_scales, shared_scale

RGB = np.full((20, 30, 3), (0, 120, 0), np.uint8)


def solid(caption, value):
    return HeatMap(caption, np.full((20, 30), value, np.float32))


def ramp(caption, low, high):
    return HeatMap(caption, np.linspace(low, high, 600, dtype=np.float32).reshape(20, 30))


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
    maps = [ramp("a", -1, 2), ramp("b", 0, 5)]
    assert shared_scale(maps) == (-1, 5)
    assert own_scales(maps) == [(-1, 2), (0, 5)]
    np.testing.assert_allclose(Scale(-1, 5).share(np.array([-1.0, 2, 5])), [0, 0.5, 1])
    assert Scale(3, 3).share(np.array([3.0, 3])).tolist() == [0.5, 0.5]


def test_solid_maps_have_the_colours_of_their_place_in_the_shared_scale():
    picture = pixels_of(draw_heat_maps(RGB, [solid("low", 0), solid("middle", 0.5), solid("high", 1)], width_mm=100))
    colours = to_bytes(heat_rgb(np.array([0, 0.5, 1])))
    for place, colour in enumerate(colours):
        left = round((place + 1) * (24.25 + 1) / 25.4 * 300)
        column = picture[:, left + 140].tolist()
        over = to_bytes(0.6 * heat_rgb(np.array(place / 2)) + 0.4 * RGB[0, 0] / 255)
        for wanted in (colour.tolist(), over.tolist()):  # a cell is 16.2 mm tall, 191 px
            assert abs(column.count(wanted) - 191) <= 3
    assert abs(picture[:, 140].tolist().count(RGB[0, 0].tolist()) - 191) <= 3


def test_each_map_on_its_own_scale_prints_its_ends(texts):
    maps = [ramp("cat", -0.1, 0.25), ramp("dog", 0, 0.5)]
    own = pixels_of(draw_heat_maps(RGB, maps, each=True))
    assert [text for text in texts if "own scale" in text] == [
        "-0.100 to 0.250, own scale",
        "0.000 to 0.500, own scale",
    ]
    texts.clear()
    shared = pixels_of(draw_heat_maps(RGB, maps))
    assert texts == ["image", "cat", "dog"]
    assert own.shape[0] > shared.shape[0], "a line more"


@pytest.mark.parametrize(("each", "labels"), [(False, ["-0.100", "0.200", "0.500"]), (True, ["lowest", "", "highest"])])
def test_the_colour_bar_says_what_its_ends_are(monkeypatch, each, labels):
    from matplotlib.axes import Axes

    seen, label = [], Axes.set_xticks
    monkeypatch.setattr(Axes, "set_xticks", lambda self, ticks, texts: (seen.extend(texts), label(self, ticks, texts)))
    draw_heat_maps(RGB, [ramp("cat", -0.1, 0.25), ramp("dog", 0, 0.5)], each=each)
    assert seen == labels


def test_more_than_four_maps_go_into_bands():
    heights, widths = zip(
        *(pixels_of(draw_heat_maps(RGB, [solid(str(n), n) for n in range(k)])).shape[:2] for k in (4, 5, 8, 9)),
        strict=True,
    )
    assert len(set(widths)) == 1
    assert heights[0] < heights[1] == heights[2] < heights[3]
    gap_px = 3 / 25.4 * 300
    assert abs(heights[1] - (2 * heights[0] + gap_px)) <= 2


def test_a_point_is_marked_in_the_picture_alone():
    maps = [solid("a", 0)]
    bare, marked = (pixels_of(draw_heat_maps(RGB, maps, points_xy=points)) for points in ([], [(0.5, 0.5)]))
    rows, columns = np.nonzero((bare != marked).any(-1))
    cell_px, head_px = 89.5 / 25.4 * 300, 4.3 / 25.4 * 300
    assert abs(columns.mean() - cell_px / 2) <= 2
    assert abs(rows.mean() - (head_px + cell_px / 3)) <= 2


@pytest.mark.parametrize("form", ["png", "pdf", "svg"])
def test_the_same_maps_give_the_same_bytes_without_a_date(form):
    first, second = (draw_heat_maps(RGB, [ramp("cat", 0, 1)], form=form, width_mm=60) for _ in range(2))
    assert first == second
    assert b"CreationDate" not in first
    assert b"<dc:date>" not in first


def test_a_figure_too_narrow_for_its_maps_is_refused():
    with pytest.raises(FeatureError, match="3 columns of 15 mm; 46 mm"):
        draw_heat_maps(RGB, [solid("a", 0), solid("b", 1)], width_mm=46)
