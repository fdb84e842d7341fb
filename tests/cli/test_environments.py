"""What a machine or another program leaves in the environment stops nothing, and decides nothing."""

import os
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from tests.jobs.photos import write_scenes

QUICK = ("--model", "nano", "--device", "cpu", "--dtype", "float32")


@pytest.fixture
def folder(tmp_path):
    return write_scenes(tmp_path / "in", ["a.png", "b.png"])


def run(words, environment=None, before="", **how):
    """Run the command line in a process of its own, with nothing but this environment."""
    given = ["densezero", *map(str, words)]
    code = f"{before}\nimport sys\nfrom densezero.cli.main import main\nsys.argv = {given!r}\nmain()"
    whole = os.environ if environment is None else environment
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=dict(whole), timeout=120, check=False, **how
    )


FIGURE = ("pca", *QUICK, "--grid", "8")


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """A folder of pictures, and the figure of one as a clean setup draws it."""
    top = tmp_path_factory.mktemp("plain")
    folder = write_scenes(top / "in", ["a.png"])
    drawn = run((*FIGURE, folder / "a.png", "--out", top / "plain.png"))
    assert drawn.returncode == 0, drawn.stderr
    return folder, pixels(top / "plain.png")


def pixels(file):
    with Image.open(file) as image:
        return np.array(image.convert("RGB"))


@pytest.mark.parametrize(
    "setup",
    [
        {"MPLBACKEND": "module://a_notebook.that_is_not_here"},
        {"MPLBACKEND": "nonsense"},
        {"MATPLOTLIBRC": "{folder}/matplotlibrc"},
        {"MATPLOTLIBRC": "{folder}/gone/matplotlibrc", "MPLCONFIGDIR": "/dev/null/none"},
        {"MATPLOTLIBRC": "{folder}/binary"},
    ],
)
def test_figures_are_drawn_the_same_whatever_the_setup_of_matplotlib(tmp_path, plain, setup):
    folder, expected = plain
    (tmp_path / "matplotlibrc").write_text("font.size: 40\nfigure.dpi: 7\naxes.facecolor: red\nsavefig.bbox: tight\n")
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00: \x80")
    changes = {name: value.format(folder=tmp_path) for name, value in setup.items()}
    drawn = run((*FIGURE, folder / "a.png", "--out", tmp_path / "other.png"), {**os.environ, **changes})
    assert (drawn.returncode, "Traceback" in drawn.stderr) == (0, False), drawn.stderr
    assert np.array_equal(pixels(tmp_path / "other.png"), expected)


NO_HOME = "import pwd\ndef unknown(*_): raise KeyError('no such user')\npwd.getpwuid = pwd.getpwnam = unknown"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows always knows the home folder")
@pytest.mark.parametrize(
    "words", [("segment", "--classes", "sky, sea"), ("pca", "--grid", "8"), ("features", "--grid", "8")]
)
def test_no_home_and_an_unknown_user_are_no_matter(tmp_path, folder, words):
    done = run((*words, folder, *QUICK, "--out", tmp_path / "out"), {"PATH": os.environ["PATH"]}, NO_HOME)
    assert done.returncode == 0, done.stderr
    assert "2 written" in done.stdout


NO_FORK = """
import os, pkgutil, importlib, torch, timm, open_clip, transformers, densezero
for name in ("register_at_fork", "fork", "sched_getaffinity", "getuid"):
    if hasattr(os, name):
        delattr(os, name)
for module in pkgutil.walk_packages(densezero.__path__, "densezero."):
    if "integrations" not in module.name and not module.name.endswith("__main__"):
        importlib.import_module(module.name)
"""


def test_a_system_that_does_not_fork_loads_every_module():
    done = subprocess.run([sys.executable, "-c", NO_FORK], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("variables", [{"WORLD_SIZE": "2"}, {"RANK": "abc"}, {"LOCAL_RANK": "x"}])
def test_variables_of_torchrun_that_were_left_are_a_sentence(tmp_path, variables):
    done = run(("evaluate", "folder", "--root", tmp_path, "--out", tmp_path / "r.json"), {**os.environ, **variables})
    assert (done.returncode, "Traceback" in done.stderr) == (2, False)
    assert "torchrun" in done.stderr


@pytest.mark.parametrize("stem", ["n" * 251, "ü" * 125 + "x"])
def test_a_name_of_255_bytes_is_done_or_named(tmp_path, folder, stem):
    name = f"{stem}.png"
    (folder / "b.png").rename(folder / name)
    for words in (
        ("segment", "--classes", "sky, sea", "--save", "labels,overlay,polygons,scores,csv,coco"),
        ("pca", "--grid", "8"),
        ("features", "--grid", "8"),
    ):
        done = run((*words, folder, *QUICK, "--out", tmp_path / words[0]))
        assert "Traceback" not in done.stderr, done.stderr
        assert done.returncode in (0, 1), done.stderr
        assert done.returncode == 0 or f"failed: {folder / name}: " in done.stderr
        assert not list((tmp_path / words[0]).rglob("*.part"))
