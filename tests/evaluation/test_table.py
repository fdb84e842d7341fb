import csv
import io
import json

import pytest
from typer.testing import CliRunner

from densezero.cli.main import app
from densezero.engine import find_protocol
from densezero.errors import InputError, ProtocolError
from densezero.evaluation.bootstrap import Interval, Measured
from densezero.evaluation.deviations import list_deviations, protocol_title
from densezero.evaluation.published import published_miou, published_rows
from densezero.evaluation.table import Cell, Row, Table, make_table, select
from densezero.evaluation.table_text import NOT_PUBLISHED, Style, format_value, rank_cells, write_table
from densezero.vocabulary import TEMPLATES, load_packaged
from tests.conftest import GOLDEN, SHARED
from tests.evaluation.reports import make_report

THEIR_NAMES = {
    "ade20k": "ade20k", "pascal-context59": "pascal_context59", "pascal-context60": "pascal_context60",
    "voc20": "voc20", "voc21": "voc21", "cityscapes": "cityscapes", "coco-stuff": "coco_stuff",
    "coco-object": "coco_object",
}  # fmt: skip
OUR_PROTOCOLS = {"simple": "tips-simple", "slide": "tips-slide"}


def table_of(*reports, **options):
    return make_table([Measured(report) for report in reports], **options)


def text_of(*reports, form="markdown", **options):
    return write_table(table_of(*reports, **options), form)


def cells_of(text):
    """The words of each line of a Markdown table, without its header."""
    return [[word.strip() for word in line[1:-1].split("|")] for line in text.splitlines()[2:] if line[:1] == "|"]


def our_protocol(row):
    if row["protocol"] == "ovss" and row["source"] == "naclip":
        return "ovss-naclip"
    return OUR_PROTOCOLS.get(row["protocol"], row["protocol"])


def reference_rows():
    """The reference as (method, model, source, our protocol, {our name of a data set: mIoU})."""
    data = json.loads((GOLDEN / "published.json").read_text(encoding="utf-8"))
    return [
        (row["method"], row.get("model"), data["sources"][row["source"]], our_protocol(row),
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
    assert ours[: len(reference_rows())] == reference_rows()


def test_the_numbers_of_training_free_methods_are_those_of_the_reference():
    file = SHARED / "reference" / "published_field.json"
    if not file.exists():
        pytest.skip("the reference is not beside this checkout")
    names = {"context59": "pascal-context59", "context60": "pascal-context60"}
    known = [
        {names.get(name, name.replace("_", "-")): miou for name, miou in row["scores"].items() if miou is not None}
        for row in json.loads(file.read_text(encoding="utf-8"))
    ]
    further = published_rows()[len(reference_rows()) :]
    assert len(further) >= 9
    for row in further:
        assert row.miou in known, row.method


@pytest.mark.parametrize("form", ["markdown", "csv", "latex"])
def test_every_published_number_stands_in_its_cell_of_the_table(form):
    table = make_table([], published=True)
    text = write_table(table, form)
    if form == "csv":
        found = [(row[0], row[1], row[3:-1]) for row in list(csv.reader(io.StringIO(text)))[1:]]
    else:
        found, protocol = [], ""
        for line in text.splitlines():
            words = line.removesuffix(r" \\").strip("| ").split(" | " if form == "markdown" else " & ")
            if "tips-" in line or "ovss" in line:
                protocol = line.strip("|* ").split("*")[0] if form == "markdown" else line.split("{")[-1].strip("}\\ ")
            elif len(words) == 9 and words[0] not in ("mIoU (%)", "---", "Method"):
                label, *numbers = (word.split("<sup>")[0].split("\\textsuperscript")[0] for word in words)
                found.append((protocol, label, [NOT_PUBLISHED if n in ("–", "--") else n for n in numbers]))
    expected = [
        (row.protocol, row.method, [str(row.miou.get(name, NOT_PUBLISHED)) for name in table.columns])
        for protocol in table.blocks
        for row in published_rows()
        if row.protocol == protocol
    ]
    assert found == expected


def test_a_cell_takes_the_number_of_its_own_protocol_and_the_most_precise_one():
    assert published_miou("tipsv2-l14", "tips-simple", "ade20k").miou["ade20k"] == 24.7
    assert published_miou("tipsv2-l14", "tips-slide", "ade20k").miou["ade20k"] == 25.06
    assert published_miou("tipsv2-l14", "tips-slide", "voc21") is None
    assert published_miou("tipsv2-b14", "tips-simple", "pascal-context60") is None
    assert published_miou("tipsv2-l14", "ovss", "ade20k") is None
    assert published_miou("nano", "tips-simple", "ade20k") is None
    assert published_miou("open_clip:ViT-B-16/openai", "ovss-clearclip", "ade20k") is None
    assert published_miou("open_clip:ViT-B-16/openai", "ovss-clearclip", "ade20k", "q-q-bare").miou["ade20k"] == 16.7


def test_a_measured_row_stands_below_the_published_ones_of_its_model_with_the_difference():
    rows = cells_of(text_of(make_report(), difference=True))
    assert [row[0].split("<sup>")[0] for row in rows] == [
        "*tips-slide*", "TIPSv2 L/14", "TIPSv2 L/14", "tipsv2-l14", "tipsv2-l14 minus published",
    ]  # fmt: skip
    assert [row[1] for row in rows] == ["", "25.1", "25.06", "55.00", "+29.94"]


def test_published_rows_are_left_away_or_all_there_on_request():
    assert len(cells_of(text_of(make_report(), published=False))) == 2
    everything = table_of(make_report(), published=True)
    assert sum(map(len, everything.blocks.values())) == len(published_rows()) + 1
    assert list(everything.blocks) == [
        "tips-simple", "tips-slide", "ovss", "ovss-naclip", "ovss-clearclip", "ovss-proxyclip",
    ]  # fmt: skip


def test_models_are_rows_data_sets_columns_and_protocols_blocks():
    voc = make_report(dataset="voc21", images=1449, request={"class_list": "voc21"})
    simple = make_report(protocol="tips-simple")
    table = table_of(voc, make_report(), simple, make_report(model="nano"), published=False)
    assert table.columns == {"ade20k": "ADE20K", "voc21": "VOC21"}
    shape = {protocol: [(row.label, list(row.cells)) for row in rows] for protocol, rows in table.blocks.items()}
    assert shape == {
        "tips-simple": [("tipsv2-l14", ["ade20k"])],
        "tips-slide": [("tipsv2-l14", ["voc21", "ade20k"]), ("nano", ["ade20k"])],
    }


def test_the_same_data_set_twice_makes_a_second_row():
    half = make_report(request={"class_list": "ade20k", "dtype": "bfloat16"})
    rows = cells_of(text_of(make_report(), half, published=False))
    assert [row[1] for row in rows] == ["", "55.00", "55.00<sup>a</sup>"]


def test_another_readout_is_another_row():
    protocol = {"templates": "tcl9", "readout": "q-q"}
    table = table_of(make_report(), make_report(request={"class_list": "ade20k", "protocol": protocol}))
    assert [row.label for row in table.blocks["tips-slide"] if row.kind == "measured"] == [
        "tipsv2-l14",
        "tipsv2-l14, q-q",
    ]


def test_own_data_has_the_name_that_was_given_or_that_of_its_folder():
    named = make_report(dataset="folder", request={"root": "/data/lakes", "name": "Alpine lakes"})
    unnamed = make_report(dataset="folder", request={"root": "/data/lakes"})
    clash = make_report(dataset="folder", request={"root": "/data/ade20k"})
    renamed = make_report(request={"class_list": "ade20k", "name": "ADE20K, cropped"})
    assert [report.title for report in (named, unnamed, clash, renamed)] == [
        "Alpine lakes", "lakes", "own ade20k", "ADE20K, cropped",
    ]  # fmt: skip
    table = table_of(named, unnamed, clash, renamed)
    assert list(table.columns.values()) == ["Alpine lakes", "lakes", "own ade20k", "ADE20K, cropped"]
    assert [row.kind for rows in table.blocks.values() for row in rows] == ["measured"]  # no published number is theirs


def test_columns_and_rows_are_chosen_ordered_and_renamed():
    voc = make_report(dataset="voc21", images=1449, request={"class_list": "voc21"})
    table = table_of(make_report(), voc, make_report(model="nano"), published=False)
    chosen = select(table, ["voc21=VOC", "ade20k"], ["nano=nano (ours)", "tipsv2-l14"])
    rows = cells_of(write_table(chosen))
    assert write_table(chosen).startswith("| mIoU (%) | VOC | ADE20K |")
    assert [row[0] for row in rows[1:]] == ["nano (ours)", "tipsv2-l14"]
    only = select(table, ["voc21"])
    assert [row.label for row in only.blocks["tips-slide"]] == ["tipsv2-l14"]
    with_difference = select(table_of(make_report(), difference=True), rows=["tipsv2-l14=ours"])
    assert [row[0] for row in cells_of(write_table(with_difference))[1:]] == ["ours", "ours minus published"]
    for options in (["voc22"], []), ([], ["nanno"]):
        with pytest.raises(InputError, match="Did you mean"):
            select(table, *options)


def rows_of(*values):
    return tuple(Row(str(place), "measured", {"x": Cell(value)}) for place, value in enumerate(values))


def test_the_best_and_second_best_are_marked_by_choice():
    table = Table({"x": "X"}, {"p": rows_of(1.0, 3.004, 2.0, 3.0)})
    rows = [row[1] for row in cells_of(write_table(table, style=Style(best=True, second=True)))[1:]]
    assert rows == ["1.00", "**3.00**", "<u>2.00</u>", "**3.00**"]
    latex = write_table(table, "latex", Style(best=True, second=True))
    assert r"\textbf{3.00}" in latex
    assert r"\underline{2.00}" in latex
    assert "**" not in write_table(table)
    assert rank_cells(rows_of(1.0), "x", 2) == {}
    assert rank_cells((*rows_of(1.0, 2.0), Row("d", "difference", {"x": Cell(9.0)})), "x", 2) == {1: 1, 0: 2}


@pytest.mark.parametrize(
    ("value", "kind", "digits", "text"),
    [(25.06, "published", 1, "25.1"), (16.45, "published", 1, "16.5"), (92.0, "published", 2, "92.0"),
     (44.4, "published", 2, "44.4"), (44.4, "measured", 3, "44.400"), (44.4, "measured", 0, "44"),
     (-0.5, "difference", 1, "-0.5"), (None, "measured", 1, "–")],
)  # fmt: skip
def test_numbers_have_the_digits_that_were_asked_for(value, kind, digits, text):
    assert format_value(Cell(value), kind, digits) == text


def test_more_digits_than_a_number_has_are_refused():
    with pytest.raises(InputError, match="0 to 6 digits; got 7"):
        Style(digits=7)


def test_an_interval_stands_in_brackets_or_in_two_columns():
    table = make_table([Measured(make_report(), Interval(54.0, 56.125))])
    assert "55.00 [54.00, 56.12]" in write_table(table)
    assert "55.0 {[}54.0, 56.1{]}" in write_table(table, "latex", Style(1))
    row = next(row for row in csv.DictReader(io.StringIO(write_table(table, "csv"))) if row["kind"] == "measured")
    assert (row["ADE20K"], row["ADE20K low"], row["ADE20K high"]) == ("55.00", "54.00", "56.12")


@pytest.mark.parametrize(
    ("request_changes", "note"),
    [
        ({"split": "train"}, "split train"),
        ({"dtype": "bfloat16"}, "computed in bfloat16"),
        ({"templates": "plain"}, "templates plain"),
        ({"templates_sha256": "0" * 64}, "templates tcl9 with other words"),
        ({"class_list": "ovss-ade20k"}, "class list ovss-ade20k"),
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
    assert list_deviations(make_report(request=usual)) == []
    assert list_deviations(make_report(request={**usual, **request_changes})) == [note]


@pytest.mark.parametrize(
    ("protocol", "class_list", "notes"),
    [("ovss", "ovss-voc21", []), ("ovss", "voc21", ["class list voc21"]), ("tips-simple", "voc21", []),
     ("tips-simple", "ovss-voc21", ["class list ovss-voc21"]), ("ovss-clearclip", "clearclip-voc21", [])],
)  # fmt: skip
def test_the_list_of_the_protocol_is_no_deviation_and_any_other_is(protocol, class_list, notes):
    report = make_report(dataset="voc21", images=1449, protocol=protocol, request={"class_list": class_list})
    assert list_deviations(report) == notes


def test_settings_of_an_older_version_are_a_deviation():
    protocol = find_protocol("tips-slide").to_json() | {"stride_px": 224}
    report = make_report(request={"class_list": "ade20k", "protocol": protocol, "templates": "tcl9"})
    assert list_deviations(report) == ["stride_px (usually 336, here 224)"]


@pytest.mark.parametrize("encoder", ["tipsv2-l14", "tips_v2_oss_l14"])
def test_weights_of_a_folder_or_a_published_pair_have_their_published_number(encoder):
    request = {"class_list": "ade20k", "encoder": encoder}
    text = text_of(make_report(model="weights/here", request=request), difference=True)
    assert "+29.94" in text
    assert "the name of the file or folder is the only evidence for the weights." in text


def test_what_the_paper_does_not_state_is_a_footnote():
    voc = make_report(dataset="voc21", protocol="tips-simple", images=1449, request={"class_list": "voc21"})
    text = text_of(voc)
    assert "44.4<sup>c</sup>" in text
    assert "<sup>b</sup> the paper does not state its resolution." in text
    assert "<sup>c</sup> the paper does not state its class names, templates or background rule here." in text


def test_what_was_not_published_says_so():
    city = make_report(dataset="cityscapes", images=500, request={"class_list": "cityscapes"})
    text = text_of(make_report(), city)
    assert "– not published." in text
    assert cells_of(text)[1][2] == "–"
    assert "not published" in text_of(make_report(), city, form="csv")


def test_nothing_scored_has_no_number():
    text = text_of(make_report(scores={"miou": None}), published=False)
    assert cells_of(text)[1] == ["tipsv2-l14", "–<sup>a</sup>"]
    assert "no pixel is scored." in text


def test_markdown_is_a_table_of_equal_rows():
    lines = [line for line in text_of(make_report(), make_report(dataset="voc20")).splitlines() if line[:1] == "|"]
    assert {line.count("|") for line in lines} == {4}
    assert lines[1] == "|---|---:|---:|"


def test_csv_is_read_back_by_a_csv_reader():
    rows = list(csv.DictReader(io.StringIO(write_table(make_table([], published=True), "csv"))))
    assert len(rows) == len(published_rows())
    assert (rows[0]["method"], rows[0]["kind"], rows[0]["ADE20K"]) == ("SigLIP2 SO/14", "published", "15.6")


def test_latex_marks_are_escaped():
    assert r"\textasciitilde{}/x\textasciicircum{}2" in text_of(make_report(model="~/x^2"), form="latex")
    text = text_of(make_report(model=r"a_b%\c{}[*]"), form="latex")
    assert r"a\_b\%\textbackslash{}c\{\}{[}{*}{]}" in text
    assert [line.count("&") for line in text.splitlines() if "textbackslash" in line] == [1]


def test_an_unknown_form_is_refused_with_the_nearest():
    with pytest.raises(ProtocolError, match="markdown"):
        write_table(table_of(make_report()), "markdwn")


def part_of(dataset, images, **request):
    return make_report(dataset=dataset, images=images, request={"class_list": dataset, **request})


@pytest.mark.parametrize(
    ("dataset", "images", "whole"),
    [("ade20k", 11, 2000), ("voc20", 48, 1449), ("voc21", 48, 1449), ("pascal-context59", 9, 5105),
     ("pascal-context60", 9, 5105), ("cityscapes", 499, 500), ("coco-stuff", 24, 5000), ("coco-object", 24, 5000)],
)  # fmt: skip
def test_a_part_of_a_split_is_marked_in_every_format(dataset, images, whole):
    said = f"{images} of {whole:,} images of {dataset}"
    reports = part_of(dataset, images), part_of(dataset, whole)
    rows = cells_of(text_of(*reports, published=False))
    assert [row[1] for row in rows] == ["", "55.00<sup>a</sup>", "55.00"]
    assert f"<sup>a</sup> {said}." in text_of(*reports, published=False)
    latex = text_of(*reports, form="latex", published=False)
    assert r" 55.00\textsuperscript{a} " in latex
    assert rf"\textsuperscript{{a}} {said}." in latex
    in_csv = list(csv.DictReader(io.StringIO(text_of(*reports, form="csv", published=False))))
    assert said in in_csv[0]["notes"]
    assert in_csv[1]["notes"] == ""


def test_either_list_of_pascal_context_is_the_whole_split():
    assert [list_deviations(part_of("pascal-context60", images)) for images in (5104, 5105)] == [[], []]


def test_rows_of_the_same_part_share_a_footnote_and_others_do_not():
    text = text_of(part_of("voc21", 48), part_of("voc21", 9), part_of("voc21", 48), published=False)
    assert [row[1].split("<sup>")[1][0] for row in cells_of(text)[1:]] == ["a", "b", "a"]
    assert "<sup>a</sup> 48 of 1,449 images of voc21.\n\n<sup>b</sup> 9 of 1,449 images of voc21.\n" in text


def test_a_part_of_an_own_folder_is_marked_where_images_were_selected():
    assert list_deviations(part_of("folder", 7, selection={"limit": 7}, root="/a/lakes")) == ["a part of lakes"]
    assert list_deviations(part_of("folder", 7)) == []


def test_a_text_of_several_lines_stays_in_its_row():
    text = text_of(make_report(model="a\nb \udce9"))
    assert "| a b \\udce9 |" in text.encode("utf-8").decode("utf-8")


def test_the_command_takes_every_option_and_gives_the_same_bytes_twice(tmp_path):
    file = tmp_path / "r.json"
    file.write_bytes(make_report().to_bytes())
    words = ["table", str(file), "--difference", "--published", "--columns", "ade20k=ADE,voc21", "--rows"]
    words += ["tipsv2-l14=ours,TIPSv2 L/14", "--digits", "1", "--best", "--second", "--format", "latex"]
    once, twice = (CliRunner().invoke(app, words) for _ in range(2))
    assert once.exit_code == 0, once.output
    assert once.output == twice.output
    assert r"ours minus published & +29.9 &  \\" in once.output
    wrong = CliRunner().invoke(app, ["table", str(file), "--interval"])
    assert isinstance(wrong.exception, InputError)
    assert "r.counts.npz; that file is missing" in str(wrong.exception)


def refined(method, **changes):
    settings = {"grid": {"method": "grid", "cells": 80, "iterations": 25}, "none": None}[method]
    protocol = {"refine": settings, **find_protocol(changes.get("protocol", "tips-slide")).to_json()}
    protocol["refine"] = settings
    return make_report(request={"class_list": "ade20k", "protocol": protocol}, **changes)


def test_another_refinement_is_another_row_and_stands_beside_no_published_number():
    table = table_of(make_report(), refined("grid"), difference=True)
    rows = [(row.label, row.kind) for row in table.blocks["tips-slide"]]
    own = [(label, kind) for label, kind in rows if kind != "published"]
    assert own == [("tipsv2-l14", "measured"), ("tipsv2-l14", "difference"), ("tipsv2-l14, grid", "measured")]
    alone = table_of(refined("grid"))
    assert [row.kind for row in alone.blocks["tips-slide"]] == ["measured"]
    assert "refine" not in " ".join(list_deviations(refined("grid")))


def test_a_preset_with_a_refinement_says_where_it_was_left_out():
    usual, without = refined("grid", protocol="pearl-grid"), refined("none", protocol="pearl-grid")
    assert [row.label for row in table_of(usual, without).blocks["pearl-grid"]] == [
        "tipsv2-l14",
        "tipsv2-l14, not refined",
    ]
    assert protocol_title(usual) == "pearl-grid"
    assert protocol_title(without) == "pearl-grid, not refined"
    assert protocol_title(refined("grid")) == "tips-slide, grid"
    assert protocol_title(make_report()) == "tips-slide"
