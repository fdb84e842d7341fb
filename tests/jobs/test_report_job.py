import numpy as np
import pytest
from PIL import Image

from densezero.errors import InputError
from densezero.jobs.evaluate import evaluate_dataset
from densezero.jobs.report import draw_report
from densezero.jobs.settings import ReportSettings
from tests.jobs.test_evaluate import root, settings  # noqa: F401  the fixture is used by name


@pytest.fixture
def measured(root, tmp_path):  # noqa: F811  pytest hands the fixture in
    evaluate_dataset(settings(root, tmp_path / "r.json"))
    return tmp_path / "r.json"


def test_a_report_becomes_three_pictures_or_one_page(measured, tmp_path):
    files = draw_report(ReportSettings(measured, tmp_path / "pictures", count=2))
    assert [file.name for file in files] == ["classes.png", "confusion.png", "images.png"]
    assert all(np.array(Image.open(file)).size > 10_000 for file in files)
    (page,) = draw_report(ReportSettings(measured, tmp_path / "page.html", count=1))
    assert page.read_text().count("data:image/png") == 3


def test_the_same_report_gives_the_same_bytes(measured, tmp_path):
    first, second = (draw_report(ReportSettings(measured, tmp_path / name)) for name in ("one", "two"))
    assert [file.read_bytes() for file in first] == [file.read_bytes() for file in second]


def test_without_its_data_set_a_report_still_gives_the_other_figures(measured, root, tmp_path):  # noqa: F811
    root.rename(tmp_path / "moved")
    with pytest.raises(InputError, match="--count 0"):
        draw_report(ReportSettings(measured, tmp_path / "out"))
    assert len(draw_report(ReportSettings(measured, tmp_path / "out", count=0))) == 2
    assert len(draw_report(ReportSettings(measured, tmp_path / "out", root=tmp_path / "moved"))) == 3


def test_other_weights_than_the_reports_are_refused(measured, tmp_path):
    text = measured.read_text()
    start = text.index('"weights_sha256": "') + len('"weights_sha256": "')
    measured.write_text(text[:start] + "f" * 64 + text[start + 64 :])
    with pytest.raises(InputError, match="weights_sha256"):
        draw_report(ReportSettings(measured, tmp_path / "out"))


def test_a_negative_count_is_refused(tmp_path):
    with pytest.raises(InputError, match="count"):
        ReportSettings(tmp_path, tmp_path, count=-1)
