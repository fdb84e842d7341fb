import io

import numpy as np
import pytest
from PIL import Image, ImageFont
from sklearn.datasets import load_sample_image

from densezero.errors import OutputError
from densezero.output import fonts
from densezero.output.legend import Entry, add_legend, choose_lines, fill_lines, list_entries, plan_legend
from densezero.output.overlay import draw_overlay, drawn_hw, encode_overlay


@pytest.fixture(scope="module")
def photograph():
    return load_sample_image("china.jpg")  # (427, 640, 3)


def test_entries_are_sorted_and_small_ones_folded(classes_of):
    classes = classes_of(["sky", "sea", "boat", "gull", "flag"])
    entries = list_entries({0: 300, 1: 685, 2: 10, 3: 4, 4: 1}, classes)
    assert [(entry.name, entry.share) for entry in entries] == [
        ("sea", 0.685),
        ("sky", 0.3),
        ("boat", 0.01),
        ("+ 2 classes under 1 %", 0.005),
    ]
    assert entries[0].colour == tuple(classes.colours[1].tolist())
    assert entries[3].colour is None
    assert list_entries({0: 999, 1: 1}, classes)[1].name == "+ 1 class under 1 %"


def test_the_legend_of_a_film_has_the_same_lines_in_every_frame(photograph, classes_of):
    classes = classes_of(["sky", "sea", "boat", "gull", "flag"])
    frames = [{0: 600, 1: 400}, {0: 100, 1: 880, 2: 20}, {1: 995, 3: 5}]
    lines = choose_lines(frames)
    assert lines == (1, 0, 2, -1)  # 2275, 700 and 20 pixels; the gull has never 1 % of a frame
    entries = fill_lines(lines, frames[2], classes)
    assert [(entry.name, entry.share) for entry in entries] == [
        ("sea", 0.995), ("sky", 0.0), ("boat", 0.0), ("other classes", 0.005),
    ]  # fmt: skip
    assert choose_lines([{0: 1}]) == (0,)
    assert [entry.share for entry in fill_lines((0,), {}, classes)] == [0.0]
    labels = np.zeros(photograph.shape[:2], np.uint8)
    drawn = [draw_overlay(photograph, labels + index, classes, lines) for index in (0, 3)]
    assert drawn[0].shape == drawn[1].shape
    assert (drawn[0][:, 640:] != drawn[1][:, 640:]).any()  # the numbers differ


def test_the_middle_of_a_region_is_half_its_colour(photograph, classes_of):
    classes = classes_of(["left", "right"])
    labels = np.zeros(photograph.shape[:2], np.uint8)
    labels[:, 320:] = 1
    drawn = draw_overlay(photograph, labels, classes)
    for x, index in ((100, 0), (500, 1)):
        expected = (photograph[200, x].astype(float) + classes.colours[index]) / 2
        assert np.abs(drawn[200, x] - expected).max() <= 1


def test_ignored_pixels_keep_the_picture(photograph, classes_of):
    labels = np.zeros(photograph.shape[:2], np.uint8)
    labels[:, 320:] = 255
    drawn = draw_overlay(photograph, labels, classes_of(["left"]))
    np.testing.assert_array_equal(drawn[:427, 320:640], photograph[:, 320:])
    np.testing.assert_array_equal(draw_overlay(photograph, np.full_like(labels, 255), classes_of(["left"])), photograph)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_each_pixel_is_what_the_formula_says(random_classes, photograph, dtype):
    classes = random_classes(40 if dtype is np.uint8 else 300)
    ignore = 255 if dtype is np.uint8 else 65535
    labels = (np.arange(427)[:, None] // 20 * 2 + np.arange(640) // 320).astype(dtype) % 40
    labels[100:150, 200:400] = ignore
    known = labels != ignore
    padded = np.pad(labels, 1, "edge")
    around = [padded[1:-1, 2:], padded[1:-1, :-2], padded[2:, 1:-1], padded[:-2, 1:-1]]
    is_border = np.any([other != labels for other in around], axis=0)
    paint = np.asarray(classes.colours, float)[np.where(known, labels, 0)]
    share = np.where(is_border, 0.85, 0.5)[..., None]
    expected = np.where(known[..., None], share * paint + (1 - share) * photograph, photograph)
    drawn = draw_overlay(photograph, labels, classes)[:427, :640]
    assert np.abs(drawn - expected).max() <= 0.5 + 1e-4
    np.testing.assert_array_equal(drawn[~known], photograph[~known])


@pytest.mark.parametrize("hw", [(1, 1), (80, 100), (13, 2000), (2000, 13), (427, 640), (640, 427), (3000, 4000)])
@pytest.mark.parametrize("n_classes", [1, 12, 40])
def test_the_legend_hides_nothing_and_shows_each_colour(random_classes, blob_labels, hw, n_classes):
    classes = random_classes(n_classes)
    labels = (np.arange(hw[0] * hw[1], dtype=np.int64) * n_classes // (hw[0] * hw[1])).astype(np.uint8).reshape(hw)
    drawn = draw_overlay(np.full((*hw, 3), 128, np.uint8), labels, classes)
    height, width = drawn_hw(*hw)
    assert drawn.shape[0] >= height
    assert drawn.shape[1] >= width
    panel = drawn.copy()
    panel[:height, :width] = 255
    assert (panel != 255).any()
    seen = set(np.unique(panel.astype(np.int32) @ [65536, 256, 1]).tolist())
    expected = {
        entry.colour[0] * 65536 + entry.colour[1] * 256 + entry.colour[2]
        for entry in list_entries({int(i): 1 for i in np.unique(labels)}, classes)
    }
    assert expected <= seen
    ink = (panel[..., 0] == 24).any(axis=1)
    assert ink.sum() >= 8  # letters of at least eight rows of pixels


@pytest.mark.parametrize(
    ("hw", "n_entries", "right"),
    [((480, 640), 5, True), ((640, 480), 12, True), ((13, 2000), 5, False), ((2000, 13), 5, True)],
)
def test_the_legend_goes_where_it_fits(hw, n_entries, right):
    plan = plan_legend(n_entries, (24, 200), 15, hw)
    assert plan.right is right
    assert plan.columns * plan.rows >= n_entries > (plan.columns - 1) * plan.rows


def test_a_plan_by_hand():
    plan = plan_legend(5, (20, 100), 10, (90, 400))  # 3 rows fit, so two columns of 3
    assert (plan.right, plan.columns, plan.rows, plan.panel_hw) == (True, 2, 3, (80, 210))
    assert plan.canvas_hw((90, 400)) == (90, 610)


@pytest.mark.parametrize(
    ("hw", "drawn"),
    [
        ((3000, 4000), (1536, 2048)),
        ((1, 1), (64, 64)),
        ((80, 100), (320, 400)),
        ((13, 2000), (13, 2000)),
        ((1, 9000), (1, 2048)),
        ((400, 600), (400, 600)),
    ],
)
def test_drawn_sizes_by_hand(hw, drawn):
    assert drawn_hw(*hw) == drawn


def test_a_long_name_ends_before_its_share(classes_of):
    picture = np.zeros((300, 400, 3), np.uint8)
    short = add_legend(picture, [Entry(0, "W" * 14, (255, 0, 0), 1.0)])
    long = add_legend(picture, [Entry(0, "W" * 400, (255, 0, 0), 1.0)])
    assert long.shape[1] <= 400 + 30 * 15
    assert long.shape[1] >= short.shape[1]


def test_the_built_in_font_has_no_chinese_and_says_so():
    font = ImageFont.load_default(size=20)
    assert fonts.covers(font, "sky, sea & sand 100.0 % …")
    assert not fonts.covers(font, "天空")


def test_a_name_that_no_font_has_is_spelled_out(monkeypatch):
    monkeypatch.setattr(fonts, "_SYSTEM_FONTS", ())
    assert fonts.legible("天空", 3, 20).text == r"class 3 (\u5929\u7a7a)"
    assert fonts.legible("café crème", 3, 20).text == "cafe creme"
    assert fonts.legible("two\nlines", 3, 20).text == "two lines"


def test_every_name_is_drawn_with_a_font_that_has_it():
    for name in ("sky", "café", "Straße", "небо", "天空", "سماء", "\U0001f600"):
        label = fonts.legible(name, 0, 20)
        assert fonts.covers(label.font, label.text)


def test_the_file_is_a_jpeg_close_to_the_drawing(photograph, classes_of, blob_labels):
    classes = classes_of(["sky", "sea", "sand"])
    labels = blob_labels(photograph.shape[:2], 3)
    with Image.open(io.BytesIO(encode_overlay(photograph, labels, classes))) as image:
        assert image.format == "JPEG"
        assert image.layer[0][1:3] == image.layer[1][1:3]  # colours at full resolution
        shown = np.asarray(image).astype(int)
    assert np.abs(shown - draw_overlay(photograph, labels, classes)).mean() < 4


def test_a_picture_of_another_size_is_refused(photograph, classes_of):
    with pytest.raises(OutputError, match=r"\(5, 5, 3\).*got \(427, 640, 3\)"):
        draw_overlay(photograph, np.zeros((5, 5), np.uint8), classes_of(["sky"]))


def test_folded_classes_have_a_line_without_a_swatch():
    picture = np.zeros((200, 500, 3), np.uint8)
    drawn = add_legend(picture, [Entry(-1, "+ 7 classes under 1 %", None, 0.05)])
    panel = drawn[:, 500:].astype(int)
    assert (panel.min(axis=2) < 60).any()
    assert (panel.max(axis=2) - panel.min(axis=2)).max() == 0  # ink on paper, no colour


def test_the_border_of_a_region_is_fuller(classes_of):
    classes = classes_of(["left", "right"])
    labels = np.zeros((400, 400), np.uint8)
    labels[:, 200:] = 1
    drawn = draw_overlay(np.full((400, 400, 3), 100, np.uint8), labels, classes)
    for x, index, opacity in ((198, 0, 0.5), (199, 0, 0.85), (200, 1, 0.85), (201, 1, 0.5)):
        expected = 100 * (1 - opacity) + classes.colours[index] * opacity
        assert np.abs(drawn[200, x] - expected).max() <= 1


def test_shares_are_shown_in_percent():
    assert Entry(0, "sky", None, 0.42345).percent == "42.3 %"
    assert Entry(0, "sky", None, 1.0).percent == "100.0 %"
