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
        ("scores", {"miou": "high"}, "scores to be percentages"),
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
    [(3, "its format is 3, and .* up to 2; a newer version wrote it"), ("2", "got '2'"), (0, "got 0"),
     (-1, "got -1"), (True, "got True"), (None, "got None"), (2.0, r"got 2\.0"), ([2], "got a list"),
     (10**300, "from 1 to 2")],
)  # fmt: skip
def test_a_report_of_another_format_is_refused(number, said):
    values = json.loads(make_report().to_json())
    with pytest.raises(InputError, match=said):
        Report.from_json(json.dumps({**values, "format": number}))


def test_a_report_without_a_format_is_refused():
    values = json.loads(make_report().to_json())
    del values["format"]
    with pytest.raises(InputError, match="the field format is missing"):
        Report.from_json(json.dumps(values))


REQUIRED = ("dataset", "model", "protocol", "images", "scores", "per_class", "confusion", "per_image", "request",
            "machine", "seconds")  # fmt: skip


@pytest.mark.parametrize("name", REQUIRED)
def test_a_missing_field_is_named(name):
    values = json.loads(make_report().to_json())
    del values[name]
    with pytest.raises(InputError, match=f"the field {name} is missing"):
        Report.from_json(json.dumps(values))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("dataset", 1), ("model", None), ("protocol", ["x"]),
        ("images", -1), ("images", 2.5), ("images", True), ("images", 10**40),
        ("scores", {"miou": 101}), ("scores", {"miou": -1}), ("scores", {"miou": True}), ("scores", {"miou": [1]}),
        ("scores", {"miou": 1.0, "other": "x"}),
        ("per_class", {"sky": "x", "sea": 1.0, "boat": 1.0}), ("per_class", {}),
        ("per_class", []),
        ("confusion", [[1, 2, 3]]), ("confusion", []),
        ("confusion", [[1, 2], [3, 4]]), ("confusion", [[0] * 3, [0] * 3, [0] * 2]),
        ("confusion", [[0.5] * 3] * 3), ("confusion", [[-1] * 3] * 3), ("confusion", [[2**62] * 3] * 3),
        ("confusion", [[10**40] * 3] * 3), ("confusion", [3, 3, 3]), ("confusion", None),
        ("per_image", {}), ("per_image", [1]), ("per_image", [{"name": "a"}]),
        ("per_image", [{"name": 1, "miou": 1.0, "pixel_accuracy": 1.0}]),
        ("per_image", [{"name": "a", "miou": "x", "pixel_accuracy": 1.0}]),
        ("request", []), ("machine", "x"), ("seconds", {"read": "x"}), ("seconds", {"read": -1}),
        ("vocabulary", []), ("vocabulary", {"classes": 3}), ("vocabulary", {"classes": [{"name": "sky"}]}),
        ("vocabulary", {"classes": [{"words": [1]}] * 3}), ("vocabulary", {"classes": [{"words": ["sky"]}]}),
        ("templates", "a {}"), ("templates", [1]), ("files_sha256", 5),
    ],
)  # fmt: skip
def test_a_field_with_an_impossible_value_is_named_in_one_sentence(name, value):
    values = {**json.loads(make_report().to_json()), name: value}
    with pytest.raises(InputError, match=rf"be read as one: expected (the )?{name} (matrix )?to (be|have|hold)"):
        Report.from_json(json.dumps(values))


@pytest.mark.parametrize("constant", ["NaN", "Infinity", "-Infinity", "1e999"])
@pytest.mark.parametrize("place", ['"miou": 55.0', '"segment": 1.0', '"sea": 60.0'])
def test_a_number_that_is_not_finite_is_refused(constant, place):
    text = make_report().to_json()
    assert place in text
    with pytest.raises(InputError, match="cannot be read as one: expected"):
        Report.from_json(text.replace(place, f"{place.split()[0]} {constant}"))


def test_a_report_of_the_first_format_is_read():
    values = json.loads(make_report().to_json())
    del values["files_sha256"]
    assert Report.from_json(json.dumps({**values, "format": 1})).files_sha256 == ""
