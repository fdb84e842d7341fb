import dataclasses
import hashlib

import numpy as np
import pytest
from PIL import Image

from densezero.cli.report import report as report_command
from densezero.errors import InputError, OutputError
from densezero.evaluation.report import read_report
from densezero.jobs.evaluate.report import MOST_IMAGES, draw_report
from densezero.jobs.evaluate.run import evaluate_dataset
from densezero.jobs.evaluate.settings import ReportSettings
from tests.jobs.photos import Recorder
from tests.jobs.test_evaluate import root, settings  # noqa: F401  the fixture is used by name


@pytest.fixture
def measured(root, tmp_path):  # noqa: F811  pytest hands the fixture in
    evaluate_dataset(settings(root, tmp_path / "r.json"))
    return tmp_path / "r.json"


def change(file, **changes):
    """Write the report with other values in it, or in its request."""
    report = read_report(file)
    request = {**report.request, **changes.pop("request", {})}
    file.write_text(dataclasses.replace(report, request=request, **changes).to_json())


@pytest.mark.parametrize("name", ["class_list_sha256", "templates_sha256", "weights_sha256"])
def test_other_words_and_weights_than_the_reports_are_refused(measured, tmp_path, name):
    change(measured, request={name: hashlib.sha256(b"other").hexdigest()})
    with pytest.raises(InputError, match=f"{name}.*--count 0"):
        draw_report(ReportSettings(measured, tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_templates_that_were_a_file_are_named(measured, tmp_path):
    change(measured, request={"templates": "mine"}, templates=[])  # as reports were before they kept the sentences
    with pytest.raises(InputError, match="mine"):
        draw_report(ReportSettings(measured, tmp_path / "out"))


def test_a_request_that_says_too_little_is_refused(measured, tmp_path):
    report = read_report(measured)
    del report.request["dtype"]
    measured.write_text(report.to_json())
    with pytest.raises(InputError, match="dtype"):
        draw_report(ReportSettings(measured, tmp_path / "out"))


def test_an_image_that_has_gone_is_named(measured, root, tmp_path):  # noqa: F811
    best = max(read_report(measured).per_image, key=lambda score: score.miou).name
    for kind in ("images", "labels"):
        (root / kind / f"{best}.png").unlink()
    with pytest.raises(InputError, match=best):
        draw_report(ReportSettings(measured, tmp_path / "out", count=1))


def test_a_label_that_has_changed_is_noted(measured, root, tmp_path):  # noqa: F811
    best = max(read_report(measured).per_image, key=lambda score: score.miou).name
    Image.fromarray(np.zeros((56, 70), np.uint8)).save(root / "labels" / f"{best}.png")
    recorder = Recorder()
    draw_report(ReportSettings(measured, tmp_path / "out", count=1), recorder)
    assert [best in note for note in recorder.notes if "the report has" in note] == [True]
    assert len(recorder.images) == 2


def test_counts_that_do_not_fit_the_classes_are_refused(measured, tmp_path):
    change(measured, confusion=[[1, 2], [3]])
    with pytest.raises(InputError, match="confusion matrix"):
        draw_report(ReportSettings(measured, tmp_path / "out", count=0))


def test_words_that_do_not_fit_the_classes_are_refused(measured, tmp_path):
    change(measured, vocabulary={"name": "mine", "classes": [{"name": "sky"}]})
    with pytest.raises(InputError, match="vocabulary"):
        draw_report(ReportSettings(measured, tmp_path / "out.html", count=0))


def test_more_images_than_a_figure_holds_are_refused(measured, tmp_path):
    with pytest.raises(InputError, match=str(MOST_IMAGES)):
        draw_report(ReportSettings(measured, tmp_path / "out", count=MOST_IMAGES + 1))


def test_an_output_that_cannot_be_is_refused_before_the_report_is_read(tmp_path):
    (tmp_path / "page.html").mkdir()
    (tmp_path / "file").write_text("x")
    for out in ("page.html", "bars.png", "file"):
        with pytest.raises(OutputError, match=out):
            draw_report(ReportSettings(tmp_path / "none.json", tmp_path / out))


def test_the_command_says_what_it_wrote(measured, tmp_path, capsys):
    report_command(measured, tmp_path / "out.html", count=0)
    assert capsys.readouterr().out == f"{tmp_path / 'out.html'}\n"
