import json

import numpy as np
import pytest

from densezero.errors import InputError
from densezero.evaluation.report import Report, read_report, score_image
from tests.evaluation.reports import make_report


def test_a_report_comes_back_as_it_was_written(tmp_path):
    report = make_report()
    (tmp_path / "r.json").write_text(report.to_json())
    assert read_report(tmp_path / "r.json") == report


def test_the_file_holds_the_fields_that_others_read():
    values = json.loads(make_report().to_json())
    assert {"dataset", "model", "protocol", "images", "scores", "per_class", "confusion"} <= set(values)
    assert values["per_class"] == {"sky": 50.0, "sea": 60.0, "boat": None}
    assert values["scores"]["miou"] == 55.0
    assert values["confusion"] == [[2, 1, 0], [1, 3, 0], [0, 0, 0]]


def test_an_image_of_ignored_pixels_has_no_scores_and_stays_valid_json():
    score = score_image("a", np.zeros((2, 2), np.int64))
    assert (score.miou, score.pixel_accuracy) == (None, None)
    assert "NaN" not in make_report(per_image=[score]).to_json()


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"dataset": "x"}', "\x00"])
def test_what_is_no_report_is_named(tmp_path, text):
    (tmp_path / "r.json").write_text(text)
    with pytest.raises(InputError, match=r"r\.json.*Run the evaluation again"):
        read_report(tmp_path / "r.json")


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("scores", {}, "miou"),
        ("scores", [], "scores"),
        ("scores", {"miou": "high"}, "scores.miou"),
        ("request", None, "request"),
        ("images", "3", "images"),
    ],
)
def test_a_field_of_another_type_is_no_report(tmp_path, name, value, said):
    (tmp_path / "r.json").write_text(json.dumps({**json.loads(make_report().to_json()), name: value}))
    with pytest.raises(InputError, match=rf"r\.json.*{said}.*Run the evaluation again"):
        read_report(tmp_path / "r.json")


def test_a_file_name_that_is_no_text_comes_back(tmp_path):
    report = make_report(per_image=[score_image("caf\udce9 é", np.eye(2, dtype=np.int64))])
    (tmp_path / "r.json").write_bytes(report.to_bytes())
    assert read_report(tmp_path / "r.json") == report
    assert "é" in (tmp_path / "r.json").read_text(encoding="utf-8")


def test_a_report_of_before_the_words_were_kept_is_read():
    values = json.loads(make_report().to_json())
    del values["vocabulary"], values["templates"]
    assert Report.from_json(json.dumps(values)).vocabulary == {}


def test_a_missing_report_is_named(tmp_path):
    with pytest.raises(InputError, match="none"):
        read_report(tmp_path / "none.json")


def test_fields_of_a_later_version_are_left_alone():
    values = json.loads(make_report().to_json())
    assert Report.from_json(json.dumps({**values, "later": 1})) == make_report()


@pytest.mark.parametrize(
    ("number", "said"),
    [(3, "its format is 3, and .* up to 2"), ("2", "got '2'"), (0, "got 0"), (True, "got True")],
)  # fmt: skip
def test_a_report_of_another_format_is_refused(number, said):
    values = json.loads(make_report().to_json())
    with pytest.raises(InputError, match=said):
        Report.from_json(json.dumps({**values, "format": number}))


def test_a_report_of_the_first_format_is_read():
    values = json.loads(make_report().to_json())
    del values["files_sha256"]
    assert Report.from_json(json.dumps({**values, "format": 1})).files_sha256 == ""
