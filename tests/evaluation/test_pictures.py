import io

import cv2
import numpy as np
import pytest
from matplotlib import colormaps
from PIL import Image

from densezero.evaluation.figure import draw_class_bars, draw_confusion, row_percent
from densezero.evaluation.gallery import (
    RankedImage,
    draw_gallery,
    make_gallery_image,
    paint_labels,
    rank_images,
)
from densezero.evaluation.page import make_page
from densezero.evaluation.report import ImageScore, score_counts
from tests.evaluation.reports import make_report


def report_of(classes):
    random = np.random.default_rng(0)
    counts = random.integers(0, 50, (classes, classes))
    counts[-1], counts[:, -1] = 0, 0  # the last class is nowhere
    scores, per_class = score_counts(counts, [f"a rather long class name {k}" for k in range(classes)])
    return make_report(scores=scores, per_class=per_class, confusion=counts.tolist())


def opened(png):
    return np.array(Image.open(io.BytesIO(png)).convert("RGB"))


def is_colour(picture, colour):
    return np.abs(picture.astype(int) - np.asarray(colour)).max(-1) < 3  # (H, W)


def areas_of(picture, colour, least_px=1000):
    """The (left, top, right, bottom) of each connected area of a colour, from left to right; small ones left out."""
    _, _, stats, _ = cv2.connectedComponentsWithStats(is_colour(picture, colour).astype(np.uint8))
    found = [(x, y, x + w, y + h) for x, y, w, h, area in stats[1:].tolist() if area >= least_px]
    return sorted(found)


@pytest.mark.parametrize("classes", [2, 21, 171])
def test_bars_and_matrix_are_the_same_every_time(classes):
    report = report_of(classes)
    for draw in (draw_class_bars, draw_confusion):
        assert draw(report) == draw(report)


def test_each_cell_of_the_matrix_has_its_place_and_the_colour_of_its_share():
    counts = np.array([[90, 10, 0], [40, 60, 100], [0, 0, 0]])
    scores, per_class = score_counts(counts, ["sky", "sea", "boat"])
    picture = opened(draw_confusion(make_report(scores=scores, per_class=per_class, confusion=counts.tolist())))
    centres = np.zeros((2, 3, 2))
    for truth, row in enumerate([[90, 10, 0], [20, 30, 50]]):
        for predicted, percent in enumerate(row):
            colour = np.array(colormaps["Blues"]((percent / 100) ** 0.5)[:3]) * 255
            (cell,) = areas_of(picture, colour)  # one area of this colour, and its bounds are the cell's
            centres[truth, predicted] = (cell[0] + cell[2]) / 2, (cell[1] + cell[3]) / 2
    step = centres[0, 1, 0] - centres[0, 0, 0]
    assert step > 50
    expected = [[(step * x, step * y) for x in range(3)] for y in range(2)]  # rows truth, downwards; columns prediction
    np.testing.assert_allclose(centres - centres[0, 0], expected, atol=3)
    grey = areas_of(picture, (0xE4, 0xE4, 0xE4))  # the row of boat, which has no pixels
    assert len(grey) == 3
    assert min(top for _, top, _, _ in grey) > centres[1, 0, 1]


def test_bars_are_as_long_as_their_iou_best_first_and_an_absent_class_has_none():
    per_class = {"low": 20.0, "gone": None, "high": 80.0, "mid": 50.0}
    picture = opened(draw_class_bars(make_report(per_class=per_class, scores={"miou": 65.0})))
    bars, line = is_colour(picture, (0x3B, 0x6E, 0xA5)), is_colour(picture, (0xB3, 0x54, 0x1E))
    rows = np.flatnonzero(np.diff(bars.any(1).astype(int)))  # where a bar begins or ends
    assert len(rows) == 6
    ends = [np.flatnonzero(bars[top + 1 : bottom + 1].any(0))[[0, -1]] for top, bottom in rows.reshape(3, 2)]
    left = ends[0][0]
    assert {int(start) for start, _ in ends} == {int(left)}
    lengths = np.array([end - start + 1 for start, end in ends])
    np.testing.assert_allclose(lengths / lengths[0] * 80, [80, 50, 20], atol=0.5)
    mean_at = np.argmax(line.sum(0)) - left
    assert mean_at / lengths[0] * 80 == pytest.approx(65, abs=0.5)


def test_rows_of_the_matrix_are_shares_of_the_truth():
    percent = row_percent(np.array([[1, 3], [0, 0]]))
    assert percent[0].tolist() == [25, 75]
    assert not np.nan_to_num(percent[1]).any()


def test_best_and_worst_are_chosen_once_each():
    scores = [ImageScore(name, miou, None) for name, miou in zip("abcde", (10, None, 90, 50, 70), strict=True)]
    ranked = rank_images(scores, 3)
    assert [(image.rank, image.score.name) for image in ranked] == [
        ("best 1", "c"), ("best 2", "e"), ("worst 1", "a"), ("worst 2", "d"),
    ]  # fmt: skip
    assert [image.score.name for image in rank_images(scores, 1)] == ["c", "a"]
    assert rank_images([ImageScore("x", None, None)], 3) == []


def test_labels_are_painted_in_their_colours_and_ignored_pixels_in_none_of_them():
    colours = np.array([[200, 0, 0], [0, 0, 200]], np.uint8)
    painted = paint_labels(np.array([[0, 1], [255, 0]]), colours)
    assert painted[0, 0].tolist() == [200, 0, 0]
    assert painted[0, 1].tolist() == [0, 0, 200]
    assert painted[1, 0].tolist() not in colours.tolist()


def test_a_gallery_shows_truth_and_prediction():
    truth, labels = np.zeros((40, 60), np.uint8), np.zeros((40, 60), np.uint8)
    truth[:, 30:] = 1
    labels[:, 45:] = 1
    rgb = np.full((40, 60, 3), 90, np.uint8)
    # class 0: 30 of 45 columns; class 1: 15 of 30
    image = make_gallery_image(
        RankedImage("best 1", ImageScore("x", 100 * (2 / 3 + 1 / 2) / 2, None)), rgb, truth, labels, 2
    )
    assert image.miou == pytest.approx(100 * (2 / 3 + 1 / 2) / 2)
    assert image.note == ""
    picture = opened(draw_gallery([image], ["red", "green"], np.array([[250, 0, 0], [0, 250, 0]], np.uint8), "a test"))
    (seen,) = areas_of(picture, (90, 90, 90), 5000)
    (true_red, said_red), (true_green, said_green) = (
        areas_of(picture, colour, 5000) for colour in ((250, 0, 0), (0, 250, 0))
    )
    assert seen[2] < true_red[0] < true_green[0] < said_red[0] < said_green[0]  # picture, truth, prediction
    panel = seen[2] - seen[0]
    for area, columns in ((true_red, 30), (true_green, 30), (said_red, 45), (said_green, 15)):
        assert (area[2] - area[0]) / panel == pytest.approx(columns / 60, abs=0.01)
        assert (area[1], area[3]) == pytest.approx((seen[1], seen[3]), abs=2)


def test_a_score_that_differs_from_the_reports_is_noted():
    same = np.zeros((4, 4), np.uint8)
    image = make_gallery_image(
        RankedImage("best 1", ImageScore("x", 12.0, None)), np.zeros((4, 4, 3), np.uint8), same, same, 1
    )
    assert "12.00" in image.note


def test_a_page_needs_nothing_from_elsewhere_and_escapes_names():
    report = make_report(model="<b>&co", request={"class_list": "x", "note": "</pre><script>"})
    page = make_page(report, {"Bars & more": draw_class_bars(report)})
    assert "&lt;b&gt;&amp;co" in page
    assert "<script" not in page
    assert page.count("data:image/png;base64,") == 1
    assert 'src="http' not in page
    assert "55.00 %" in page
