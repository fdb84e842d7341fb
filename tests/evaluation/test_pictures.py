import io

import numpy as np
import pytest
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


@pytest.mark.parametrize("classes", [2, 21, 171])
def test_bars_and_matrix_are_pictures_and_the_same_every_time(classes):
    report = report_of(classes)
    for draw in (draw_class_bars, draw_confusion):
        png = draw(report)
        assert opened(png).std() > 5
        assert draw(report) == png


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
    colours = np.array([[250, 0, 0], [0, 250, 0]], np.uint8)
    picture = opened(draw_gallery([image], ["red", "green"], colours, "a test"))
    red = (np.abs(picture.astype(int) - colours[0]).max(-1) < 3).sum()
    green = (np.abs(picture.astype(int) - colours[1]).max(-1) < 3).sum()
    assert red / green == pytest.approx((30 + 45) / (30 + 15), rel=0.1)


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
