import base64
import re
from html.parser import HTMLParser

from densezero.evaluation.figure import draw_class_bars
from densezero.evaluation.page import make_page
from tests.evaluation.reports import make_report


class Text(HTMLParser):
    """The cells of the page, in order, and whether every tag was closed."""

    def __init__(self, page):
        super().__init__()
        self.open, self.cells = [], []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        if tag in ("td", "th"):
            self.cells.append("")
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] in ("td", "th"):
            self.cells[-1] += data


def following(page, name):
    cells = Text(page).cells
    return cells[cells.index(name) + 1]


def test_a_page_has_the_scores_the_classes_and_the_request():
    request = {"protocol": {"name": "tips-slide", "background": {"words": []}}, "weights_sha256": "abc", "limit": None}
    page = make_page(make_report(request=request), {})
    assert following(page, "mIoU") == "55.00 %"
    assert following(page, "sea") == "60.00 %"
    assert following(page, "boat") == "absent"
    assert following(page, "protocol.name") == "tips-slide"
    assert following(page, "protocol.background.words") == "none"
    assert following(page, "weights_sha256") == "abc"
    assert following(page, "torch") == "2"


def test_every_tag_of_a_page_is_closed():
    assert Text(make_page(make_report(), {"Bars": draw_class_bars(make_report())})).open == []


def test_the_pixels_of_a_page_are_the_figures():
    png = draw_class_bars(make_report())
    page = make_page(make_report(), {"Bars": png})
    assert base64.b64decode(re.search(r"base64,([^\"]+)", page).group(1)) == png


def test_no_text_of_a_report_becomes_markup():
    evil = '"><script>alert(1)</script><img src=x onerror=y>'
    report = make_report(
        model=evil, dataset=evil, protocol=evil, per_class={evil: 1.0, "a": 2.0, "b": None},
        request={evil: evil, "inner": {evil: [evil]}}, machine={evil: evil}, scores={evil: 1.0},
    )  # fmt: skip
    page = make_page(report, {evil: draw_class_bars(make_report())})
    assert "<script" not in page
    assert page.count("<img") == 1
    assert Text(page).open == []


def test_a_score_without_scored_pixels_says_so():
    page = make_page(make_report(scores={"miou": None}), {})
    assert following(page, "mIoU") == "no pixel is scored"


def test_the_words_and_the_sentences_they_were_set_in_are_on_the_page():
    entries = [{"name": name, "words": [name, f"a <{name}>"]} for name in ("sky", "sea", "boat")]
    report = make_report(vocabulary={"name": "mine", "classes": entries}, templates=["a & {}"])
    page = make_page(report, {})
    assert "<td>sea, a &lt;sea&gt;</td>" in page
    assert "<th>prompt templates</th><td>a &amp; {}</td>" in page
    assert Text(page).open == []
