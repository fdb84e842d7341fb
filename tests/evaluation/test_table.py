import csv
import io
import json

import pytest

from densezero.errors import ProtocolError
from densezero.evaluation.published import published_miou, published_rows
from densezero.evaluation.table import NOT_PUBLISHED, make_cells, published_cells, set_table
from densezero.vocabulary import TEMPLATES, load_packaged
from tests.conftest import GOLDEN, SHARED
from tests.evaluation.reports import make_report

THEIR_NAMES = {
    "ade20k": "ade20k", "pascal-context59": "pascal_context59", "pascal-context60": "pascal_context60",
    "voc20": "voc20", "voc21": "voc21", "cityscapes": "cityscapes", "coco-stuff": "coco_stuff",
    "coco-object": "coco_object",
}  # fmt: skip


def reference_rows():
    """The reference as (method, model, source, protocol, {our name of a data set: mIoU})."""
    data = json.loads((GOLDEN / "published.json").read_text(encoding="utf-8"))
    return [
        (row["method"], row.get("model"), data["sources"][row["source"]], row["protocol"],
         {ours: row[theirs] for ours, theirs in THEIR_NAMES.items() if theirs in row})
        for row in data["rows"]
    ]  # fmt: skip


def test_the_golden_copy_is_the_reference():
    file = SHARED / "reference" / "published.json"
    if not file.exists():
        pytest.skip("the reference is not beside this checkout")
    assert json.loads(file.read_text()) == json.loads((GOLDEN / "published.json").read_text())


def test_every_published_number_stands_in_the_row_and_the_column_of_the_reference():
    ours = [(row.method, row.model, row.source, row.protocol, row.miou) for row in published_rows()]
    assert ours == reference_rows()


@pytest.mark.parametrize("form", ["markdown", "csv"])
def test_every_published_number_stands_in_its_cell_of_the_table(form):
    text = set_table(published_cells(), form)
    if form == "csv":
        rows = list(csv.reader(io.StringIO(text)))[1:]
    else:
        rows = [line.strip("| ").split(" | ") for line in text.splitlines()[2:]]
    found = {(row[0], row[1], row[2], row[7]): row[4] for row in rows}
    expected = {
        (method, protocol, dataset, source): str(miou)
        for method, _, source, protocol, scores in reference_rows()
        for dataset, miou in scores.items()
    }
    assert found == expected
    assert len(rows) == len(expected)


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
    other = make_cells([make_report(request={"class_list": "ovss-ade20k"})])[0]
    assert other.notes == ("class list ovss-ade20k",)
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
    assert cell.notes == ("the name of the file or folder is the only evidence for the weights",)


def test_what_was_not_published_says_so():
    cell = make_cells([make_report(dataset="cityscapes", request={"class_list": "cityscapes"})])[0]
    assert (cell.paper, cell.difference) == (None, None)
    assert NOT_PUBLISHED in set_table([cell])


def test_markdown_is_a_table_of_equal_rows():
    lines = set_table(make_cells([make_report(), make_report(dataset="voc20", images=1449)])).splitlines()
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


def part_of(dataset, images, **request):
    return make_report(dataset=dataset, images=images, request={"class_list": dataset, **request})


@pytest.mark.parametrize(
    ("dataset", "images", "whole"),
    [("ade20k", 11, 2000), ("voc20", 48, 1449), ("voc21", 48, 1449), ("pascal-context59", 9, 5105),
     ("pascal-context60", 9, 5105), ("cityscapes", 499, 500), ("coco-stuff", 24, 5000), ("coco-object", 24, 5000)],
)  # fmt: skip
def test_a_part_of_a_split_is_marked_in_every_format(dataset, images, whole):
    said = f"{images} of {whole:,} images of {dataset}"
    cells = make_cells([part_of(dataset, images), part_of(dataset, whole)])
    lines = set_table(cells).splitlines()
    assert " 55.00<sup>a</sup> " in lines[2]
    assert "<sup>" not in lines[3]
    assert lines[4:] == ["", f"<sup>a</sup> {said}."]
    latex = set_table(cells, "latex")
    assert r" 55.00\textsuperscript{a} " in latex
    assert latex.count("superscript") == 2
    assert latex.endswith(rf"\par{{\footnotesize \textsuperscript{{a}} {said}.\par}}" + "\n")
    rows = list(csv.DictReader(io.StringIO(set_table(cells, "csv"))))
    assert (rows[0]["images"], rows[0]["measured"]) == (str(images), "55.00")
    assert rows[0]["notes"].split("; ")[0] == said
    assert said not in rows[1]["notes"]


def test_either_list_of_pascal_context_is_the_whole_split():
    assert [make_cells([part_of("pascal-context60", images)])[0].part for images in (5104, 5105)] == ["", ""]


def test_rows_of_the_same_part_share_a_footnote_and_others_do_not():
    text = set_table(make_cells([part_of("voc21", 48), part_of("voc21", 9), part_of("voc21", 48)]))
    marks = [line.split("</sup>")[0].split("<sup>")[1] for line in text.splitlines()[2:5]]
    assert marks == ["a", "b", "a"]
    assert text.endswith("<sup>a</sup> 48 of 1,449 images of voc21.\n\n<sup>b</sup> 9 of 1,449 images of voc21.\n")


def test_a_part_of_an_own_folder_is_marked_where_images_were_selected():
    assert make_cells([part_of("folder", 7, selection={"limit": 7})])[0].part == "a part of folder"
    assert make_cells([part_of("folder", 7)])[0].part == ""


def test_a_text_of_several_lines_stays_in_its_row():
    text = set_table(make_cells([make_report(model="a\nb \udce9")]))
    assert "| a b \\udce9 |" in text.encode("utf-8").decode("utf-8")
