import sys

import numpy as np
import pytest
from PIL import Image

from densezero.cli import main as cli
from densezero.images.film import read_film_facts
from tests.cli.test_commands import run
from tests.jobs.photos import write_scenes

QUICK = ("--model", "nano", "--grid", "8", "--dtype", "float32")


@pytest.fixture
def folder(tmp_path):
    return write_scenes(tmp_path / "in", ["a.png", "b.png"])


def refusal(monkeypatch, capsys, *words):
    """The one sentence of a request that ends with status two."""
    monkeypatch.setattr(sys, "argv", ["densezero", *map(str, words)])
    with pytest.raises(SystemExit) as end:
        cli.main()
    assert end.value.code == 2
    out, err = capsys.readouterr()
    sentences = [line for line in err.splitlines() if not line.startswith("note: ")]
    assert out == ""
    assert len(sentences) == 1
    assert sentences[0].startswith("error: ")
    return sentences[0]


def test_pca_says_what_was_written_what_was_there_and_what_is_done_again(tmp_path, folder):
    words = ("pca", str(folder), "--out", str(tmp_path / "out"), *QUICK)
    first = run(*words)
    assert (first.exit_code, first.stdout) == (0, f"2 written: {tmp_path / 'out'}\n")
    assert "note: nano is a tiny model" in first.stderr
    assert "2/2 images" in first.stderr
    assert run(*words).stdout == f"0 written, 2 there already: {tmp_path / 'out'}\n"
    assert run(*words, "--overwrite").stdout.startswith("2 written")


def test_every_option_of_pca_reaches_the_figure(tmp_path, folder):
    out = tmp_path / "f.png"
    words = (
        "--readout", "patch", "--readout", "value", "--show", "pca", "--show", "first", "--show", "kmeans", "--basis",
        "each", "--look", "percentile", "--foreground", "--align", "--clusters", "3", "--upsample", "guided", "--side",
        "140", "--window", "6", "--width", "120", "--fit-images", "2", "--device", "cpu",
    )  # fmt: skip
    outcome = run("pca", str(folder), "-o", str(out), *QUICK, *words)
    assert (outcome.exit_code, outcome.stdout) == (0, f"2 written: {out}\n")
    with Image.open(out) as figure:
        assert abs(figure.width - 120 / 25.4 * 300) < 2


def test_a_basis_is_stored_and_applied(tmp_path, folder):
    stored = str(tmp_path / "b.safetensors")
    assert run("pca", str(folder), "-o", str(tmp_path / "one"), *QUICK, "--save-basis", stored).exit_code == 0
    assert run("pca", str(folder), "-o", str(tmp_path / "two"), *QUICK, "--basis", stored).exit_code == 0
    assert (tmp_path / "one" / "a.png").read_bytes() == (tmp_path / "two" / "a.png").read_bytes()


def test_a_film_is_made_of_a_folder(tmp_path, folder):
    out = tmp_path / "f.mp4"
    outcome = run("pca", str(folder), "-o", str(out), *QUICK, "--video", "--rate", "4")
    assert (outcome.exit_code, outcome.stdout) == (0, f"2 written: {out}\n")
    assert read_film_facts(out).rate == 4


@pytest.mark.parametrize("out", ["out", "f.svg", "f.mp4"])
def test_a_broken_file_gives_status_one_and_its_name(tmp_path, folder, out):
    (folder / "broken.jpg").write_text("no picture")
    video = ("--video",) if out.endswith("mp4") else ()
    outcome = run("pca", str(folder), "-o", str(tmp_path / out), *QUICK, *video)
    assert outcome.exit_code == 1
    assert "broken.jpg" in outcome.stderr
    assert outcome.stdout == f"2 written, 1 failed: {tmp_path / out}\n"
    assert (tmp_path / out).exists()


def test_one_colour_without_a_basis_of_its_own_gives_status_one(tmp_path, folder):
    Image.new("RGB", (40, 30), (1, 2, 3)).save(folder / "flat.png")
    outcome = run("pca", str(folder), "-o", str(tmp_path / "out"), *QUICK, "--basis", "each")
    assert outcome.exit_code == 1
    assert "flat.png: expected an image with something to tell apart" in outcome.stderr
    assert "2 written, 1 failed" in outcome.stdout


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--model", "nanoo"), "Did you mean 'nano'"),
        (("--readout", "vlaue"), "Did you mean 'value'"),
        (("--show", "kmean"), "Did you mean 'kmeans'"),
        (("--look", "percent"), "Did you mean 'percentile'"),
        (("--upsample", "biliner"), "Did you mean 'bilinear'"),
        (("--basis", "both"), "got both, which is none of them"),
        (("--grid", "1"), "2 patches for 3 components"),
        (("--grid", "0"), "--grid of at least 1"),
        (("--align",), "second --model or --readout"),
        (("--video",), "as a film ending in"),
        (("--clusters", "900", "--show", "kmeans"), "fewer clusters"),
    ],
)
def test_a_wrong_request_for_pictures_is_one_sentence_and_status_two(
    tmp_path, folder, monkeypatch, capsys, words, says
):
    assert says in refusal(monkeypatch, capsys, "pca", folder, "-o", tmp_path / "out", *QUICK, *words)
    assert not list((tmp_path / "out").rglob("*.png"))


def test_places_that_are_taken_are_refused(tmp_path, folder, monkeypatch, capsys):
    def refused(*words):
        return refusal(monkeypatch, capsys, *words, *QUICK)

    assert "one of the inputs" in refused("pca", folder, "-o", folder / "a.png")
    assert "lies in the input folder" in refused("pca", folder, "-o", folder / "out")
    assert "add --video" in refused("pca", folder, "-o", tmp_path / "f.mp4")
    assert "8 mm; 16 mm is not" in refused("pca", folder, "-o", tmp_path / "f.pdf", "--width", "16")
    assert "one of the inputs" in refused("similarity", folder / "a.png", "-t", "sky", "-o", folder / "a.png")
    run("pca", str(folder), "-o", str(tmp_path / "out"), *QUICK)
    assert "another request" in refused("pca", folder, "-o", tmp_path / "out", "--look", "percentile")


def test_similarity_says_where_the_figure_is(tmp_path, folder):
    out = tmp_path / "f.pdf"
    words = ("--text", "sky", "--text", "a boat", "--point", "10,20", "--each", "--templates", "tcl9", "--width", "90")
    outcome = run("similarity", str(folder / "a.png"), "-o", str(out), *QUICK, *words)
    assert (outcome.exit_code, outcome.stdout) == (0, f"1 written: {out}\n")
    assert out.read_bytes().startswith(b"%PDF")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ((), "--text"),
        (("--text", "sky", "--point", "1,2"), "add --each"),
        (("--point", "64,1"), "64 x 48 pixels; got 64,1"),
        (("--point", "1;2"), "got '1;2'"),
        (("--point", "1,2,3"), "got '1,2,3'"),
        (("--point", ""), "as X,Y in pixels"),
        (("--point", "nan,1"), "within the first image"),
        (("--text", ""), "an empty one"),
        (("--text", "sky", "--templates", "tcl8"), "tcl9"),
        (("--text", "sky", "--width", "nan"), "--width in mm"),
        (("--text", "sky", "--upsample", "gided"), "Did you mean 'guided'"),
        (("--text", "sky", "--readout", "k-kk"), "Did you mean 'k-k'"),
    ],
)
def test_a_wrong_request_for_heat_maps_is_one_sentence_and_status_two(
    tmp_path, folder, monkeypatch, capsys, words, says
):
    out = tmp_path / "f.png"
    assert says in refusal(monkeypatch, capsys, "similarity", folder / "a.png", "-o", out, *QUICK, *words)
    assert not out.exists()


def test_features_are_written_and_what_fails_is_named(tmp_path, folder, monkeypatch, capsys):
    words = ("features", str(folder), "-o", str(tmp_path / "out"), *QUICK)
    outcome = run(*words, "--half")
    assert (outcome.exit_code, outcome.stdout) == (0, f"2 written: {tmp_path / 'out'}\n")
    with np.load(tmp_path / "out" / "a.npz") as arrays:
        assert arrays["features"].shape[:2] == (6, 8)
    assert "half" in refusal(monkeypatch, capsys, *words)
    (folder / "broken.png").write_text("no picture")
    outcome = run(*words, "--format", "safetensors", "--overwrite")
    assert outcome.exit_code == 1
    assert "broken.png" in outcome.stderr
    assert "Did you mean 'npz'" in refusal(monkeypatch, capsys, *words, "--format", "npy")


def test_components_are_mirrored_by_their_numbers(tmp_path, folder, monkeypatch, capsys):
    out = tmp_path / "f.png"
    assert run("pca", str(folder), "-o", str(out), *QUICK, "--flip", "1,3", "--hue", "40").exit_code == 0
    for given in ("a", "0", "1;2"):
        assert "--flip" in refusal(monkeypatch, capsys, "pca", folder, "-o", out, *QUICK, "--flip", given)


def test_a_folder_in_other_colours_is_another_request(tmp_path, folder, monkeypatch, capsys):
    words = ("pca", folder, "-o", tmp_path / "out", *QUICK)
    run(*map(str, words))
    assert "hue_deg (there None, now 40" in refusal(monkeypatch, capsys, *words, "--hue", "40")
    run(*map(str, words))  # and the first one goes on
