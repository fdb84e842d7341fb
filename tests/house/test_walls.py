import ast

import pytest

from tests.conftest import ROOT
from tests.house.imports import FLOORS, Import, breaches, read_imports, room_of

PACKAGE = ROOT / "densezero"


def test_no_module_imports_from_its_own_floor_or_above():
    imports = read_imports(PACKAGE)
    assert len(imports) > 100, "the reader found too little to be believed"
    assert breaches(imports) == []


def test_every_room_has_a_floor():
    rooms = {room_of(path.relative_to(PACKAGE).as_posix()) for path in PACKAGE.rglob("*.py")}
    assert rooms - {"__init__"} <= set(FLOORS)


@pytest.mark.parametrize(
    ("file", "module"),
    [
        ("engine/segmenter.py", "densezero.jobs.segment"),
        ("images/read.py", "densezero.encoders.base"),
        ("metrics/scores.py", "torch.nn"),
        ("encoders/base.py", "densezero.vocabulary.classes"),
        ("engine/scoring.py", "PIL.Image"),
        ("output/labels.py", "pycocotools.mask"),
        ("jobs/segment.py", "densezero.cli.show"),
        ("jobs/segment.py", "typer"),
        ("engine/scoring.py", ".windows"),
    ],
)
def test_a_breach_would_be_seen(file, module):
    assert len(breaches([Import(file, module)])) >= 1


def first_statement(function):
    """The first statement after the docstring; signatures of commands are long and flat."""
    documented = ast.get_docstring(function) is not None and len(function.body) > 1
    return function.body[1 if documented else 0]


def test_files_and_functions_stay_short():
    too_long = []
    for path in PACKAGE.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        if text.count("\n") > 400:
            too_long.append(path.name)
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef) and node.end_lineno - first_statement(node).lineno >= 60:
                too_long.append(f"{path.name}:{node.name}")
    assert too_long == []


def count_lines(*files):
    return sum(file.read_text(encoding="utf-8").count("\n") for file in files)


@pytest.mark.parametrize(("room", "most"), [("engine", 1400), ("jobs", 5400)])
def test_a_room_stays_readable(room, most):
    assert 500 < count_lines(*(PACKAGE / room).rglob("*.py")) <= most


def test_the_loop_that_all_jobs_share_stays_readable():
    names = ("run", "journal", "manifest", "places", "resume", "results")
    assert 500 < count_lines(*(PACKAGE / "jobs" / f"{name}.py" for name in names)) <= 1200
