"""Each file in ``benchmarks/tables`` runs, and prints its table beside the published rows."""

import runpy
import sys

import pytest

from densezero.evaluation.published import published_rows
from tests.conftest import ROOT
from tests.datasets.devkits import draw_voc

TABLES = ROOT / "benchmarks" / "tables"
FILES = {
    "tipsv2": {"tips-simple", "tips-slide"},
    "sclip": {"ovss"},
    "naclip": {"ovss-naclip"},
    "clearclip": {"ovss-clearclip"},
    "proxyclip": {"ovss-proxyclip"},
}


def test_every_file_is_tried():
    assert {path.stem for path in TABLES.glob("*.py")} == {*FILES, "published_table"}
    assert set.union(*FILES.values()) == {row.protocol for row in published_rows()}


@pytest.mark.parametrize("name", FILES)
def test_a_table_stands_beside_the_published_rows(name, tmp_path, monkeypatch, capsys):
    draw_voc(tmp_path)
    words = ["--root", f"voc20={tmp_path}", "--model", "nano", "--limit", "1", "--out", str(tmp_path / "out")]
    monkeypatch.setattr(sys, "argv", [f"{name}.py", *words])
    monkeypatch.syspath_prepend(TABLES)
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(TABLES / f"{name}.py"), run_name="__main__")
    printed = capsys.readouterr()
    assert ended.value.code == 0, printed.err
    lines = [line for line in printed.out.splitlines() if line.startswith("|")]
    measured = [line for line in lines if line.startswith("| nano")]
    assert measured
    assert all("<sup>" in line for line in measured)  # one of 1,449 images
    published = [row.method for row in published_rows() if row.protocol in FILES[name]]
    there = [line[2:].split("<sup>")[0] for line in lines if "<sup>" in line and "nano" not in line]
    assert sorted(there) == sorted(published)
    assert "without a --root" in printed.err


def test_a_wrong_root_is_one_sentence(tmp_path, monkeypatch, capsys):
    words = ["--root", f"voc20={tmp_path / 'none'}", "--model", "nano", "--out", str(tmp_path / "out")]
    monkeypatch.setattr(sys, "argv", ["sclip.py", *words])
    monkeypatch.syspath_prepend(TABLES)
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(TABLES / "sclip.py"), run_name="__main__")
    assert ended.value.code == 2
    assert capsys.readouterr().err.startswith("error: ")
