"""LaTeX compiles every table without errors and without a line that is too wide."""

import pytest

from densezero.evaluation.bootstrap import Interval, Measured
from densezero.evaluation.table import make_table
from densezero.evaluation.table_text import Style, write_table
from tests.evaluation.compile_table import compile_tables, is_installed
from tests.evaluation.reports import make_report

pytestmark = pytest.mark.skipif(not is_installed(), reason="pdflatex is not installed (texlive-latex-recommended)")


def test_tables_of_every_kind_compile(tmp_path):
    odd = make_report(model='[a_b]*%$#&~^\\{}<>|"', dataset="folder", request={"root": "/x/100 % & more_"})
    part = make_report(dataset="voc21", images=4, request={"class_list": "voc21", "dtype": "bfloat16"})
    measured = [Measured(make_report(), Interval(50.0, 60.0)), Measured(odd), Measured(part)]
    tables = [
        make_table([], published=True),
        make_table(measured, difference=True),
        make_table(measured, published=True, difference=True),
        make_table([Measured(odd)], published=False),
    ]
    log = compile_tables(
        [write_table(table, "latex", Style(1, best=True, second=True)) for table in tables],
        tmp_path / "t.pdf",
        width_mm=340,
    )
    assert (tmp_path / "t.pdf").read_bytes().startswith(b"%PDF")
    assert "Overfull" not in log


def test_a_table_that_does_not_compile_would_be_seen(tmp_path):
    with pytest.raises(RuntimeError, match="Undefined control sequence"):
        compile_tables([r"\nothing"], tmp_path / "t.pdf")
