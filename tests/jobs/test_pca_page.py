"""``pca --out FILE.html``: the file, and what a user sees of it in Chromium."""

import numpy as np
import pytest

import densezero
from densezero.errors import FeatureError, OutputError
from densezero.features import encode_grid
from densezero.features.choices import FigureStyle, GridChoice
from densezero.features.similarity import point_similarity
from densezero.jobs.features.pca import draw_pca
from densezero.jobs.features.settings import PcaSettings
from tests.browser import open_browser, open_file
from tests.jobs.photos import Recorder, write_scenes

EVIL = "b<img src=x onerror=alert(1)>.png"
PIXELS = "canvas => Array.from(canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data)"


def request(inputs, out, **changes):
    chosen = {"models": ("nano",), "readouts": ("patch", "value"), "grid": GridChoice(8), "dtype": "float32"}
    return PcaSettings((inputs,), out, **{**chosen, **changes})


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_scenes(tmp_path_factory.mktemp("scenes"), ["a.png", EVIL, "c.png"], hw=(48, 64))


@pytest.fixture(scope="module")
def written(folder, tmp_path_factory):
    out = tmp_path_factory.mktemp("page") / "page.html"
    draw_pca(request(folder, out, shows=("pca", "first"), style=FigureStyle(colormap="gray", title="Two read-outs")))
    return out


@pytest.fixture(scope="module")
def browser():
    with open_browser() as opened:
        yield opened


@pytest.fixture
def page(browser, written):
    with open_file(browser, written) as opened:
        yield opened


def click_at(page, place, x, y):
    box = page.locator(place).bounding_box()
    page.mouse.click(box["x"] + x * box["width"], box["y"] + y * box["height"])


def test_the_same_bytes_twice_and_again_over_the_first(tmp_path, folder):
    for name in ("one.html", "two.html", "one.html"):
        summary = draw_pca(request(folder, tmp_path / name))
        assert (summary.done, summary.failed) == (3, 0)
    assert (tmp_path / "one.html").read_bytes() == (tmp_path / "two.html").read_bytes()
    (tmp_path / "mine.html").write_text("<p>my own page</p>")
    with pytest.raises(OutputError, match="not written by densezero"):
        draw_pca(request(folder, tmp_path / "mine.html"))


def test_an_image_that_fails_is_named_and_left_out(tmp_path, folder):
    inputs = write_scenes(tmp_path / "in", ["good.png"])
    (inputs / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    heard = Recorder()
    summary = draw_pca(request(inputs, tmp_path / "p.html"), heard)
    assert (summary.done, summary.failed) == (1, 1)
    text = (tmp_path / "p.html").read_text()
    assert "good.png" in text and "broken.png" not in text


def test_a_page_that_no_browser_opens_is_refused_before_any_work(tmp_path):
    inputs = write_scenes(tmp_path / "in", [f"{number}.png" for number in range(120)], hw=(8, 8))
    with pytest.raises(FeatureError, match=r"at most 300 MB; 120 images may need up to 8\d\d MB\. .*--grid below 98"):
        draw_pca(request(inputs, tmp_path / "p.html", grid=GridChoice(98)))
    assert not (tmp_path / "p.html").exists()


@pytest.mark.parametrize("out", ["p.html", "folder"])
def test_sizes_of_a_printed_figure_are_refused_elsewhere(tmp_path, out):
    style = FigureStyle(85, cell="square", font_pt=8, dpi=150)
    with pytest.raises(FeatureError, match="svg with --width, --font-size, --cell, --dpi; got"):
        request(tmp_path, tmp_path / out, style=style)
    request(tmp_path, tmp_path / out, style=FigureStyle(colormap="viridis"))


def test_two_pictures_are_compared_with_a_slider(page):
    assert page.title() == page.locator("h1").inner_text() == "Two read-outs"
    names = page.locator("#left-choice option").all_inner_texts()
    assert names == ["image", "patch, pca", "patch, first", "value, pca", "value, first"]
    page.select_option("#left-choice", label="value, pca")
    page.select_option("#right-choice", label="patch, first")
    assert page.locator("#left-tag").inner_text() == "value, pca"
    pictures = page.evaluate("data.images[0].pictures")
    assert page.locator("#left-picture").get_attribute("src") == pictures[3]
    assert page.locator("#right-picture").get_attribute("src") == pictures[2]
    page.locator("#slider").fill("25")
    assert page.locator("#right-picture").evaluate("one => one.style.clipPath") == "inset(0px 0px 0px 25%)"
    box = page.locator("#viewer").bounding_box()
    middle = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + 50, middle)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.6 * box["width"], middle, steps=4)
    page.mouse.up()
    assert float(page.locator("#slider").input_value()) == pytest.approx(60, abs=0.5)
    assert page.locator("#chosen").is_hidden()  # to drag is not to choose


def test_a_click_shows_what_is_like_the_patch_in_every_encoder(page, folder):
    assert page.locator("#hint").is_visible()
    page.locator("#beneath").evaluate("box => { box.checked = false; }")
    click_at(page, "#viewer", 0.3, 0.7)
    assert page.locator("#query").inner_text() == "Cosine with the patch in row 5, column 3 of a.png"
    assert page.locator("figcaption").all_inner_texts() == ["patch", "value"]
    encoder = densezero.load_encoder("nano", dtype="float32")
    for place, readout in enumerate(("patch", "value")):
        exact = point_similarity(encode_grid(encoder, folder / "a.png", readout, 8), (0.3, 0.7))  # (6, 8)
        ends = [float(text.replace("\u2212", "-")) for text in page.locator(".scale").nth(place).locator("span")
                .all_inner_texts()[::2]]  # fmt: skip
        assert ends == pytest.approx([exact.min(), exact.max()], abs=0.02)
        drawn = np.array(page.locator("canvas").nth(place).evaluate(PIXELS)).reshape(6, 8, 4)
        assert (drawn[..., 3] == 255).all() and (drawn[..., 0] == drawn[..., 2]).all()
        levels = (exact - exact.min()) / (exact.max() - exact.min())
        assert np.abs(drawn[..., 0] / 255 - levels).max() < 0.03
    assert page.locator(".mark").count() == 3


def test_the_chosen_patch_is_compared_with_another_image(page, folder):
    click_at(page, "#viewer", 0.3, 0.7)
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    assert page.locator("#image-name").inner_text() == "c.png (3 of 3)"
    assert page.locator("#query").inner_text().endswith("of a.png")
    assert page.locator(".mark").count() == 0  # the patch lies in another image
    encoder = densezero.load_encoder("nano", dtype="float32")
    grids = [encode_grid(encoder, folder / name, "patch", 8) for name in ("a.png", "c.png")]
    units = [grid / grid.norm(dim=-1, keepdim=True) for grid in grids]
    exact = (units[1] @ units[0][int(0.7 * 6), int(0.3 * 8)]).numpy()
    given = np.array(page.evaluate("Array.from(cosines(2, 0, state.chosen))")).reshape(6, 8)
    assert np.abs(given - exact).max() < 0.02
    stack = page.locator("#maps .stack").first
    box = stack.bounding_box()
    stack.hover(position={"x": 0.95 * box["width"], "y": 0.05 * box["height"]})
    reading = page.locator(".reading").first.inner_text().replace("\u2212", "-")
    assert reading.startswith("row 1, column 8: ")
    assert float(reading.split(": ")[1]) == pytest.approx(exact[0, 7], abs=0.02)


def test_the_scale_has_the_colours_of_the_map(page):
    page.locator("#beneath").evaluate("box => { box.checked = false; }")
    click_at(page, "#viewer", 0.3, 0.7)
    bar = page.locator(".scale span").nth(1).evaluate("bar => bar.style.background")
    assert "rgb(0, 0, 0)" in bar.split(",", 1)[1][:20] and bar.rstrip(")").endswith("rgb(255, 255, 255")


def test_the_mark_is_centred_on_its_patch_also_where_patches_are_small(page):
    for x, y in ((0.01, 0.01), (0.55, 0.45), (0.99, 0.99)):
        click_at(page, "#viewer", x, y)
        box, mark = page.locator("#viewer").bounding_box(), page.locator("#viewer .mark").bounding_box()
        column, row = int(x * 8), int(y * 6)
        assert mark["x"] + mark["width"] / 2 == pytest.approx(box["x"] + (column + 0.5) / 8 * box["width"], abs=1)
        assert mark["y"] + mark["height"] / 2 == pytest.approx(box["y"] + (row + 0.5) / 6 * box["height"], abs=1)


def test_keys_choose_a_patch_and_images_and_do_not_move_the_page(page):
    page.keyboard.press("Shift+ArrowDown")
    assert "row 5, column 5" in page.locator("#query").inner_text()
    for _ in range(9):
        page.keyboard.press("Shift+ArrowLeft")
    assert "row 5, column 1" in page.locator("#query").inner_text()
    page.check("#common")
    page.evaluate("window.scrollTo(0, document.body.scrollHeight)")
    before = page.evaluate("window.scrollY")
    page.keyboard.press("ArrowRight")  # a checkbox has the focus
    assert "2 of 3" in page.locator("#image-name").inner_text()
    assert page.evaluate("window.scrollY") == pytest.approx(before, abs=2)


def test_only_a_short_press_of_the_first_button_chooses(page):
    box = page.locator("#viewer").bounding_box()
    x, y = box["x"] + 0.5 * box["width"], box["y"] + 0.2 * box["height"]
    page.mouse.click(x, y, button="right")
    assert page.locator("#chosen").is_hidden()
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x, y + 60, steps=3)
    page.mouse.up()
    assert page.locator("#chosen").is_hidden()
    page.mouse.click(x, y)
    assert page.locator(".reading").first.inner_text().startswith("row 2, column 5: ")


def test_strips_can_be_seen(browser, tmp_path):
    inputs = write_scenes(tmp_path / "in", ["wide.png"], hw=(20, 900))
    write_scenes(inputs, ["tall.png"], hw=(900, 20))
    draw_pca(request(inputs, tmp_path / "p.html", grid=GridChoice(45)))
    with open_file(browser, tmp_path / "p.html") as page:
        for place in range(2):
            page.locator("#strip button").nth(place).click()
            click_at(page, "#viewer", 0.5, 0.5)
            for stack in page.locator(".stack").all():
                box = stack.bounding_box()
                assert min(box["width"], box["height"]) > 30 and box["height"] < 700
            thumbnail = page.locator("#strip button").nth(place).bounding_box()
            assert 20 < thumbnail["width"] < 150


def test_names_that_are_no_utf_8_and_names_that_are_too_long(tmp_path):
    inputs = write_scenes(tmp_path / "in", ["a.png"])
    (inputs / "a.png").rename(inputs / "n\udcff.png")
    draw_pca(request(inputs, tmp_path / "p.html"))
    assert "n\ufffd.png" in (tmp_path / "p.html").read_text()
    with pytest.raises(OutputError, match="too long"):
        draw_pca(request(inputs, tmp_path / f"{'x' * 300}.html"))


@pytest.mark.parametrize("name", ["p.html", "p.png", "p.mp4"])
def test_a_dry_run_writes_nothing(tmp_path, folder, name):
    changes = {"video": True, "readouts": ("patch",)} if name == "p.mp4" else {}
    summary = draw_pca(request(folder, tmp_path / "new" / name, dry_run=True, **changes))
    assert (summary.done, summary.dry_run) == (3, True)
    assert not (tmp_path / "new").exists()


def test_a_page_that_speaks_of_densezero_is_not_ours(tmp_path, folder):
    page = tmp_path / "notes.html"
    page.write_text("<title>My notes on densezero</title>")
    with pytest.raises(OutputError, match="not written by densezero"):
        draw_pca(request(folder, page))


def test_labels_name_the_maps_and_the_settings_say_what_decides_the_colours(tmp_path, folder):
    changes = {"labels": ("first one", "second one"), "hue_deg": 120.0, "flip": (1, 3), "align": True}
    draw_pca(request(folder, tmp_path / "p.htm", **changes))
    text = (tmp_path / "p.htm").read_text()
    assert '"name":"first one"' in text and '"name":"second one"' in text
    for words in ("turned by 120°", "<td>1, 3</td>", "<th>aligned</th><td>yes</td>", "<th>basis</th><td>together</td>"):
        assert words in text


def test_one_scale_for_all_maps(page):
    click_at(page, "#viewer", 0.5, 0.5)
    page.check("#common")
    scales = [scale.locator("span").all_inner_texts() for scale in page.locator(".scale").all()]
    assert scales[0] == scales[1]


def test_names_are_text(page):
    page.locator("#strip button").nth(1).click()
    assert page.locator("#image-name").inner_text() == f"{EVIL} (2 of 3)"
    assert page.locator("#strip button[aria-current=true]").count() == 1
    assert page.locator("img[src=x]").count() == 0


def test_a_narrow_window_cuts_nothing(browser, written):
    with open_file(browser, written, width=340, height=700) as page:
        click_at(page, "#viewer", 0.5, 0.5)
        assert page.evaluate("document.documentElement.scrollWidth") <= 340
