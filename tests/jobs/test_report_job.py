import dataclasses

import numpy as np
import pytest
from PIL import Image

from densezero.errors import InputError
from densezero.evaluation.report import read_report
from densezero.jobs.evaluate.report import draw_report
from densezero.jobs.evaluate.run import evaluate_dataset
from densezero.jobs.evaluate.settings import ReportSettings
from densezero.pretrain.concepts import CONCEPTS
from tests.jobs.photos import Recorder
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


def test_words_and_templates_of_a_file_that_has_gone_are_in_the_report(root, tmp_path):  # noqa: F811
    words, sentences = tmp_path / "mine.txt", tmp_path / "sentences.txt"
    words.write_text("".join(f"{concept.name}=some {concept.name}\n" for concept in CONCEPTS))
    sentences.write_text("a drawing of {}.\n{}\n")
    asked = settings(root, tmp_path / "r.json", vocabulary=str(words), templates=str(sentences))
    report = evaluate_dataset(asked)
    words.unlink()
    sentences.unlink()
    assert report.vocabulary["classes"][0] == {"name": "sky", "words": ["sky", "some sky"]}
    assert report.templates == ["a drawing of {}.", "{}"]
    recorder = Recorder()
    assert len(draw_report(ReportSettings(tmp_path / "r.json", tmp_path / "out"), recorder)) == 3
    assert not any("the report has" in note for note in recorder.notes)  # the same labels came out


def test_an_older_report_without_words_takes_the_packaged_ones(measured, tmp_path):
    report = dataclasses.replace(read_report(measured), vocabulary={}, templates=[])
    measured.write_bytes(report.to_bytes())
    assert len(draw_report(ReportSettings(measured, tmp_path / "out", count=1))) == 3


def test_other_weights_than_the_reports_are_refused(measured, tmp_path):
    text = measured.read_text()
    start = text.index('"weights_sha256": "') + len('"weights_sha256": "')
    measured.write_text(text[:start] + "f" * 64 + text[start + 64 :])
    with pytest.raises(InputError, match="weights_sha256"):
        draw_report(ReportSettings(measured, tmp_path / "out"))


def test_a_negative_count_is_refused(tmp_path):
    with pytest.raises(InputError, match="count"):
        ReportSettings(tmp_path, tmp_path, count=-1)
