"""The published numbers of the field: every one is the reference's, and stands in its cell."""

import csv
import io
import json

import pytest
from typer.testing import CliRunner

from densezero.cli.main import app
from densezero.evaluation.bootstrap import Measured
from densezero.evaluation.published import COLUMNS, published_rows
from densezero.evaluation.published_field import MARKS, field_rows
from densezero.evaluation.table import make_table, select
from densezero.evaluation.table_text import NOT_PUBLISHED, write_table
from tests.conftest import ROOT, SHARED
from tests.evaluation.reports import make_report

FILE = ROOT / "densezero" / "evaluation" / "data" / "published_field.json"
OUR_NAMES = {"context59": "pascal-context59", "context60": "pascal-context60"}


def run(*words):
    return CliRunner().invoke(app, list(words))


def test_the_data_file_is_the_reference_but_for_notes_on_our_own_files():
    file = SHARED / "reference" / "published_field.json"
    if not file.exists():
        pytest.skip("the reference is not beside this checkout")
    ours = json.loads(FILE.read_text(encoding="utf-8"))["rows"]
    theirs = json.loads(file.read_text(encoding="utf-8"))
    assert len(ours) == len(theirs) == 64
    for row, reference in zip(ours, theirs, strict=True):
        for name in ("method", "backbone", "extra", "year", "source", "seen"):
            assert row.get(name) == reference.get(name), row["method"]
        assert row["scores"] == {name: miou for name, miou in reference["scores"].items() if miou is not None}
        assert ("note" in row) == (reference.get("note") is not None)


def test_a_row_has_its_label_its_source_its_mark_and_its_numbers():
    rows = {row.label: row for row in field_rows()}
    assert len(rows) == 64, "labels differ, so that each row can be chosen"
    assert not [label for label in rows if "," in label], "a comma parts rows on the command line"
    trident = rows["Trident (OpenCLIP ViT-H/14)"]
    assert trident.source == "YuHengsss/Trident assets/data_result.png (a93b346)"
    assert trident.mark == "primary"
    assert trident.notes == ("also uses DINO, and SAM ViT-B (encoder and prompts)",)
    assert trident.miou == {
        "ade20k": 26.7, "pascal-context59": 44.3, "pascal-context60": 40.1, "voc20": 88.7, "voc21": 70.8,
        "cityscapes": 47.6, "coco-stuff": 28.6, "coco-object": 42.2,
    }  # fmt: skip
    assert rows["CorrCLIP (MetaCLIP ViT-L/14) with masks of SAM2 (8) and DINO ViT-B/8"].miou["voc21"] == 76.2
    assert rows["GEM (CLIP ViT-B/16)"].miou == {"voc21": 46.2, "coco-stuff": 15.7}
    assert rows["GEM (CLIP ViT-B/16)"].mark == "secondary"


def test_every_number_stands_in_its_cell_with_source_and_mark():
    table = make_table([], published_field=True)
    assert list(table.columns) == list(COLUMNS)
    rows = list(csv.DictReader(io.StringIO(write_table(table, "csv"))))
    found = {row["method"]: row for row in rows}
    assert len(found) == len(rows) == len(field_rows())
    for row in field_rows():
        line = found[row.label]
        assert line["protocol"] == f"field, {row.mark}"
        assert f"published: {row.source}; {MARKS[row.mark]}" in line["notes"]
        numbers = {name: str(row.miou.get(name, NOT_PUBLISHED)) for name in COLUMNS}
        assert numbers == {name: line[table.columns[name]] for name in COLUMNS}


def test_primary_rows_are_one_block_and_secondary_rows_another():
    blocks = make_table([], published_field=True).blocks
    assert {name: len(rows) for name, rows in blocks.items()} == {"field, primary": 39, "field, secondary": 25}


def test_the_papers_rows_stay_as_they_are_and_both_can_be_asked_for():
    papers, both = make_table([], published=True), make_table([], published=True, published_field=True)
    assert sum(map(len, papers.blocks.values())) == len(published_rows())
    assert {name: both.blocks[name] for name in papers.blocks} == papers.blocks
    assert list(both.blocks)[-2:] == ["field, primary", "field, secondary"]


def test_a_report_stands_beside_the_field():
    table = make_table([Measured(make_report())], published_field=True)
    assert table.columns["voc21"] == "VOC21"
    assert [row.kind for row in table.blocks["tips-slide"]] == ["published", "published", "measured"]
    own = make_table([Measured(make_report(protocol="tips-simple"))])  # its published row has four columns
    assert list(own.columns) == ["ade20k"]
    assert "field, primary" not in own.blocks


def test_a_row_of_the_field_is_chosen_and_renamed():
    chosen = select(make_table([], published_field=True), ["voc21"], ["Trident (CLIP ViT-B/16)=Trident"])
    assert [(row.label, row.cells["voc21"].value) for row in chosen.blocks["field, primary"]] == [("Trident", 67.1)]


def test_the_command_prints_the_field_on_demand():
    outcome = run("table", "--published-field", "--columns", "ade20k", "--rows", "Trident (CLIP ViT-B/16)")
    assert outcome.exit_code == 0
    assert "| Trident (CLIP ViT-B/16)<sup>a,b,c</sup> | 21.9 |" in outcome.stdout
    assert "primary: printed by the authors of the method" in outcome.stdout
    assert "field" not in run("table", "--published").stdout
    nothing = run("table")
    assert "--published-field" in str(nothing.exception)
