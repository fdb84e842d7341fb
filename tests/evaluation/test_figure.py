import struct

import numpy as np
import pytest

from densezero.evaluation.figure import _sorted_rows, _sum_up, draw_class_bars, draw_confusion, row_percent
from densezero.evaluation.gallery import RankedImage, _legend_lines, draw_gallery, make_gallery_image
from densezero.evaluation.report import ImageScore, score_counts
from densezero.features.figure.sheet import DPI, draw_sheet, fit_text, text_width_in, write_at
from tests.evaluation.reports import make_report

COLOURS = np.array([[200, 0, 0], [0, 0, 200], [0, 90, 0]], np.uint8)


def report_of(names):
    counts = np.random.default_rng(0).integers(0, 50, (len(names), len(names)))
    scores, per_class = score_counts(counts, names)
    return make_report(scores=scores, per_class=per_class, confusion=counts.tolist())


def hw_in(png):
    width, height = struct.unpack(">II", png[16:24])
    return height / DPI, width / DPI


def test_bars_are_sorted_and_absent_classes_come_last():
    per_class = {"gone": None, "low": 1.0, "zero": 0.0, "high": 9.0}
    rows = _sorted_rows(make_report(per_class=per_class))
    assert [(row.name, row.iou) for row in rows] == [("high", 9.0), ("low", 1.0), ("zero", 0.0), ("gone", None)]


def test_an_absent_class_is_not_drawn_as_one_with_an_iou_of_zero():
    absent = draw_class_bars(make_report(per_class={"sky": 50.0, "sea": None}))
    assert absent != draw_class_bars(make_report(per_class={"sky": 50.0, "sea": 0.0}))
    assert "1 of 2 classes, 1 absent" in _sum_up(make_report(per_class={"sky": 50.0, "sea": None}))


def test_bars_have_their_index_where_the_matrix_has_indices():
    assert _sorted_rows(report_of([f"c{k}" for k in range(81)]))[0].name[0] == "c"
    assert _sorted_rows(report_of([f"c{k}" for k in range(82)]))[0].name.split()[1].startswith("c")


@pytest.mark.parametrize("classes", [1, 7, 171])
def test_pages_stay_narrow_enough_to_be_read_and_grow_downwards(classes):
    report = report_of([f"class {k}" for k in range(classes)])
    bars, matrix = hw_in(draw_class_bars(report)), hw_in(draw_confusion(report))
    assert bars[0] >= 0.17 * classes / 3
    assert 5 <= bars[1] <= 12
    assert 5 <= matrix[1] <= 12


def test_names_of_any_kind_are_drawn_without_a_warning():
    names = ["$x_1$", "a\nb", "猫", "<b>", "café", "x" * 500, "\\frac", "%", " "]
    report = report_of(names)
    assert draw_class_bars(report)
    assert draw_confusion(report)


def test_a_text_is_fitted_in_the_middle_and_keeps_its_ends():
    fitted = fit_text("the very beginning and the very end", 1.0, 8)
    assert fitted.startswith("the very")
    assert fitted.endswith("end")
    assert "…" in fitted
    assert text_width_in(fitted, 8) <= 1.0
    assert fit_text("short", 1.0, 8) == "short"


def test_the_users_own_settings_of_matplotlib_change_nothing():
    import matplotlib

    def draw():
        return draw_sheet(2, 1, lambda figure: write_at(figure, 0.1, 0.1, "some words"))

    before = draw()
    with matplotlib.rc_context(
        {"font.size": 30, "text.color": "red", "savefig.facecolor": "black", "font.weight": 900}
    ):
        assert draw() == before
        assert matplotlib.rcParams["font.size"] == 30


def test_rows_without_pixels_have_no_share():
    percent = row_percent(np.array([[0, 0], [1, 4]]))
    assert np.isnan(percent[0]).all()
    assert percent[1].tolist() == [20, 80]


def gallery_image(truth, prediction, rgb=None):
    rgb = np.zeros((*truth.shape, 3), np.uint8) if rgb is None else rgb
    return make_gallery_image(RankedImage("best 1", ImageScore("x", 50.0, None)), rgb, truth, prediction, 3)


def test_a_legend_lists_what_appears_largest_first_and_the_ignored():
    truth, prediction = np.ones((4, 5), np.uint8), np.ones((4, 5), np.uint8)
    truth[0], prediction[0], prediction[1] = 255, 2, 0  # class 2 only where nothing is scored
    lines = _legend_lines(gallery_image(truth, prediction), ["red", "blue", "green"], COLOURS, 255)
    assert [(line.name, line.value) for line in lines] == [
        ("blue", "67"), ("red", "0"), ("green", "–"), ("not scored", ""),
    ]  # fmt: skip


def test_a_large_image_is_thinned_by_its_mean_colours():
    rgb = np.zeros((1600, 1000, 3), np.uint8)
    rgb[:, ::2] = 100
    image = gallery_image(np.zeros((1600, 1000), np.uint8), np.zeros((1600, 1000), np.uint8), rgb)
    assert image.rgb.shape == (800, 500, 3)
    assert (image.rgb == 50).all()
    assert image.truth.shape == (800, 500)


@pytest.mark.parametrize("hw", [(1, 1), (1, 900), (900, 1), (3, 2000), (48, 64)])
def test_images_of_any_shape_are_drawn(hw):
    labels = np.zeros(hw, np.uint8)
    assert draw_gallery([gallery_image(labels, labels)], ["a", "b", "c"], COLOURS, "a test")


def test_an_image_of_which_nothing_is_scored_any_more_says_so():
    image = gallery_image(np.full((3, 3), 255, np.uint8), np.zeros((3, 3), np.uint8))
    assert np.isnan(image.miou)
    assert "50.00" in image.note
    assert draw_gallery([image], ["a", "b", "c"], COLOURS, "a test")


@pytest.mark.parametrize(
    ("values", "end"),
    [([0.0], 5), ([5.0, 1.0], 5), ([5.1], 10), ([19.9], 20), ([50.0], 50), ([50.1], 100), ([100.0], 100)],
)
def test_the_scale_of_the_bars_fits_the_data_and_says_so(values, end, monkeypatch):
    from matplotlib.axes import Axes

    seen, label, limit = [], Axes.set_xlabel, Axes.set_xlim
    monkeypatch.setattr(Axes, "set_xlabel", lambda self, text, **more: (seen.append(text), label(self, text, **more)))
    monkeypatch.setattr(Axes, "set_xlim", lambda self, *ends, **more: (seen.append(ends), limit(self, *ends, **more)))
    per_class = dict(zip("abc", values, strict=False))
    draw_class_bars(make_report(per_class=per_class, scores={"miou": max(values)}))
    assert (0, end) in seen
    assert ("IoU, %" if end == 100 else f"IoU, % (scale ends at {end} %)") in seen
