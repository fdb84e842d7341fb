import csv
import io
import json

import pytest

from densezero.errors import ProtocolError
from densezero.evaluation.published import published_miou, published_rows
from densezero.evaluation.table import NOT_PUBLISHED, make_cells, published_cells, set_table
from densezero.vocabulary import TEMPLATES, load_packaged
from tests.conftest import SHARED
from tests.evaluation.reports import make_report


def test_published_numbers_are_the_reference_numbers():
    file = SHARED / "reference" / "published.json"
    if not file.exists():
        pytest.skip("the reference is not beside this checkout")
    rows = json.loads(file.read_text())["rows"]
    assert [row["method"] for row in rows] == [row.method for row in published_rows()]
    for theirs, ours in zip(rows, published_rows(), strict=True):
        numbers = {name for name in theirs if name not in ("method", "model", "source", "protocol")}
        assert len(ours.miou) == len(numbers)
        assert sorted(ours.miou.values()) == sorted(theirs[name] for name in numbers)


def test_a_cell_takes_the_number_of_its_own_protocol_and_the_most_precise_one():
    assert published_miou("tipsv2-l14", "tips-simple", "ade20k").miou["ade20k"] == 24.7
    assert published_miou("tipsv2-l14", "tips-slide", "ade20k").miou["ade20k"] == 25.06
    assert published_miou("tipsv2-l14", "tips-slide", "voc21") is None
    assert published_miou("tipsv2-b14", "tips-simple", "pascal-context60") is None
    assert published_miou("tipsv2-l14", "ovss", "ade20k") is None
    assert published_miou("nano", "tips-simple", "ade20k") is None


def test_difference_and_notes_of_a_cell():
    cell = make_cells([make_report()])[0]
    assert cell.difference == pytest.approx(55 - 25.06)
    assert cell.notes == ()
    part = make_cells([make_report(request={"class_list": "ovss-ade20k", "selection": {"limit": 3}})])[0]
    assert part.notes == ("a part of the images", "class list ovss-ade20k")
    voc = make_cells([make_report(dataset="voc21", protocol="tips-simple", request={"class_list": "voc21"})])[0]
    assert voc.paper == 44.4
    assert any("does not state its class names" in note for note in voc.notes)


@pytest.mark.parametrize(
    ("request_changes", "note"),
    [
        ({"split": "train"}, "split train"),
        ({"dtype": "bfloat16"}, "computed in bfloat16"),
        ({"templates": "plain"}, "templates plain"),
        ({"templates_sha256": "0" * 64}, "templates tcl9 with other words"),
        ({"class_list_sha256": "0" * 64}, "class list ade20k with other words"),
    ],
)
def test_whatever_was_asked_for_otherwise_is_marked(request_changes, note):
    usual = {
        "split": "val",
        "selection": {},
        "dtype": "float32",
        "class_list": "ade20k",
        "class_list_sha256": load_packaged("ade20k").sha256,
        "templates": "tcl9",
        "templates_sha256": TEMPLATES["tcl9"].sha256,
        "protocol": {"templates": "tcl9"},
    }
    assert make_cells([make_report(request=usual)])[0].notes == ()
    assert make_cells([make_report(request={**usual, **request_changes})])[0].notes == (note,)


@pytest.mark.parametrize("encoder", ["tipsv2-l14", "tips_v2_oss_l14"])
def test_weights_of_a_folder_or_a_published_pair_have_their_published_number(encoder):
    request = {"class_list": "ade20k", "encoder": encoder}
    cell = make_cells([make_report(model="weights/here", request=request)])[0]
    assert cell.paper == 25.06
    assert cell.notes == ("the weights are known by the name of their file or folder only",)


def test_what_was_not_published_says_so():
    cell = make_cells([make_report(dataset="cityscapes", request={"class_list": "cityscapes"})])[0]
    assert (cell.paper, cell.difference) == (None, None)
    assert NOT_PUBLISHED in set_table([cell])


def test_markdown_is_a_table_of_equal_rows():
    lines = set_table(make_cells([make_report(), make_report(dataset="voc20")])).splitlines()
    assert len(lines) == 4
    assert {line.count("|") for line in lines} == {9}
    assert "| 25.06 | 55.00 | +29.94 |" in lines[2]


def test_a_model_with_three_dashes_is_an_ordinary_row():
    rule, row = set_table(make_cells([make_report(model="a---b")])).splitlines()[1:]
    assert set(rule) == {"|", "-"}
    assert row.startswith("| a---b | ")


def test_csv_is_read_back_by_a_csv_reader():
    rows = list(csv.DictReader(io.StringIO(set_table(published_cells(), "csv"))))
    assert len(rows) == sum(len(row.miou) for row in published_rows())
    assert (rows[0]["model"], rows[0]["data set"], rows[0]["paper"]) == ("SigLIP2 SO/14", "ade20k", "15.6")


def test_a_published_number_keeps_its_last_digit_though_it_is_a_zero():
    rows = [line.split(" | ") for line in set_table(published_cells()).splitlines()]
    assert [row[4] for row in rows if row[0].startswith("| CorrCLIP") and row[2] in ("coco-object", "voc20")] == [
        "92.0",
        "51.0",
    ]


def test_latex_marks_are_escaped():
    text = set_table(make_cells([make_report(model=r"a_b%\c{}")]), "latex")
    assert r"\textasciitilde{}/x\textasciicircum{}2" in set_table(make_cells([make_report(model="~/x^2")]), "latex")
    assert r"a\_b\%\textbackslash{}c\{\}" in text
    assert text.count("&") == 7 * 2


def test_an_unknown_form_is_refused_with_the_nearest():
    with pytest.raises(ProtocolError, match="markdown"):
        set_table([], "markdwn")
