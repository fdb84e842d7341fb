"""Options that several commands share: lists, choices, settings of an earlier run, quiet and verbose runs, JSON."""

import inspect
import json
import os
import shlex
from dataclasses import fields
from pathlib import Path

import pytest
from typer.testing import CliRunner

from densezero.cli import main as cli
from densezero.cli.like import NOT_TAKEN, OPTION_OF
from densezero.cli.options import split_names, starting_with
from densezero.errors import DenseZeroError, InputError, OutputError
from densezero.features.choices import FigureStyle, GridChoice
from densezero.jobs.features.settings import FeaturesSettings, PcaSettings
from densezero.jobs.heads.settings import MapSettings
from densezero.jobs.settings import SegmentSettings
from densezero.output import run_files
from densezero.output.formats import ALIASES, IMAGE_FORMATS, LAYOUTS, MASK_FORMATS, NAMES, RUN_FORMATS, run_files_of
from densezero.output.image_files import FORMATS
from densezero.output.writer import plan_outputs
from tests.cli.test_commands import run
from tests.jobs.photos import write_scenes

NANO = ("--model", "nano", "--device", "cpu")
SEGMENT = ("--classes", "sky, grass, house=home", "--templates", "plain", "--short-side", "56")


@pytest.fixture
def folder(tmp_path):
    return write_scenes(tmp_path / "in", ["a.png", "b.png"])


def test_names_come_in_several_options_or_with_commas():
    assert split_names(["labels,csv", " coco", "labels"]) == ("labels", "csv", "coco")
    assert split_names([], ("pca",)) == split_names(None, ("pca",)) == ("pca",)


def test_the_shell_completes_a_name_and_the_last_of_a_list():
    complete = starting_with(("csv", "csv-wide", "coco"))
    assert complete("cs") == ["csv", "csv-wide"]
    assert complete("coco,cs") == ["coco,csv", "coco,csv-wide"]


def test_the_formats_that_help_names_are_those_that_can_be_written():
    assert tuple(FORMATS) == IMAGE_FORMATS
    assert len({*NAMES}) == len(NAMES) == len(IMAGE_FORMATS) + len(RUN_FORMATS) + len(LAYOUTS)
    assert {file for name in NAMES for file in run_files_of(name)} == {*run_files._WRITERS}
    assert {*ALIASES.values()} <= {*NAMES}


def test_every_format_is_described_and_its_files_are_named():
    listed = run("formats", "list").stdout.splitlines()
    assert [line.split()[0] for line in listed[::3]] == list(NAMES)
    assert {len(line) - len(line.lstrip()) for line in (*listed[1::3], *listed[2::3])} == {16}
    described = json.loads(run("formats", "list", "--json").stdout)
    assert [text["name"] for text in described] == list(NAMES)
    plan = plan_outputs(["NAME.png"], NAMES)
    for text in described:
        named = text["files"].split(", ")
        files = [*plan.files_of(text["name"], "NAME.png"), *run_files_of(text["name"])]
        assert all(any(file.startswith(each) for each in (*named, f"{text['name']}/NAME.png")) for file in files), text
        assert all(any(file.startswith(each) for file in files) for each in named), text
        assert ("Also writes coco.json" in text["what"]) == (text["name"] in MASK_FORMATS)


def test_lists_and_tables_are_written_and_named(tmp_path, folder):
    words = ("segment", folder, *NANO, *SEGMENT, "--save", "labels,csv", "--save", "coco", "--out", tmp_path / "out")
    outcome = run(*map(str, words))
    assert outcome.stdout == f"2 written, areas.csv and coco.json written: {tmp_path / 'out'}\n"
    assert "3 classes: sky, grass, house (+1 synonym)\n" in outcome.stderr
    outcome = run(*map(str, words), "--save", "voc", "--save", "coco-panoptic")
    assert outcome.stdout == f"2 written, areas.csv, coco.json, panoptic.json and voc written: {tmp_path / 'out'}\n"


@pytest.mark.parametrize(
    ("words", "kind", "said"),
    [
        (("segment", "in", "--classes", "sky", "--out", "o", "--dtype", "float23"), InputError, "mean 'float32'"),
        (("segment", "in", "--classes", "sky", "--out", "o", "--protocol", "tip-slide"), InputError, "'tips-slide'"),
        (("pca", "in", "--out", "o", "--look", "sigmod"), InputError, "Did you mean 'sigmoid'"),
        (("segment", "in", "--classes", "sky", "--out", "o", "--save", "areas"), OutputError, "Did you mean 'csv'"),
        (("segment", "in", "--classes", "sky", "--out", ""), InputError, "Expected a path"),
        (("segment", "https://a.b/c.jpg", "--classes", "sky", "--out", "o"), InputError, "but https://a.b/c.jpg is an"),
        (("segment", "--classes", "sky", "--out", "o"), InputError, "or --images FILE; got neither"),
        (("segment", "in", "--images", "l.txt", "--classes", "sky", "--out", "o"), InputError, "got both"),
        (("pca", "film.mp4", "--out", "x.png"), DenseZeroError, "--video"),
    ],
)  # fmt: skip
def test_a_wrong_value_is_a_sentence_with_the_nearest_name(folder, monkeypatch, words, kind, said):
    monkeypatch.chdir(folder.parent)
    Path("film.mp4").write_bytes(b"\0\0\0\x18ftypmp42")
    with pytest.raises(kind, match=said):
        run(*words)


def test_a_home_folder_that_the_shell_left_is_expanded(tmp_path, folder, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert run("segment", "~/in", *NANO, *SEGMENT, "--out=~/masks").exit_code == 0
    assert (tmp_path / "masks" / "labels" / "a.png").exists()


def test_a_list_of_images_comes_from_a_file_or_from_standard_input(tmp_path, folder):
    (tmp_path / "list.txt").write_text(f"{folder / 'b.png'}\n\n")
    words = [*NANO, *SEGMENT, "--save", "labels"]
    assert run("segment", "--images", str(tmp_path / "list.txt"), *words, "--out", str(tmp_path / "o")).exit_code == 0
    assert [path.name for path in (tmp_path / "o" / "labels").iterdir()] == ["b.png"]
    words = ["features", "--images", "-", *NANO, "--grid", "8", "--out", str(tmp_path / "f")]
    assert CliRunner().invoke(cli.app, words, input=os.fsencode(folder / "a.png") + b"\0").exit_code == 0
    assert (tmp_path / "f" / "a.npz").exists()


def test_a_dry_run_and_a_kept_suffix_reach_every_command(tmp_path, folder):
    write_scenes(folder, ["a.jpg"])
    for command, more in (("segment", SEGMENT), ("pca", ("--grid", "8")), ("features", ("--grid", "8"))):
        words = (command, str(folder), *NANO, *more, "--keep-suffix", "--out", str(tmp_path / command))
        assert run(*words, "--dry-run").stdout.startswith("dry run, nothing written: 3 to do: ")
        assert not (tmp_path / command).exists()
        assert run(*words).exit_code == 0
        assert {path.name.split(".")[1] for path in (tmp_path / command).rglob("a.*")} == {"jpg", "png"}


def test_quiet_runs_say_the_end_and_the_errors_and_verbose_ones_every_image(tmp_path, folder):
    (folder / "broken.png").write_bytes(b"x")
    words = ("segment", str(folder), *NANO, *SEGMENT)
    quiet = run(*words, "--out", str(tmp_path / "q"), "-q")
    assert quiet.stdout == f"2 written, 1 failed: {tmp_path / 'q'}\n"
    assert quiet.stderr.startswith("failed: ")
    assert len(quiet.stderr.splitlines()) == 1
    verbose = run(*words, "--out", str(tmp_path / "v"), "-v")
    assert "done: a.png\n" in verbose.stderr
    assert "done: b.png\n" in verbose.stderr


@pytest.mark.parametrize(
    ("words", "check"),
    [
        (("models", "list"), lambda found: {"nano", "tipsv2-l14"} <= {one["name"] for one in found}),
        (("models", "info", "nano"), lambda found: isinstance(found, dict)),
        (("vocabularies", "list"), lambda found: {one["name"]: one["classes"] for one in found}["ade20k"] == 150),
        (("vocabularies", "show", "voc21"), lambda found: len(found["classes"]) == 21),
        (("datasets", "list"), lambda found: "cityscapes" in {one["name"] for one in found}),
    ],
)
def test_lists_are_json_on_demand(words, check):
    assert check(json.loads(run(*words, "--json").stdout))


def test_the_check_of_a_data_set_is_json_on_demand(tmp_path):
    outcome = run("datasets", "check", "voc21", "--root", str(tmp_path), "--json")
    assert outcome.exit_code == 1
    assert json.loads(outcome.stdout)["problems"]


def test_the_settings_of_an_earlier_run_are_taken_over_and_what_is_given_wins(tmp_path, folder):
    first, again = tmp_path / "first", tmp_path / "again"
    run(
        "segment",
        str(folder),
        *NANO,
        *SEGMENT,
        "--save",
        "labels,csv",
        "--background",
        "wall",
        "--out",
        str(first),
    )
    words = ("segment", str(folder), "--device", "cpu", "--like", str(first / "run.json"), "--out")
    assert run(*words, str(again)).exit_code == 0
    requests = [json.loads((out / "run.json").read_text())["request"] for out in (first, again)]
    assert requests[0] == requests[1]
    assert (again / "areas.csv").read_bytes() == (first / "areas.csv").read_bytes()
    assert run(*words, str(tmp_path / "other"), "--classes", "sky", "--save", "labels").exit_code == 0
    other = json.loads((tmp_path / "other" / "run.json").read_text())
    assert other["request"]["classes"] == ["wall", "sky"]
    assert not (tmp_path / "other" / "areas.csv").exists()
    assert run(*words, str(tmp_path / "packaged"), "--vocabulary", "voc21").exit_code == 0


def test_features_and_pca_take_settings_over_too(tmp_path, folder):
    for command, more in (
        ("pca", ("--grid", "8", "--show", "pca,first", "--flip", "1,3", "--hue", "30", "--colormap", "viridis")),
        ("features", ("--side", "64", "--half")),
    ):
        first, again = tmp_path / f"{command}1", tmp_path / f"{command}2"
        assert run(command, str(folder), *NANO, *more, "--out", str(first)).exit_code == 0
        like = ("--like", str(first / "run.json"), "--device", "cpu", "--out", str(again))
        assert run(command, str(folder), *like).exit_code == 0
        requests = [json.loads((out / "run.json").read_text())["request"] for out in (first, again)]
        assert requests[0] == requests[1]


def test_settings_of_another_command_or_of_no_run_are_refused(tmp_path, folder):
    run("features", str(folder), *NANO, "--grid", "8", "--out", str(tmp_path / "f"))
    with pytest.raises(InputError, match="made by `densezero features`"):
        run("segment", str(folder), "--like", str(tmp_path / "f" / "run.json"), "--out", str(tmp_path / "o"))
    (tmp_path / "x.json").write_text("[]")
    for file in (tmp_path / "x.json", tmp_path / "none.json"):
        with pytest.raises(InputError, match=r"Expected --like as the run\.json of an earlier run"):
            run("segment", str(folder), "--like", str(file), "--out", str(tmp_path / "o"))


@pytest.mark.parametrize(
    ("settings", "name"),
    [(SegmentSettings, "segment"), (MapSettings, "depth"), (PcaSettings, "pca"), (FeaturesSettings, "features")],
)
def test_every_setting_is_taken_over_or_said_to_belong_to_one_run(settings, name):
    options = set(inspect.signature(getattr(cli, name)).parameters)
    names = {field.name for field in fields(settings)} | ({field.name for field in fields(GridChoice)} - {"side"})
    if "style" in names:
        names = names - {"style"} | {field.name for field in fields(FigureStyle)}
    for field in names - {"grid"} if name in ("segment", "depth") else names:
        if (field == "window_side" and name in ("segment", "depth")) or (name, field) == ("segment", "side_px"):
            continue
        assert field in NOT_TAKEN or OPTION_OF.get(field, field) in options, field


@pytest.mark.parametrize(
    "command", ["segment", "depth", "normals", "evaluate", "pca", "similarity", "features", "report"]
)
def test_help_has_groups_an_example_on_one_line_and_the_exit_statuses(command):
    text = run(command, "--help").stdout
    examples = [line.strip() for line in text.splitlines() if line.strip().startswith("Example: densezero ")]
    assert len(examples) == 1
    words = shlex.split(examples[0].removeprefix("Example: densezero "))
    assert words[0] == command
    parameters = {name for parameter in _parameters(command) for name in parameter}
    assert {word for word in words if word.startswith("--")} <= parameters
    assert "130 stopped" in " ".join(text.split())
    assert "\nModel:\n" in text or command in ("report", "similarity")


def _parameters(command):
    import typer

    commands = typer.main.get_command(cli.app).commands
    return [parameter.opts for parameter in commands[command].params]
