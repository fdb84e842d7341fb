"""README's commands and code run as they stand; only the model and the photographs are swapped for what is here."""

import re
import shlex
import shutil

import pytest
from typer.testing import CliRunner

from densezero.cli.main import app
from tests.conftest import ROOT
from tests.datasets.devkits import draw_ade

README = (ROOT / "README.md").read_text(encoding="utf-8")
SHELL = [line for block in re.findall(r"```sh\n(.*?)```", README, re.S) for line in block.splitlines()]
COMMANDS = [line for line in SHELL if line.startswith("densezero ")]


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """A folder that looks like the repository to a command, and takes what the command writes."""
    shutil.copytree(ROOT / "assets", tmp_path / "assets")
    (tmp_path / "photos").mkdir()
    shutil.copy(ROOT / "assets" / "scenes" / "lake.jpg", tmp_path / "photos")
    draw_ade(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(words):
    outcome = CliRunner().invoke(app, words)
    assert outcome.exit_code == 0, outcome.output
    return outcome


def test_there_are_exactly_two_set_up_lines():
    assert len([line for line in SHELL if "pip install" in line]) == 2


def test_the_first_line_segments_every_scene(checkout):
    line = next(line for line in SHELL if "pip install -e . " in line)
    words = shlex.split(line.split("&&")[-1])
    assert words[0] == ".venv/bin/densezero"
    run([*words[1:], "--short-side", "112"])
    scenes = {file.stem for file in (ROOT / "assets" / "scenes").iterdir()}
    assert {file.stem for file in (checkout / "out" / "labels").iterdir()} == scenes
    assert {file.stem for file in (checkout / "out" / "overlays").iterdir()} == scenes


@pytest.mark.parametrize("line", COMMANDS)
def test_every_command_runs(checkout, line):
    words = shlex.split(line)[1:]
    if words[0] == "segment":
        words += ["--model", "nano", "--short-side", "56", "--templates", "plain"]
    if words[0] == "evaluate":
        words += ["--model", "nano", "--templates", "plain"]
    if words[0] in ("pca", "similarity", "features"):
        words = ["nano" if word == "tipsv2-l14" else word for word in words]
        words += ["--grid", "12"]
    if words[0] in ("table", "report"):  # they read what the line before them wrote
        evaluate = next(shlex.split(line)[1:] for line in COMMANDS if " evaluate " in line)
        run([*evaluate, "--model", "nano", "--templates", "plain"])
    run(words)


def test_the_python_examples_run(checkout):
    names = {}
    for code in re.findall(r"```python\n(.*?)```", README, re.S):
        exec(code, names)
    assert names["result"].classes.names == ("sky", "grass", "boat")
    assert names["result"].scores().shape == (3, 448, 640)
    assert names["picture"].shape == (448, 640, 3)


def test_every_picture_of_the_readme_is_there():
    pictures = re.findall(r"!\[[^]]+\]\(([^)]+)\)", README)
    assert len(pictures) == 4
    assert [file for file in pictures if not (ROOT / file).is_file()] == []


def test_every_protocol_and_model_is_in_the_readme():
    from densezero.encoders import MODELS
    from densezero.engine import PROTOCOLS

    assert [name for name in [*MODELS, *PROTOCOLS] if f"`{name}`" not in README] == []
