"""The page of a result folder: its text, and what a user sees of ten thousand images in Chromium."""

import html
import json
import re

import numpy as np
import pytest
from PIL import Image

from densezero.output.result_page.page import PageImage, View, address_of, make_result_page
from densezero.vocabulary import parse_inline
from tests.browser import open_browser, open_file, wait_until

EVIL = '</script><script>alert(1)</script><img src=x onerror="alert(2)">\'#%41 50%\n\u202e\u00e9\u6f22.jpg'
CLASSES = parse_inline("sky, sea, boat")
VIEWS = (View("photograph"), View("overlay", crops=True), View("labels", in_thumbnail=False))
COUNT = 10_000
AREAS = """card => { const own = card.getBoundingClientRect(); return [own.left, own.top, own.width, own.height]; }"""


def image(name, place=0, **changes):
    chosen = {
        "files": ("photo.png", "overlay.png", None),
        "hw": (30, 40),
        "thumbnail": "thumb.png",
        "thumbnail_views": (True, True),
        "crop_hw": (30, 40),
        "pixels": {0: 900, 1: 300},
        "confidence": 0.5,
    }
    return PageImage(name, **{**chosen, **changes})


def make(images, classes=CLASSES, notes=(), title="masks", views=VIEWS):
    return make_result_page(title, views, images, classes, notes, {"model": title}).decode()


def data_of(page):
    return json.loads(re.search(r'id="data">(.*?)</script>', page, re.DOTALL).group(1))


def many():
    """Images whose shares and confidence are known from their place; every thousandth failed."""
    made = []
    for place in range(COUNT):
        if place % 1000 == 999:
            made.append(PageImage(f"{place:05}.jpg", (None,) * 3, error=f"reason {place}"))
            continue
        pixels = {0: 10_000 - place, **({2: place} if place % 2 else {})}
        made.append(image(f"{place:05}.jpg", pixels=pixels, confidence=(place * 7919 % COUNT) / COUNT))
    return made


@pytest.fixture(scope="module")
def browser():
    with open_browser() as opened:
        yield opened


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("page")
    strip = np.zeros((30, 80, 3), np.uint8)
    strip[:, :40], strip[:, 40:] = (255, 0, 0), (0, 0, 255)
    Image.fromarray(strip).save(place / "thumb.png")
    Image.fromarray(strip[:, :40]).save(place / "photo.png")
    legend = np.full((50, 90, 3), 255, np.uint8)
    legend[:30, :40] = (0, 0, 255)
    Image.fromarray(legend).save(place / "overlay.png")
    (place / "many.html").write_text(make(many()), encoding="utf-8")
    return place


@pytest.fixture
def page(browser, folder):
    with open_file(browser, folder / "many.html", beside=folder) as opened:
        yield opened


def names(page):
    """Names of the cards that exist, in the order of the list."""
    return page.evaluate("[...cards].sort((a, b) => a[0] - b[0]).map(([at, card]) => images[state.order[at]].name)")


# ---- the text


def test_names_are_escaped_and_their_addresses_lead_to_the_files():
    odd = image(EVIL, files=(f"../{EVIL}", f"overlays/{EVIL}", None), thumbnail=None, error=None)
    page = make([odd], notes=[EVIL], title=EVIL, classes=parse_inline("sky, <b>sea"))
    assert "<img src=x" not in page and "<b>sea" not in page
    assert page.count("<script") == 2
    (data,) = data_of(page)["images"]
    assert data["name"] == EVIL
    assert re.fullmatch(r"\.\./[A-Za-z0-9%._~/-]+", data["files"][0])
    assert html.escape(EVIL) in page


@pytest.mark.parametrize(
    ("path", "address"),
    [
        ("a b#c?d.jpg", "a%20b%23c%3Fd.jpg"),
        ("50%20.jpg", "50%2520.jpg"),
        ("../\u00e9/\n\"'.jpg", "../%C3%A9/%0A%22%27.jpg"),
        ("n\udcff.png", "n%FF.png"),
        ("http:evil.png", "./http:evil.png"),
        ("a\\b.png", "a%5Cb.png"),
    ],
)
def test_addresses(path, address):
    assert address_of(path) == address


def test_only_its_own_script_may_run_and_pictures_come_from_the_same_place():
    page = make([image("a.jpg")])
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page).group(1)
    assert policy.startswith("default-src 'none'; img-src 'self' file:; style-src 'unsafe-inline'; script-src 'sha256-")
    assert "http" not in page.replace("http-equiv", "")


def test_names_that_are_no_utf_8_can_be_written():
    made = make_result_page("t", VIEWS, [image("n\udcff.png", files=("n\udcff.png", None, None))], None, (), {})
    (data,) = data_of(made.decode())["images"]
    assert (data["name"], data["files"][0]) == ("n\ufffd.png", "n%FF.png")


# ---- ten thousand images


def test_only_the_rows_near_the_window_exist(page):
    assert page.locator("#count").inner_text() == "10,000 images"
    few = page.locator(".card").count()
    assert 10 < few < 60
    page.evaluate("window.scrollTo(0, document.body.scrollHeight / 2)")
    wait_until(page, "!cards.has(0)")
    assert page.locator(".card").count() < 60
    page.evaluate("window.scrollTo(0, document.getElementById('grid').offsetHeight)")
    wait_until(page, "cards.has(9999)")
    assert names(page)[-1] == "09999.jpg"


def test_cards_do_not_overlap(page):
    areas = page.locator(".card").evaluate_all(f"all => all.map({AREAS})")
    for place, (left, top, width, height) in enumerate(areas):
        for other_left, other_top, *_ in areas[place + 1 :]:
            assert abs(left - other_left) >= width or abs(top - other_top) >= height


def test_images_are_filtered_by_name_class_and_share(page):
    page.fill("#search", "0042")
    assert names(page) == [f"{number:05}.jpg" for number in (42, *range(420, 430))]
    page.fill("#search", "")
    page.select_option("#class", label="boat (4,990)")
    assert page.locator("#count").inner_text() == "4,990 of 10,000 images"
    page.fill("#least", "30")
    page.fill("#most", "30.02")
    assert names(page) == ["03001.jpg"]  # 3001 of 10,000 pixels
    page.fill("#least", "0")
    page.fill("#most", "0")
    assert page.locator("#count").inner_text() == "5,000 of 10,000 images"  # even places, without the class
    page.click("#reset")
    assert page.locator("#count").inner_text() == "10,000 images"


def test_images_are_sorted_by_share_and_by_confidence(page):
    page.select_option("#class", label="boat (4,990)")
    page.select_option("#sort", label="share of boat")
    assert names(page)[:3] == ["09997.jpg", "09995.jpg", "09993.jpg"]  # 9999 failed
    assert "boat 100.0 %" in page.locator(".card").first.inner_text()
    page.click("#direction")
    assert names(page)[:2] == ["00001.jpg", "00003.jpg"]
    page.click("#reset")
    page.select_option("#sort", label="mean confidence")
    values = page.evaluate("state.order.map((place) => images[place].confidence ?? null)")
    expected = sorted((place * 7919 % COUNT) / COUNT for place in range(COUNT) if place % 1000 != 999)
    assert values == [*expected, *[None] * 10]  # failed images come last
    assert page.locator(".card .line").first.inner_text().startswith("confidence 0.000")


def test_failures_are_shown_with_their_reason(page):
    page.check("#failed")
    assert page.locator(".card").count() == 10
    assert page.locator(".card").first.inner_text().splitlines() == ["failed: reason 999", "00999.jpg"]
    page.locator(".card").first.click()
    assert page.locator("#stage").inner_text() == "failed: reason 999"


# ---- overlays


def shown(page, place=0):
    return page.locator(".card .window").nth(place).get_attribute("data-view")


def test_the_pointer_and_a_key_show_the_overlay(page):
    assert shown(page) == "photograph"
    page.locator(".card").first.hover()
    assert (shown(page), shown(page, 1)) == ("overlay", "photograph")
    strip = page.locator(".card .window img").first
    box, window = strip.bounding_box(), page.locator(".card .window").first.bounding_box()
    assert box["x"] + box["width"] / 2 == pytest.approx(window["x"], abs=1)  # the right half of the thumbnail
    page.mouse.move(5, 5)
    assert shown(page) == "photograph"
    page.keyboard.press("o")
    assert {shown(page, place) for place in range(8)} == {"overlay"}
    page.locator(".card").first.hover()
    assert shown(page) == "photograph"


def test_the_viewer_shows_the_file_without_its_legend(page):
    page.locator(".card").nth(2).click()
    picture = page.locator("#stage img")
    wait_until(page, "document.querySelector('#stage img').style.width")
    assert picture.get_attribute("src") == "overlay.png"
    window, box = page.locator("#stage .window").bounding_box(), picture.bounding_box()
    assert box["width"] / window["width"] == pytest.approx(90 / 40, rel=0.01)
    assert box["height"] / window["height"] == pytest.approx(50 / 30, rel=0.01)
    assert page.locator("#facts tr").all_inner_texts() == ["sky\t100.0 %"]
    page.keyboard.press("o")
    assert picture.get_attribute("src") == "photo.png"
    page.keyboard.press("ArrowRight")
    assert page.locator("#viewer-name").inner_text() == "00003.jpg (4 of 10,000)"
    assert picture.get_attribute("src") == "photo.png"  # the view stays
    page.locator("#facts button", has_text="boat").click()
    assert page.locator("#viewer").is_hidden()
    assert page.locator("#count").inner_text() == "4,990 of 10,000 images"


def test_keys_move_through_the_list(page):
    columns = page.evaluate("cell.columns")
    page.keyboard.press("ArrowDown")
    for key in ("ArrowRight", *["ArrowDown"] * 9):
        page.keyboard.press(key)
    focused = page.evaluate("document.activeElement.title")
    assert focused == f"{10 * columns + 1:05}.jpg"
    box = page.locator(".card:focus").bounding_box()
    assert box["y"] > 0 and box["y"] + box["height"] <= 900
    page.keyboard.press("Enter")
    assert page.locator("#viewer-name").inner_text().startswith(focused)
    for _ in range(60):
        page.keyboard.press("ArrowRight")
    page.keyboard.press("Escape")
    wait_until(page, f"document.activeElement.title === '{10 * columns + 61:05}.jpg'")
    page.keyboard.press("/")
    page.keyboard.type("o0042")  # an o in the search is a letter
    assert page.locator("#search").input_value() == "o0042" and shown_view(page) == 0


def shown_view(page):
    return page.evaluate("state.view")


def test_a_narrow_window_cuts_nothing(browser, folder):
    with open_file(browser, folder / "many.html", 340, 700, beside=folder) as page:
        assert page.evaluate("cell.columns") == 2
        assert page.evaluate("document.documentElement.scrollWidth") <= 340
        page.locator(".card").first.click()
        wait_until(page, "document.querySelector('#stage img').complete")
        assert page.evaluate("document.getElementById('viewer').scrollWidth") <= 340
        for place in ("#close", "#stage", "#facts"):
            box = page.locator(place).bounding_box()
            assert box["x"] >= 0 and box["x"] + box["width"] <= 340 and box["y"] + box["height"] <= 700


def test_colours_follow_the_system(browser, folder):
    with open_file(browser, folder / "many.html", beside=folder) as page:
        papers = []
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            papers.append(page.evaluate("getComputedStyle(document.body).backgroundColor"))
        assert papers == ["rgb(255, 255, 255)", "rgb(23, 23, 23)"]


def test_odd_names_are_text_and_their_files_are_found(browser, folder):
    name = EVIL.replace("/", "")
    for file, of in ((f"t{name}.png", "thumb.png"), (name, "overlay.png")):
        (folder / file).write_bytes((folder / of).read_bytes())
    odd = image(name, files=(name, name, None), thumbnail=f"t{name}.png")
    (folder / "odd.html").write_text(make([odd], parse_inline("<i>sky, sea"), title=name), encoding="utf-8")
    with open_file(browser, folder / "odd.html", beside=folder) as page:
        wait_until(page, "document.querySelector('.card img').naturalWidth > 0")
        assert page.locator(".card .name").evaluate("one => one.textContent") == name
        page.locator(".card").click()
        wait_until(page, "document.querySelector('#stage img')?.naturalWidth > 0")
        assert page.locator("#facts td").first.inner_text() == "<i>sky"
        assert page.locator("img[src=x], i").count() == 0


def test_a_picture_that_moved_later_is_named(browser, folder):
    gone = image("a.jpg", files=("gone photo.png", None, None), thumbnail_views=(True, False))
    (folder / "gone.html").write_text(make([gone]), encoding="utf-8")
    with open_file(browser, folder / "gone.html", beside=folder, missing=["gone%20photo.png"]) as page:
        page.locator(".card").hover()
        assert shown(page) == "photograph"
        assert page.locator(".card .tag").inner_text() == "no overlay"
        page.locator(".card").click()
        problem = page.locator("#facts .problem")
        assert problem.inner_text().startswith("gone photo.png cannot be shown. It has moved")
        assert page.locator("#stage .window").get_attribute("data-view") == "photograph"  # of the thumbnail


def test_a_page_without_classes_has_no_filters_for_them(browser, folder):
    views = (View("photograph"), View("patch, pca"), View("value, pca"))
    shot = image("a.jpg", files=("photo.png",) * 3, thumbnail_views=(True,) * 3, pixels=None, confidence=None)
    (folder / "pca.html").write_text(make([shot], None, views=views), encoding="utf-8")
    with open_file(browser, folder / "pca.html", beside=folder) as page:
        assert page.locator("#class-tools").is_hidden() and page.locator("#class-table").count() == 0
        assert page.locator("#sort option").all_inner_texts() == ["name"]
        page.select_option("#view", label="value, pca")
        assert shown(page) == "value, pca"
        page.locator(".card").click()
        for wanted in ("value, pca", "photograph", "patch, pca"):
            assert page.locator("#views [aria-pressed=true]").inner_text() == wanted
            page.keyboard.press("o")
