import json
import re
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from densezero import __version__
from densezero.cli import main as cli
from densezero.encoders.catalog import MODELS
from densezero.engine.papers import BENCHMARKS
from densezero.engine.presets import PROTOCOLS
from densezero.errors import DenseZeroError, DenseZeroWarning
from tests.jobs.photos import write_scenes

WORDS = "sky, grass, sea, house=home|cottage"


def run(*words):
    """Run the command line in this process, errors and exit status as a shell would see them."""
    outcome = CliRunner().invoke(cli.app, list(words))
    if outcome.exception is not None and not isinstance(outcome.exception, SystemExit):
        raise outcome.exception
    return outcome


@pytest.fixture
def quick():
    """Options that make a run of nano quick."""
    return ("--model", "nano", "--templates", "plain", "--short-side", "56", "--dtype", "float32")


def test_segment_says_what_was_written_and_ends_with_status_zero(tmp_path, quick):
    folder = write_scenes(tmp_path / "in", ["a.png", "b.png"])
    outcome = run("segment", str(folder), "--classes", WORDS, "--out", str(tmp_path / "out"), *quick)
    assert outcome.exit_code == 0
    assert outcome.stdout == f"2 written: {tmp_path / 'out'}\n"
    assert "note: nano is a tiny model" in outcome.stderr
    assert "2/2 images" in outcome.stderr
    assert (tmp_path / "out" / "labels" / "b.png").exists()


def test_a_broken_file_gives_status_one_and_its_name_on_standard_error(tmp_path, quick):
    folder = write_scenes(tmp_path / "in", ["a.png"])
    (folder / "broken.jpg").write_text("x")
    outcome = run("segment", str(folder), "--classes", WORDS, "--out", str(tmp_path / "out"), *quick)
    assert outcome.exit_code == 1
    assert "broken.jpg" in outcome.stderr
    assert "1 written, 1 failed" in outcome.stdout


def test_a_second_run_says_what_was_there_already(tmp_path, quick):
    folder = write_scenes(tmp_path / "in", ["a.png"])
    words = ("segment", str(folder), "--classes", WORDS, "--out", str(tmp_path / "out"), *quick)
    run(*words)
    assert "0 written, 1 there already" in run(*words).stdout
    assert run(*words, "--overwrite").stdout.startswith("1 written")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--classes", WORDS, "--model", "nanoo"), "Did you mean 'nano'"),
        (("--classes", WORDS, "--model", "nano", "--protocol", "ovs"), "Did you mean 'ovss'"),
        (("--vocabulary", "cityscape", "--model", "nano"), "cityscapes"),
        (("--classes", "", "--model", "nano"), "class"),
        (("--model", "nano"), "--vocabulary"),
    ],
)
def test_a_wrong_request_is_one_sentence_and_status_two(tmp_path, monkeypatch, capsys, words, says):
    folder = write_scenes(tmp_path / "in", ["a.png"])
    line = ["densezero", "segment", str(folder), "--out", str(tmp_path / "out"), *words]
    monkeypatch.setattr(sys, "argv", line)
    with pytest.raises(SystemExit) as end:
        cli.main()
    assert end.value.code == 2
    message = capsys.readouterr().err
    assert message.startswith("error: ")
    assert says in message
    assert "Traceback" not in message


def test_an_interrupt_before_the_work_ends_quietly(monkeypatch, capsys):
    def interrupted(prog_name):
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "app", interrupted)
    with pytest.raises(SystemExit) as end:
        cli.main()
    assert end.value.code == 130
    assert capsys.readouterr().err == "interrupted; run the same command again to go on\n"


def test_version_and_lists():
    assert run("--version").stdout == f"densezero {__version__}\n"
    listed = run("models", "list").stdout
    assert all(name in listed for name in MODELS)
    lists = run("vocabularies", "list").stdout
    assert "ade20k" in lists
    assert "150 classes" in lists
    shown = run("vocabularies", "show", "ovss-voc21").stdout.splitlines()
    assert shown[0].split()[:2] == ["0", "background"]
    assert "mountain" in shown[0]
    assert len(shown) == 21


def test_models_info_describes_without_downloading():
    assert "there is nothing to download" in run("models", "download", "nano").stdout
    nano = run("models", "info", "nano").stdout
    assert "14 px" in nano
    assert "here         yes" in nano
    large = run("models", "info", "tipsv2-l14").stdout
    assert "google/tipsv2-l14" in large
    assert "here         no" in large


def test_weights_that_are_files_say_where_to_put_them(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["densezero", "models", "download", "tips-b14"])
    with pytest.raises(SystemExit):
        cli.main()
    assert "tips_oss_b14_highres_distilled_vision.npz" in capsys.readouterr().err


def test_the_package_run_as_a_module_names_itself_densezero_in_its_usage_line():
    done = subprocess.run([sys.executable, "-m", "densezero", "segment"], capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.startswith("Usage: densezero segment [OPTIONS] ")


def test_the_package_run_as_a_module_segments(tmp_path):
    folder = write_scenes(tmp_path / "in", ["a.png"])
    command = [sys.executable, "-m", "densezero", "segment", str(folder), "-c", WORDS]
    done = subprocess.run([*command, "--model", "nano", "-o", str(tmp_path / "out")], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, f"1 written: {tmp_path / 'out'}\n"), done.stderr
    assert "Warning" not in done.stderr


def test_models_of_other_libraries_are_listed_by_the_form_of_their_names():
    listed = run("models", "list").stdout
    for part in ("open_clip:MODEL/TAG", "open_clip:ViT-B-16/openai", "timm:MODEL", "timm:vit_small_patch14_dinov2"):
        assert part in listed
    assert "there is nothing to download" in run("models", "download", "open_clip:ViT-B-32/random").stdout


def test_a_warning_of_ours_is_a_note_and_others_are_passed_on(capsys, monkeypatch):
    passed_on = []
    monkeypatch.setattr("densezero.cli.main._show_warning_of_python", lambda *given: passed_on.append(given))
    cli.show_warning(DenseZeroWarning("The memory is small."), DenseZeroWarning, "file.py", 1)
    cli.show_warning(UserWarning("another"), UserWarning, "file.py", 1)
    assert capsys.readouterr().err == "note: The memory is small.\n"
    assert [category for _, category, *_ in passed_on] == [UserWarning]


def test_protocols_are_listed_and_shown_with_their_constants():
    listed = run("protocols", "list").output
    assert [line.split()[0] for line in listed.splitlines()[::2]] == list(PROTOCOLS)
    shown = run("protocols", "show", "ovss", "--dataset", "voc21").output
    assert "ovss-voc21" in shown
    assert re.search(r"scale +65 ", shown)
    assert re.search(r"background +threshold 0.1 ", shown)
    whole = run("protocols", "show", "ovss-naclip").output
    assert re.search(r"voc21 +ovss-voc21 +window_px whole image, background threshold 0.1", whole)
    facts = json.loads(run("protocols", "show", "tips-slide", "--json").output)
    assert (facts["window_px"], facts["stride_px"], facts["templates"]) == (448, 336, "tcl9")
    assert json.loads(run("protocols", "list", "--json").output)[0]["name"] == "tips-simple"


def test_every_protocol_is_shown_for_every_benchmark():
    for name in PROTOCOLS:
        for benchmark in BENCHMARKS:
            assert f"{name} on {benchmark}" in run("protocols", "show", name, "--dataset", benchmark).output


def test_an_unknown_protocol_or_benchmark_has_a_suggestion():
    for words in (["ovs"], ["ovss", "--dataset", "voc22"]):
        outcome = CliRunner().invoke(cli.app, ["protocols", "show", *words])
        assert isinstance(outcome.exception, DenseZeroError)
        assert "Did you mean" in str(outcome.exception)
