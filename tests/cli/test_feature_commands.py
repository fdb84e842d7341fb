import sys

import pytest

from densezero.cli import main as cli
from tests.cli.test_commands import run
from tests.jobs.photos import write_scenes

QUICK = ("--model", "nano", "--grid", "10", "--dtype", "float32")


@pytest.fixture
def photos(tmp_path):
    return write_scenes(tmp_path / "in", ["a.png", "b.png"])


def test_each_command_says_what_it_wrote(photos, tmp_path):
    out = tmp_path / "pictures"
    assert run("pca", str(photos), "--out", str(out), *QUICK).stdout == f"2 written: {out}\n"
    figure = tmp_path / "figure.svg"
    words = ("--readout", "patch", "--readout", "q-q", "--align", "--foreground", "--upsample", "guided")
    assert run("pca", str(photos), "--out", str(figure), *words, *QUICK).stdout == f"2 written: {figure}\n"
    heat = tmp_path / "heat.png"
    asked = ("--text", "sky", "--point", "3,4.5", "--each")
    assert run("similarity", str(photos / "a.png"), *asked, "--out", str(heat), *QUICK).stdout == f"{heat}\n"
    grids = tmp_path / "grids"
    assert run("features", str(photos), "--out", str(grids), *QUICK).stdout == f"2 written: {grids}\n"


def test_a_broken_file_gives_status_one(photos, tmp_path):
    (photos / "broken.png").write_text("x")
    for out in ("pictures", "figure.png"):
        outcome = run("pca", str(photos), "--out", str(tmp_path / out), *QUICK)
        assert outcome.exit_code == 1
        assert "broken.png" in outcome.stderr
        assert "2 written, 1 failed" in outcome.stdout
    assert run("features", str(photos), "--out", str(tmp_path / "grids"), *QUICK).exit_code == 1


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("similarity", "a.png", "--point", "3;4"), "Expected --point as X,Y"),
        (("similarity", "a.png"), "got neither"),
        (("pca", "in", "--show", "pcaa"), "Did you mean 'pca'"),
        (("pca", "in", "--grid", "1"), "more patches than components"),
        (("pca", "in", "--basis", "x"), "together, each or a file"),
        (("features", "in", "--format", "npy"), "Did you mean 'npz'"),
    ],
)
def test_a_wrong_request_is_one_sentence_and_status_two(photos, tmp_path, monkeypatch, capsys, words, says):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["densezero", *words, "--out", "x.png", "--model", "nano"])
    with pytest.raises(SystemExit) as end:
        cli.main()
    assert end.value.code == 2
    message = capsys.readouterr().err
    assert says in message
    assert "Traceback" not in message
