import json
import re
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from densezero import __version__
from densezero.cli import main as cli
from densezero.datasets.papers import BENCHMARKS
from densezero.encoders.catalog import MODELS
from densezero.engine.presets import PROTOCOLS
from densezero.errors import DenseZeroError, DenseZeroWarning
from densezero.images.film import read_film_facts
from densezero.output.film import write_film
from densezero.pretrain.scenes import draw_scene
from tests.conftest import ROOT
from tests.datasets.devkits import draw_voc
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


def test_segment_takes_a_film_and_says_how_far_it_is(tmp_path, quick):
    film, out = tmp_path / "clip.avi", tmp_path / "out"
    write_film(film, [draw_scene((9, 1), (48, 64)).rgb] * 4, 10)
    words = ("segment", str(film), "--classes", WORDS, "--out", str(out), *quick)
    outcome = run(*words, "--video", "--smooth", "0.5", "--every", "2", "--save", "overlay,csv")
    assert outcome.exit_code == 0
    assert outcome.stdout == f"2 written, areas.csv written: {out}\n"
    assert "2/2 frames" in outcome.stderr
    assert sorted(file.name for file in (out / "labels" / "clip").iterdir()) == ["000001.png", "000003.png"]
    assert read_film_facts(out / "overlays" / "clip.mp4").rate == 5
    cut = tmp_path / "cut.avi"
    write_film(cut, [draw_scene((9, place), (48, 64)).rgb for place in range(40)], 10)
    cut.write_bytes(cut.read_bytes()[: cut.stat().st_size // 4])
    outcome = run("segment", str(cut), "--video", "--classes", WORDS, "--out", str(tmp_path / "cut"), *quick)
    assert outcome.exit_code == 1
    assert re.search(r"stopped: .*cut\.avi ends after frame \d+ of about 40", outcome.stderr)
    with pytest.raises(DenseZeroError, match="Add --video"):
        run(*words)


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
    assert [line.split()[0] for line in listed.splitlines()[::3]] == list(PROTOCOLS)
    shown = run("protocols", "show", "ovss", "--dataset", "voc21").output
    assert "ovss-voc21" in shown
    assert re.search(r"scale +65 ", shown)
    assert re.search(r"background +threshold 0.1 ", shown)
    whole = run("protocols", "show", "ovss-naclip").output
    assert re.search(r"voc21 +ovss-voc21 +window_px whole image, background threshold 0.1", whole)
    facts = json.loads(run("protocols", "show", "tips-slide", "--json").output)
    assert (facts["window_px"], facts["stride_px"], facts["templates"]) == (448, 336, "tcl9")
    assert json.loads(run("protocols", "list", "--json").output)[0]["name"] == "tips-simple"


def test_the_grid_of_pearl_is_listed_with_its_source_and_its_constants():
    listed = json.loads(run("protocols", "list", "--json").output)
    assert "arXiv 2603.21528" in {each["name"]: each["source"] for each in listed}["pearl-grid"]
    assert "Source: PEARL (arXiv 2603.21528)" in run("protocols", "list").output
    shown = run("protocols", "show", "pearl-grid").output
    for constant in (r"refine +grid ", r"refine\.cells +80", r"refine\.iterations +25"):
        assert re.search(constant, shown)
    assert json.loads(run("protocols", "show", "pearl-grid", "--json").output)["refine"]["method"] == "grid"
    assert json.loads(run("protocols", "show", "ovss", "--json").output)["refine"] is None


def test_protocols_say_what_a_refinement_does_with_them():
    assert "mean cosine takes the place of the mean softmax" in run("protocols", "show", "tips-slide").output
    assert "PAMR works at the size of the image" in run("protocols", "show", "ovss-naclip").output


@pytest.mark.parametrize("method", ["grid", "pamr"])
def test_scenes_are_refined_and_the_next_run_with_another_refinement_is_refused(tmp_path, quick, method):
    scenes = [str(ROOT / "assets" / "scenes" / name) for name in ("lake.jpg", "night.jpg")]
    words = ("segment", *scenes, "--classes", WORDS, "--out", str(tmp_path / "out"), *quick)
    assert run(*words, "--refine", method).stdout.startswith("2 written")
    record = json.loads((tmp_path / "out" / "run.json").read_text())
    assert record["request"]["protocol"]["refine"]["method"] == record["settings"]["refine"] == method
    assert run(*words, "--refine", method).stdout.startswith("0 written, 2 there already")
    with pytest.raises(DenseZeroError, match="holds results of another request"):
        run(*words)
    with pytest.raises(DenseZeroError, match=r"protocol\.refine"):
        run(*words, "--refine", {"grid": "pamr", "pamr": "grid"}[method])
    like = ("segment", *scenes, "--like", str(tmp_path / "out" / "run.json"), "--out", str(tmp_path / "again"))
    assert run(*like).exit_code == 0
    again = json.loads((tmp_path / "again" / "run.json").read_text())
    assert again["request"] == record["request"]


def test_an_unknown_refinement_has_a_suggestion(tmp_path, quick):
    with pytest.raises(DenseZeroError, match=r"one of the known names; got 'grids'\. Did you mean 'grid'"):
        run("segment", str(tmp_path), "--classes", WORDS, "--out", str(tmp_path / "o"), *quick, "--refine", "grids")


def test_an_evaluation_takes_a_refinement_and_passes_it_on_with_its_settings(tmp_path):
    draw_voc(tmp_path / "voc")
    words = ("evaluate", "voc21", "--root", str(tmp_path / "voc"), "--model", "nano", "--templates", "plain")
    first, again = str(tmp_path / "first.json"), str(tmp_path / "again.json")
    assert run(*words, "--protocol", "tips-simple", "--refine", "grid", "--out", first).exit_code == 0
    assert (
        run(
            "evaluate",
            "voc21",
            "--root",
            str(tmp_path / "voc"),
            "--like",
            first,
            "--templates",
            "plain",
            "--out",
            again,
        ).exit_code
        == 0
    )
    requests = [json.loads((tmp_path / name).read_text())["request"] for name in ("first.json", "again.json")]
    assert requests[0]["protocol"]["refine"] == {"method": "grid", "cells": 80, "iterations": 25}
    assert requests[0] == requests[1]
    assert "nano, grid" in run("table", first).output


def test_every_protocol_is_shown_for_every_benchmark():
    for name in PROTOCOLS:
        for benchmark in BENCHMARKS:
            assert f"{name} on {benchmark}" in run("protocols", "show", name, "--dataset", benchmark).output


def test_an_unknown_protocol_or_benchmark_has_a_suggestion():
    for words in (["ovs"], ["ovss", "--dataset", "voc22"]):
        outcome = CliRunner().invoke(cli.app, ["protocols", "show", *words])
        assert isinstance(outcome.exception, DenseZeroError)
        assert "Did you mean" in str(outcome.exception)


def test_an_evaluation_takes_background_words_and_passes_the_chosen_ones_on(tmp_path):
    draw_voc(tmp_path / "voc")
    words = ("evaluate", "voc21", "--root", str(tmp_path / "voc"), "--model", "nano", "--protocol", "tips-simple")
    first, again = str(tmp_path / "first.json"), str(tmp_path / "again.json")
    made = run(*words, "--background", "auto", "--out", first)
    assert made.exit_code == 0
    requests = [json.loads((tmp_path / "first.json").read_text())["request"]]
    chosen = requests[0]["protocol"]["background"]["words"]
    assert f"background: 64 words chosen: {', '.join(chosen)}\n" in made.stderr
    assert run(*words[:4], "--like", first, "--out", again).exit_code == 0
    requests.append(json.loads((tmp_path / "again.json").read_text())["request"])
    assert requests[0] == requests[1]


def test_the_confidence_is_printed_on_standard_output_also_by_a_quiet_run(tmp_path, quick):
    folder = write_scenes(tmp_path / "in", ["a.png"])
    words = ("segment", str(folder), "--classes", WORDS, *quick, "--show-confidence", "-q")
    made = run(*words, "--out", str(tmp_path / "out"))
    assert made.exit_code == 0
    assert made.stdout.startswith("confidence of 1 image, 3,072 pixels: highest softmax(cosine / ")
    dry = run(*words, "--dry-run", "--out", str(tmp_path / "dry"))
    assert "confidence of" not in dry.stdout


def test_background_and_unknown_are_options_and_the_old_one_is_gone(tmp_path, quick):
    shown = " ".join(run("segment", "--help").stdout.split())
    assert 'Words for a class called background: "wall, floor"; or auto' in shown
    assert "--background-word " not in shown
    folder = write_scenes(tmp_path / "in", ["a.png"])
    words = ("segment", str(folder), "--classes", WORDS, *quick, "--background", "wall, floor", "--unknown", "0.9")
    assert run(*words, "--out", str(tmp_path / "out")).exit_code == 0
    request = json.loads((tmp_path / "out" / "run.json").read_text())["request"]
    assert request["protocol"]["background"] == {"words": ["wall", "floor"], "threshold": 0.0, "unknown": 0.9}
    assert request["classes"][0] == "wall|floor"
    assert request["classes"][-1] == "unknown"
    like = ("segment", str(folder), "--like", str(tmp_path / "out" / "run.json"), "--out", str(tmp_path / "again"))
    assert run(*like, "--device", "cpu").exit_code == 0
    assert json.loads((tmp_path / "again" / "run.json").read_text())["request"] == request
